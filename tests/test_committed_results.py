"""What the committed metrics must still say; CI compares a fresh run with them."""

import json
from pathlib import Path

from fhvae.cited import look_up

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


def test_the_recorded_default_run_is_the_committed_one():
    path = ROOT / "experiments" / "results" / "sweep" / "default" / "alpha10-seed0.json"
    for stage, found in json.loads(path.read_text())["metrics"].items():
        committed = json.loads((ROOT / "metrics" / f"{stage}.json").read_text())
        assert found == committed, stage
