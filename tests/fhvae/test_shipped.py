"""The model that comes with the package: small, attributed, and as good as its card says."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import fhvae
from fhvae.cli import parser
from fhvae.files.atomic import file_digest, read_json
from fhvae.pretrained import SHIPPED
from fhvae.trials import Vectors, cosine_eer, cosine_scores, pairs_of
from fhvae.verification.error_rates import cllr
from tests.recorded import SPEECHOCEAN762, with_speechocean762

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CARD = (SHIPPED / "README.md").read_text()


@pytest.fixture(scope="module")
def model():
    return fhvae.load()


def told(row: str) -> float:
    """Read a figure of the card."""
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| ([\d.]+) \|", CARD, re.MULTILINE)
    assert found, row
    return float(found[1])


def test_it_is_small_and_says_where_it_comes_from(model):
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2_000_000
    origin = model.trained.origin
    assert (origin.corpus, origin.licence, origin.seed) == ("speechocean762", "CC-BY-4.0", 0)
    assert re.fullmatch("[0-9a-f]{40}", origin.commit)
    assert model.trained.clean_mu2 is not None
    assert model.trained.calibration is not None
    notice = (ROOT / "NOTICE").read_text()
    for text in (CARD, notice, (EXAMPLES / "README.md").read_text()):
        assert "Zhang" in text
        assert "creativecommons.org/licenses/by/4.0" in text


def test_the_card_says_what_the_results_say():
    found = read_json(ROOT / "experiments/results/ship.json")
    assert found["weights"] == file_digest(SHIPPED / "model.safetensors")
    assert told("EER of mu2 by cosine (") == pytest.approx(100 * found["mu2"]["eer"], abs=0.05)
    assert told("EER of mu2 by cosine, dev") == pytest.approx(100 * found["dev_eer"], abs=0.05)
    assert told("EER of the mean of z1") == pytest.approx(100 * found["mu1"]["eer"], abs=0.05)
    assert f"{found['target']:,} pairs of one speaker" in CARD


@pytest.mark.slow
@with_speechocean762
def test_the_recordings_give_the_figures_of_the_card(model):
    with (SPEECHOCEAN762 / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    speakers = [row["speaker"] for row in rows]
    found = [model.encode(SPEECHOCEAN762 / row["path"]) for row in rows]
    mu2 = np.stack([one.mu2 for one in found])
    mu1 = np.stack([one.z1.mean(axis=0) for one in found])
    assert told("EER of mu2 by cosine (") == pytest.approx(100 * cosine_eer(mu2, speakers), abs=0.1)
    assert told("EER of the mean of z1") == pytest.approx(100 * cosine_eer(mu1, speakers), abs=0.1)
    trials = pairs_of([row["utterance_id"] for row in rows], speakers)
    order = np.argsort([row["utterance_id"] for row in rows])
    scores = cosine_scores(Vectors(trials.utterance_ids, mu2[order].astype(float)), trials)
    known = model.trained.calibration
    cost = cllr(known.scale * scores + known.offset, trials.is_target)
    assert told("Cllr of `score`") == pytest.approx(cost, abs=0.002)


def test_examples_are_small_and_of_two_speakers(model):
    names = ("a.flac", "b.flac", "c.flac")
    assert all((EXAMPLES / name).stat().st_size < 150_000 for name in names)
    a, b, c = (EXAMPLES / name for name in names)
    assert model.score(a, c) > 0 > model.score(a, b)


def test_what_the_examples_page_says_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = [str(EXAMPLES / name) for name in ("a.flac", "b.flac", "c.flac")]
    for typed in (["score", *names], ["convert", names[0], "--to", names[1]]):
        options = parser().parse_args(typed)
        options.use(options)
    assert capsys.readouterr().out.splitlines()[0] == "file,log_likelihood_ratio"
    assert soundfile.info("a-as-b.wav").frames == soundfile.info(names[0]).frames


@pytest.mark.slow
def test_the_lines_of_the_readme_run(tmp_path, monkeypatch):
    code = re.search(
        r"```python\n(import fhvae\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code[1], names)
    assert names["voice"].shape == (32,)
    assert {path.name for path in tmp_path.glob("*.wav")} == {"a-as-b.wav", "cleaner.wav"}


def test_a_conversion_moves_the_voice_towards_the_other(model, tmp_path):
    a, b = EXAMPLES / "a.flac", EXAMPLES / "b.flac"
    model.convert(a, b, to=tmp_path / "a-as-b.wav")
    assert model.score(tmp_path / "a-as-b.wav", b) > model.score(a, b) + 1
