"""The stages baselines and controls, whole, on made-up frames."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from fhvae.baselines.pca import PCA_FILE, read_pca
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed
from fhvae.files.sums import SUMS
from fhvae.inference import infer_latents
from fhvae.latents import read_latents
from fhvae.model.network import new_network
from fhvae.model.weights import read_model
from stages.baselines import main as make_baselines
from stages.controls import main as make_controls
from tests.latent_factory import MELS, SEGMENT_FRAMES, SHIFT, Z1, write_fake_run, write_frames
from tests.probe_factory import SPEAKERS, write_network
from tests.stages.stage_runner import PARAMS, written

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, each=2)
    write_normalizer(folder / "fbank" / "normalizer.json", Normalizer(np.ones(MELS), np.ones(MELS)))
    write_network(folder / "model", seed=1)
    return folder


def run(monkeypatch, main, out, paths, seed=0, **model):
    """Run a stage in the folder `out`, with params of the small model; give its metrics."""
    values = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    values["seed"] = seed
    values["fbank"]["mels"] = MELS
    values["segments"]["frames"] = SEGMENT_FRAMES
    values["latents"]["shift"] = SHIFT
    values["model"] |= {"cells": 5, "z1": Z1, "z2": 4} | model
    out.mkdir()
    (out / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    options = {**paths, "metrics": out / "metrics.json"}.items()
    arguments = [
        part for name, path in options for part in (f"--{name.replace('_', '-')}", str(path))
    ]
    monkeypatch.setattr(sys, "argv", [main.__module__, *arguments])
    monkeypatch.chdir(out)
    main()
    return read_json(out / "metrics.json")


def run_baselines(monkeypatch, inputs, out, **model):
    outputs = {name: out / "made" / name for name in ("pca", "untrained", "untrained_latents")}
    paths = {"fbank": inputs / "fbank", **outputs}
    return run(monkeypatch, make_baselines, out, paths, **model)


def run_controls(monkeypatch, inputs, fbank, out):
    paths = {"fbank": fbank, "model": inputs / "model", "controls": out / "made"}
    return run(monkeypatch, make_controls, out, paths)


def test_untrained_networks_are_those_that_a_training_starts_from(monkeypatch, inputs, tmp_path):
    metrics = run_baselines(monkeypatch, inputs, tmp_path / "out")
    found = read_model(tmp_path / "out" / "made" / "untrained", CPU)
    seed = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["seed"]
    start = new_network(MELS, SEGMENT_FRAMES, found.network.params, seed)
    for name, weight in start.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], weight)
    trained = [weight.numel() for weight in start.parameters() if weight.requires_grad]
    assert metrics == {"pca": {"dimensions": Z1}, "weights": sum(trained)}
    for split in SPEAKERS:
        stored = read_latents(
            tmp_path / "out" / "made" / "untrained_latents" / f"{split}.safetensors"
        )
        own = infer_latents(found, read_packed(inputs / "fbank" / split), SHIFT)
        assert stored.utterance_ids == own.utterance_ids
        np.testing.assert_allclose(stored.mu2, own.mu2, atol=1e-6)


def test_pca_is_of_train_segments_and_knows_nothing_of_the_networks(monkeypatch, inputs, tmp_path):
    """Its file stays as it was where the networks get another size: no reader runs again."""
    run_baselines(monkeypatch, inputs, tmp_path / "small")
    run_baselines(monkeypatch, inputs, tmp_path / "large", cells=6, z2=5)
    small, large = (written(tmp_path / name / "made") for name in ("small", "large"))
    assert {name for name in small if small[name] == large[name]} == {
        f"pca/{name}" for name in (PCA_FILE, SUMS)
    }
    train = read_packed(inputs / "fbank" / "train")
    rows = [
        frames[start : start + SEGMENT_FRAMES].ravel()
        for _, frames in train.items()
        for start in range(0, len(frames) - SEGMENT_FRAMES + 1, SHIFT)
    ]
    pca = read_pca(tmp_path / "small" / "made" / "pca" / PCA_FILE)
    np.testing.assert_allclose(pca.mean, np.mean(rows, axis=0), atol=1e-5)


def test_controls_do_not_hear_how_loud_a_recording_is(monkeypatch, inputs, tmp_path):
    for split in SPEAKERS:
        frames = read_packed(inputs / "fbank" / split)
        louder = replace(frames, rows=np.asarray(frames.rows) + np.float32(0.7))
        write_frames(tmp_path / "louder" / split, louder)
    metrics = run_controls(monkeypatch, inputs, inputs / "fbank", tmp_path / "one")
    run_controls(monkeypatch, inputs, tmp_path / "louder", tmp_path / "two")
    model = read_model(inputs / "model", CPU)
    for control in ("level", "mean_removed"):
        counts = metrics[control]["test"]
        assert (counts["utterances"], counts["segments"]) == (8, 48)
        for split in SPEAKERS:
            one, two = (
                read_latents(tmp_path / name / "made" / control / f"{split}.safetensors")
                for name in ("one", "two")
            )
            np.testing.assert_allclose(one.z2_mean, two.z2_mean, atol=1e-5)
            heard = infer_latents(model, read_packed(inputs / "fbank" / split), SHIFT)
            assert np.abs(one.z2_mean - heard.z2_mean).max() > 1e-3


def test_another_training_seed_leaves_the_pca_and_what_reads_it_alone(
    monkeypatch, inputs, tmp_path
):
    for seed in (0, 1):
        run_baselines(monkeypatch, inputs, tmp_path / f"seed{seed}", seed=seed)
    first, second = (written(tmp_path / f"seed{seed}" / "made") for seed in (0, 1))
    assert first["pca/pca.safetensors"] == second["pca/pca.safetensors"]
    weights = "untrained/model.safetensors"
    assert first[weights] != second[weights]
