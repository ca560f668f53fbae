"""Figures in the sentences of README.md are those of the recorded runs."""

import json
import re
import statistics
from functools import cache
from pathlib import Path

import fhvae
from experiments.sweep import RESULTS, ROOT
from fhvae.cited import look_up
from fhvae.report.tables import BySeed, pooled, read_runs

MU2, IVECTOR = "verify.mu2.cos.eer", "verify.ivector.cos.eer"
README = " ".join((ROOT / "README.md").read_text().split())


@cache
def runs(corpus: str, setting: str) -> BySeed:
    return read_runs(RESULTS / corpus)[setting]


def mean(corpus: str, setting: str, key: str) -> str:
    return (
        f"{100 * statistics.mean(look_up(run, key) for run in runs(corpus, setting).values()):.1f}"
    )


def with_ends(corpus: str, setting: str, key: str) -> str:
    ends = pooled(runs(corpus, setting), key)
    return f"{100 * ends.value:.1f} % [{100 * ends.low:.1f}, {100 * ends.high:.1f}]"


def test_the_number_to_cite():
    assert f"EER {with_ends('speechocean762', 'alpha10', MU2)} on speechocean762" in README


def test_what_the_discriminative_term_does():
    zero, ten = (mean("default", setting, MU2) for setting in ("alpha0", "alpha10"))
    assert f"mu2 {zero} % at alpha 0, {ten} at 10" in README


def test_the_leak():
    assert f"with {mean('speechocean762', 'alpha10', 'leak.z1.eer')} % EER" in README


def test_which_alpha():
    ten, thirty = (
        mean("speechocean762", setting, "verify.mu2.cos.dev_eer")
        for setting in ("alpha10", "alpha30")
    )
    test = with_ends("speechocean762", "alpha30", MU2).replace(" %", "")
    assert f"dev prefers 30 ({thirty} % against {ten}; test {test})" in README


def test_how_many_speakers():
    places = [
        ("speechocean762", "alpha10"),
        *(("speechocean762-speakers", f"speakers{count}") for count in (36, 18, 9)),
    ]
    own, other = ([mean(*place, key) for place in places] for key in (MU2, IVECTOR))
    lead = pooled(runs(*places[-1]), "verify.difference.cos.mu2-baseline.eer")
    said = (
        f"its EER by cosine is {', '.join(own[:-1])} and {own[-1]} %, the i-vector's "
        f"{', '.join(other[:-1])} and {other[-1]}; at nine mu2 leads by {-100 * lead.value:.1f} "
        f"points [{-100 * lead.high:.1f}, {-100 * lead.low:.1f}]"
    )
    assert said in README


def test_what_make_reproduce_gives():
    eer = json.loads((ROOT / "metrics/summary.json").read_text())["eer_mu2"]
    assert f"(`metrics/summary.json`: {100 * eer:.1f})" in README


def test_what_score_prints():
    a, b, c = (Path(f"{ROOT}/examples/{name}.flac") for name in "abc")
    model = fhvae.load()
    said = re.search(r"# b and c against a: (\S+) and (\S+)", README)
    assert said.groups() == (f"{model.score(a, b):.1f}", f"{model.score(a, c):.1f}")
