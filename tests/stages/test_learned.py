"""The stages train, latents and controls, whole, on made-up frames of known speakers."""

import shutil

import numpy as np
import pandas as pd
import pytest

from fhvae.errors import ArtifactError
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed
from fhvae.files.sums import SUMS
from fhvae.latents import read_latents
from fhvae.trials import cosine_eer
from stages.controls import main as controls
from stages.latents import main as latents
from stages.train import clean_utterances
from stages.train import main as train
from tests.latent_factory import MELS, write_fake_run
from tests.stages.stage_runner import inside, run_stage, written

SPEAKERS = {"train": 4, "dev": 2, "test": 2}
EACH, SEGMENTS_EACH = 3, 5
SHIFT = 3
Z1, Z2, CELLS = 2, 4, 6
EPOCHS, STEPS = 3, 4
RULES = ("mean", "precision")
SMALL = {
    **{"fbank.mels": MELS, "segments.frames": 5, "segments.shift": SHIFT, "latents.shift": SHIFT},
    **{"model.z1": Z1, "model.z2": Z2, "model.cells": CELLS, "training.batch": 8},
    **{"training.epoch_steps": STEPS, "training.max_epochs": EPOCHS},
}
# 5 segments of 5 frames, each 4 after the last, are 21 frames: 6 segments, each 3 after the last
GRID = 6


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    write_fake_run(folder, SPEAKERS, EACH, segments=SEGMENTS_EACH)
    write_normalizer(folder / "fbank/normalizer.json", Normalizer(np.zeros(MELS), np.ones(MELS)))
    return folder


def run_train(inputs, out, **changes):
    given = inside(inputs, "corpus", "fbank", "domains")
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return run_stage(train, given, out, ("model", "plots"), SMALL | changes)


def run_latents(inputs, model, out, mu2="mean"):
    given = {**inside(inputs, "corpus", "fbank"), **model}
    return run_stage(latents, given, out, ["latents"], SMALL | {"latents.mu2": mu2})


def run_controls(inputs, model, out):
    return run_stage(controls, {**inside(inputs, "fbank"), **model}, out, ["controls"], SMALL)


@pytest.fixture(scope="module")
def trained(frames, tmp_path_factory):
    """What the stage train says and leaves, in a folder that no test changes."""
    out = tmp_path_factory.mktemp("trained") / "out"
    return run_train(frames, out), out


@pytest.fixture
def model(trained):
    return inside(trained[1], "model")


def test_a_training_ends_in_weights_a_curve_and_the_best_epoch(trained):
    metrics, out = trained
    assert (metrics["steps"], metrics["segments"]) == (EPOCHS * STEPS, EPOCHS * STEPS * 8)
    assert metrics["sequences"] == SPEAKERS["train"] * EACH
    curve = pd.read_csv(out / "plots/learning_curve.csv").set_index("epoch")
    assert curve.index.tolist() == [1, 2, 3]
    assert metrics["best_epoch"] == curve["dev_lower_bound"].idxmax()
    assert metrics["dev_lower_bound"] == pytest.approx(curve["dev_lower_bound"].max(), abs=1e-5)
    terms = metrics["dev_log_px"] - metrics["dev_kl_z1"] - metrics["collapse"]["dev_kl_z2"]
    assert metrics["dev_lower_bound"] < terms  # and the density of mu2
    assert set(metrics["dev_eer"]) == {"mu2", "mu1"}
    names = {"model.safetensors", "config.json", "README.md", SUMS}
    assert set(written(out / "model")) == names
    assert not list(out.glob("checkpoints/*/last.pt"))


def test_the_model_knows_its_origin_and_the_mean_of_clean_speech(frames, trained, model, tmp_path):
    config = read_json(trained[1] / "model/config.json")
    origin = config["origin"]
    assert (origin["corpus"], origin["alpha"], origin["seed"]) == ("espeak", 10.0, 0)
    run_latents(frames, model, tmp_path / "out")
    mu2 = read_latents(tmp_path / "out/latents/train.safetensors").mu2
    assert config["clean_mu2"] == pytest.approx(mu2.mean(axis=0).tolist(), abs=1e-6)


def test_clean_utterances_are_those_that_conditions_calls_so(tmp_path):
    assert clean_utterances(tmp_path)("any")
    table = "domain,split,utterance_id\nclean,train,001\nnoise10,train,002\n"
    (tmp_path / "conditions.csv").write_text(table)
    assert [clean_utterances(tmp_path)(name) for name in ("001", "002", "003")] == [
        True,
        False,
        False,
    ]


def test_a_second_training_writes_the_same_bytes_and_another_seed_others(frames, trained, tmp_path):
    run_train(frames, tmp_path / "again")
    run_train(frames, tmp_path / "other", seed=1)
    weights = "model/model.safetensors"
    first, again, other = (written(out) for out in (trained[1], *sorted(tmp_path.iterdir())))
    for name in (weights, "model/config.json", "plots/learning_curve.csv", "train.json"):
        assert again[name] == first[name]
        assert other[name] != first[name]


def test_a_training_on_all_domains_takes_the_copies_as_sequences(frames, tmp_path):
    inputs = shutil.copytree(frames, tmp_path / "run")
    run = {"training__domains": "all", "domains__train": ["noise10"], "training__max_epochs": 1}
    with pytest.raises(ArtifactError, match=r"noise10/train.npy must exist; rerun the stage"):
        run_train(inputs, tmp_path / "out", **run)
    assert set(written(tmp_path / "out")) == {"params.yaml"}
    (inputs / "domains/noise10").mkdir(parents=True)
    for kind in ("npy", "csv"):
        shutil.copy(inputs / f"fbank/train.{kind}", inputs / "domains/noise10")
    found = run_train(inputs, tmp_path / "out", **run)
    assert found["sequences"] == 2 * SPEAKERS["train"] * EACH


def test_latents_lie_on_the_grid_of_every_utterance_and_repeat(frames, model, tmp_path):
    metrics = run_latents(frames, model, tmp_path / "out")
    for split, speakers in SPEAKERS.items():
        found = read_latents(tmp_path / f"out/latents/{split}.safetensors")
        assert found.utterance_ids == read_packed(frames / "fbank" / split).utterance_ids
        assert found.starts.tolist() == speakers * EACH * [SHIFT * place for place in range(GRID)]
        assert found.z1_mean.shape == (speakers * EACH * GRID, Z1)
        assert found.mu2.shape == (speakers * EACH, Z2)
        used = metrics[split].pop("active_z1"), metrics[split].pop("active_z2")
        assert used == tuple(
            (one.var(axis=0) > 0.01).sum() for one in (found.z1_mean, found.z2_mean)
        )
        if split == "dev":
            del metrics[split]["eer_mu2_mean"], metrics[split]["eer_mu2_precision"]
        assert metrics[split] == {"utterances": speakers * EACH, "segments": speakers * EACH * GRID}
    run_latents(frames, model, tmp_path / "again")
    assert written(tmp_path / "out") == written(tmp_path / "again")


def test_dev_may_choose_between_two_rules_for_mu2(frames, model, tmp_path):
    """Both EERs are those of the mu2 that either rule writes, whichever it is that writes."""
    found = {rule: run_latents(frames, model, tmp_path / rule, rule) for rule in RULES}
    assert found["mean"] == found["precision"]
    assert all("eer_mu2_mean" not in found["mean"][split] for split in ("train", "test"))
    written_mu2 = {}
    for rule in RULES:
        dev = read_latents(tmp_path / rule / "latents/dev.safetensors")
        speakers = [name.partition("_")[0] for name in dev.utterance_ids]
        assert found["mean"]["dev"][f"eer_mu2_{rule}"] == pytest.approx(
            cosine_eer(dev.mu2, speakers), abs=1e-6
        )
        written_mu2[rule] = dev.mu2
    assert not np.allclose(*written_mu2.values(), atol=1e-3)


def test_controls_are_not_the_model(frames, model, tmp_path):
    run_latents(frames, model, tmp_path / "own")
    metrics = run_controls(frames, model, tmp_path / "out")
    own = read_latents(tmp_path / "own/latents/test.safetensors")
    for name in ("mean_removed", "level"):
        found = read_latents(tmp_path / f"out/controls/{name}/test.safetensors")
        assert found.utterance_ids == own.utterance_ids
        assert np.abs(found.z1_mean - own.z1_mean).max() > 1e-3
    total = SPEAKERS["test"] * EACH
    for name in ("speech", "pauses"):
        kept = metrics[name]["test"].get("utterances", 0)
        assert metrics[name]["test"]["too_short"] == total - kept
        assert (tmp_path / f"out/controls/{name}/test.safetensors").exists() == (kept > 0)
    assert metrics["mean_removed"]["test"]["too_short"] == 0


@pytest.mark.parametrize("stage", [run_latents, run_controls])
@pytest.mark.parametrize(
    ("spoiled", "message"),
    [("model/model.safetensors", "train"), ("fbank/test.npy", "rerun the stage")],
)
def test_a_missing_input_is_named_and_nothing_is_left(
    frames, trained, tmp_path, stage, spoiled, message
):
    inputs = shutil.copytree(frames, tmp_path / "run")
    shutil.copytree(trained[1] / "model", inputs / "model", ignore=lambda *_: [SUMS])
    (inputs / spoiled).unlink()
    with pytest.raises(ArtifactError, match=rf"{spoiled} must exist.*{message}"):
        stage(inputs, inside(inputs, "model"), tmp_path / "out")
    assert set(written(tmp_path / "out")) == {"params.yaml"}
