"""The stage verify, whole, on made-up latents with known speakers."""

import shutil

import pytest

from fhvae.errors import ArtifactError, TrialError
from fhvae.latents import write_latents
from stages.verify import main
from tests.latent_factory import (
    make_frames,
    make_latents,
    make_utterances,
    write_fake_run,
    write_frames,
)
from tests.stages.stage_runner import run_stage, written

SPEAKERS = {"train": 4, "dev": 2, "test": 3}
EACH = 4
OUTPUTS = ("scores", "plots")


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, EACH)
    return folder


def test_metrics_and_files(monkeypatch, fake_run, tmp_path):
    metrics = run_stage(monkeypatch, main, fake_run, tmp_path / "out", OUTPUTS)
    assert metrics["trials"] == {"target": 3 * 6, "nontarget": 66 - 18}
    assert metrics["speakers"] == 3
    assert metrics["mu2"]["cos"]["eer"] == 0.0
    assert metrics["mu1"]["cos"]["eer"] > 0.3
    assert metrics["absent"] == {}
    assert {"scores/mu2.cos.tsv", "plots/det.csv", "plots/det.png"} <= set(
        written(tmp_path / "out")
    )


def test_a_second_run_writes_the_same_bytes(monkeypatch, fake_run, tmp_path):
    run_stage(monkeypatch, main, fake_run, tmp_path / "first", OUTPUTS)
    run_stage(monkeypatch, main, fake_run, tmp_path / "again", OUTPUTS)
    assert written(tmp_path / "first") == written(tmp_path / "again")


def replace_test_split(fake_run, folder, utterances, frames_of=None):
    """Copy a run with other utterances in the test split of latents (and fbank)."""
    shutil.copytree(fake_run, folder)
    latents = make_latents(utterances)
    write_latents(folder / "latents" / "test.safetensors", latents)
    write_frames(folder / "fbank" / "test", make_frames(make_latents(frames_of or utterances)))


def test_utterances_that_fbank_dropped_are_in_no_trial(monkeypatch, fake_run, tmp_path):
    kept = make_utterances("test", 3, EACH)[1:]
    replace_test_split(fake_run, tmp_path / "run", kept)
    metrics = run_stage(monkeypatch, main, tmp_path / "run", tmp_path / "out", OUTPUTS)
    assert metrics["trials"] == {"target": 6 + 6 + 3, "nontarget": 55 - 15}


def test_latents_of_other_utterances_than_fbank_stop_the_stage(monkeypatch, fake_run, tmp_path):
    every = make_utterances("test", 3, EACH)
    replace_test_split(fake_run, tmp_path / "run", every[:-1], frames_of=every)
    with pytest.raises(ArtifactError, match="test02_03 is in fbank and not in latents"):
        run_stage(monkeypatch, main, tmp_path / "run", tmp_path / "out", OUTPUTS)
    assert set(written(tmp_path / "out")) == {"params.yaml"}


def test_no_target_trial_stops_the_stage(monkeypatch, fake_run, tmp_path):
    one_each = make_utterances("test", 3, EACH)[::EACH]
    replace_test_split(fake_run, tmp_path / "run", one_each)
    with pytest.raises(TrialError, match="got 0 target and 3 non-target"):
        run_stage(monkeypatch, main, tmp_path / "run", tmp_path / "out", OUTPUTS)
    assert set(written(tmp_path / "out")) == {"params.yaml"}
