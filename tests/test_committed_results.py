"""What the committed metrics must still say; CI compares a fresh run with them."""

import json
import statistics
from pathlib import Path

import pytest

from experiments.sweep import RESULTS
from fhvae.cited import look_up
from fhvae.report.tables import read_runs

ROOT = Path(__file__).resolve().parents[1]


def metric(stage: str, key: str) -> float:
    return look_up(json.loads((ROOT / "metrics" / f"{stage}.json").read_text()), key)


def test_the_default_corpus_is_neither_trivial_nor_hopeless():
    """The difficulty guard of docs/decisions/0002-default-corpus.md, on the simplest system."""
    assert 0.02 < metric("verify", "fbank.lda.eer") < 0.12


def test_each_latent_holds_its_own_factor():
    assert metric("probe", "phone.z1.accuracy_low") > metric("probe", "phone.z2.accuracy_high")
    assert metric("probe", "speaker.z2.accuracy_low") > metric("probe", "speaker.z1.accuracy_high")
    assert metric("verify", "mu2.cos.eer_high") < metric("verify", "mu1.cos.eer_low")


def test_the_default_run_has_not_collapsed():
    assert metric("train", "collapse.collapsed") == 0


def over_seeds(corpus: str, setting: str, key: str) -> list[float]:
    return [look_up(run, key) for run in read_runs(RESULTS / corpus)[setting].values()]


@pytest.mark.parametrize(
    ("corpus", "lower", "higher", "key"),
    [
        pytest.param("default", "alpha10", "alpha0", "verify.mu2.cos.eer", id="alpha-sharpens-mu2"),
        pytest.param("default", "alpha0", "alpha10", "verify.mu1.cos.eer", id="alpha-clears-mu1"),
        pytest.param(
            "mu2-table", "alpha10-random", "alpha10", "train.collapse.dev_kl_z2", id="the-trap"
        ),
    ],
)
def test_claims_on_the_default_corpus(corpus, lower, higher, key):
    below, above = over_seeds(corpus, lower, key), over_seeds(corpus, higher, key)
    assert len(below) == len(above) == 3
    assert statistics.mean(below) < statistics.mean(above)


def test_z1_is_recognized_better_than_fbank_across_sexes_in_every_seed():
    """The paper's claim on recognition, beyond the intervals of every seed."""
    for run in read_runs(RESULTS / "default")["alpha10"].values():
        for source, target in (("male", "female"), ("female", "male")):
            ours = look_up(run, f"recognize.per.z1.{source}.{target}.per_high")
            fbank = look_up(run, f"recognize_baselines.per.fbank.{source}.{target}.per_low")
            assert ours < fbank
