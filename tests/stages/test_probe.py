"""The stage probe, whole, on made-up latents with known phones and speakers."""

import pytest

from stages.probe import main
from tests.latent_factory import write_fake_run
from tests.stages.stage_runner import run_stage, written

SPEAKERS = {"train": 4, "dev": 2, "test": 3}


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, each=4)
    return folder


def test_z1_is_read_as_phone_and_z2_as_speaker(monkeypatch, fake_run, tmp_path):
    metrics = run_stage(monkeypatch, main, fake_run, tmp_path / "out", ("plots",))
    assert metrics["phone"]["z1"]["accuracy"] == 1.0
    assert metrics["speaker"]["z2"]["accuracy"] == 1.0
    assert metrics["phone"]["z2"]["accuracy"] < 0.6
    assert metrics["speaker"]["z1"]["accuracy"] < 0.7
    assert metrics["phone"]["unlabelled"] == {"train": 0, "dev": 0, "test": 0}
    assert metrics["phone"]["segments"] == {"train": 96, "dev": 48, "test": 72}


def test_a_second_run_writes_the_same_bytes_with_any_number_of_workers(
    monkeypatch, fake_run, tmp_path
):
    for workers in ("1", "2"):
        monkeypatch.setenv("FHVAE_WORKERS", workers)
        run_stage(monkeypatch, main, fake_run, tmp_path / workers, ("plots",))
    assert written(tmp_path / "1") == written(tmp_path / "2")


def test_a_corpus_without_phone_times(monkeypatch, tmp_path):
    write_fake_run(tmp_path / "run", SPEAKERS, each=4, with_phones=False)
    metrics = run_stage(monkeypatch, main, tmp_path / "run", tmp_path / "out", ("plots",))
    assert "phone" not in metrics
    assert metrics["absent"]["phone"].startswith("the corpus has no phone times")
    assert metrics["speaker"]["z2"]["accuracy"] == 1.0
    assert (tmp_path / "out" / "plots" / "probe.png").stat().st_size > 0
