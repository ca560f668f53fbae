"""The stage attack, whole, on made-up latents with known speakers."""

import dataclasses
import shutil

import pytest

from fhvae.latents import read_latents, write_latents
from stages.attack import main
from tests.latent_factory import (
    make_frames,
    make_latents,
    make_utterances,
    write_fake_run,
    write_frames,
)
from tests.stages.stage_runner import each_number_of_workers, inside, run_stage, written

SPEAKERS = {"train": 5, "dev": 3, "test": 8}
EACH = 4
SMALL = {
    "channels": 6,
    "embedding": 5,
    "learning_rates": [0.01],
    "repeats": 2,
    "batch": 8,
    "steps": 12,
    "looks": 3,
}
INPUTS = {"z1", "z1_without_mu1", "untrained", "fbank"}


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    """z2 of the made-up run knows the speaker; it plays the untrained z1."""
    folder = tmp_path_factory.mktemp("run")
    write_inputs(folder, SPEAKERS)
    return folder


def write_inputs(folder, speakers):
    write_fake_run(folder, speakers, EACH)
    for split in speakers:
        latents = read_latents(folder / "latents" / f"{split}.safetensors")
        untrained = dataclasses.replace(latents, z1_mean=latents.z2_mean)
        write_latents(
            folder / "baselines" / "untrained_latents" / f"{split}.safetensors", untrained
        )


def run(inputs, out, workers="1", protocol="headline"):
    given = inside(inputs, "corpus", "fbank", "latents", "baselines")
    changes = {**{f"attack.{name}": value for name, value in SMALL.items()}, "protocol": protocol}
    return run_stage(main, given, out, (), changes, workers)


@pytest.fixture(scope="module")
def once(fake_run, tmp_path_factory):
    """Metrics of a run, and its folder."""
    out = tmp_path_factory.mktemp("once") / "out"
    return run(fake_run, out), out


def test_metrics(once):
    metrics, _ = once
    assert set(metrics["attack"]) == set(metrics["closed_set"]) == INPUTS
    assert metrics["trials"] == {"target": 8 * 6, "nontarget": 496 - 48}
    assert metrics["absent"] == {}
    for found in metrics["attack"].values():
        assert found["eer_low"] <= found["eer"] <= found["eer_high"]
        assert found["chance"] == 0.5
        assert found["steps"] in (4, 8, 12)
    assert metrics["closed_set"]["untrained"]["accuracy"] == 1.0
    assert metrics["closed_set"]["z1"]["accuracy"] < 0.8
    assert metrics["closed_set"]["z1"]["chance"] == 0.125


def test_five_test_speakers_have_no_interval(tmp_path, caplog):
    write_inputs(tmp_path / "run", SPEAKERS | {"test": 5})
    metrics = run(tmp_path / "run", tmp_path / "out")
    for found in (*metrics["attack"].values(), *metrics["closed_set"].values()):
        assert not [key for key in found if key.endswith(("_low", "_high"))]
    assert "needs at least 6 test speakers, there are 5" in metrics["absent"]["intervals"]
    assert "intervals is absent: an interval needs at least 6" in caplog.text


@each_number_of_workers
def test_a_second_run_writes_the_same_bytes(once, fake_run, tmp_path, workers):
    run(fake_run, tmp_path / "again", workers)
    assert written(tmp_path / "again") == written(once[1])


def test_the_full_protocol_never_takes_a_worse_attacker(once, fake_run, tmp_path):
    short = once[0]["attack"]
    full = run(fake_run, tmp_path / "full", protocol="full")["attack"]
    assert all(full[name]["dev_eer"] <= short[name]["dev_eer"] for name in INPUTS)


def test_what_a_split_cannot_answer_is_absent_with_its_reason(fake_run, tmp_path, caplog):
    """One utterance per dev speaker: no attacker can be chosen, the closed set goes on."""
    inputs = tmp_path / "run"
    shutil.copytree(fake_run, inputs)
    latents = make_latents(make_utterances("dev", 3, EACH)[::EACH])
    untrained = dataclasses.replace(latents, z1_mean=latents.z2_mean)
    write_latents(inputs / "latents" / "dev.safetensors", latents)
    write_latents(inputs / "baselines" / "untrained_latents" / "dev.safetensors", untrained)
    write_frames(inputs / "fbank" / "dev", make_frames(latents))
    metrics = run(inputs, tmp_path / "out")
    assert set(metrics["absent"]) == {f"attack.{name}" for name in INPUTS}
    assert metrics["attack"] == {}
    assert set(metrics["closed_set"]) == INPUTS
    assert "attack.z1 is absent: dev must have two utterances of one speaker" in caplog.text
