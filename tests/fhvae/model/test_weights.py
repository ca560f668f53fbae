"""A model folder: written, read by us, read by anybody, refused when broken."""

import dataclasses
import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fhvae.errors import ArtifactError
from fhvae.files.sums import write_sums
from fhvae.model.card import Origin
from fhvae.model.weights import Calibration, read_model, write_model
from fhvae.params.segments import SegmentsParams
from tests.params_factory import fbank_params

SEGMENTS = SegmentsParams(frames=5, train_shift=2, shift=4)
FBANK = fbank_params()
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path, model):
    normalizer = tmp_path / "normalizer.json"
    normalizer.write_text('{"mean": [0,0,0,0,0,0,0], "std": [1,1,1,1,1,1,1]}')
    write_model(tmp_path / "fhvae", model.state_dict(), model.params, SEGMENTS, FBANK, normalizer)
    return tmp_path / "fhvae"


def test_read_model_computes_what_was_written(folder, model, batch):
    trained = read_model(folder, CPU)
    assert torch.equal(
        trained.network.encode_z2(batch.segments).mean, model.encode_z2(batch.segments).mean
    )
    assert trained.segments == SEGMENTS
    assert trained.fbank == FBANK
    assert trained.network.params == model.params


def test_any_program_can_load_the_folder(folder, model):
    config = json.loads((folder / "config.json").read_text())
    assert config["fbank"]["mels"] == 7
    assert config["model"]["z2"] == 2
    weights = load_file(folder / "model.safetensors")
    assert weights.keys() == model.state_dict().keys()
    assert "mu2" not in " ".join(weights)


def test_equal_weights_equal_bytes(folder, tmp_path, model):
    again = tmp_path / "again"
    write_model(
        again,
        dict(reversed(model.state_dict().items())),
        model.params,
        SEGMENTS,
        FBANK,
        tmp_path / "normalizer.json",
    )
    name = "model.safetensors"
    assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_weights_can_be_read_by_whom_the_umask_lets(folder):
    """safetensors writes files of mode 0600, which nobody else can read."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]
    assert modes["model.safetensors"] & 0o077 == 0o666 & ~current_umask() & 0o077


def current_umask():
    before = os.umask(0o022)
    os.umask(before)
    return before


def test_missing_and_broken_weights_are_told(folder):
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(ArtifactError, match=r"model\.safetensors must be a safetensors file"):
        read_model(folder, CPU)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"model.safetensors must exist; rerun .* train"):
        read_model(folder, CPU)


def test_weights_of_another_size_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    config["model"]["cells"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match=r"must be \[.*\] float32, found \[.*; rerun"):
        read_model(folder, CPU)


@pytest.mark.parametrize(("section", "key"), [("fbank", "store"), ("model", "cell")])
def test_a_model_of_an_older_version_is_told_in_one_sentence(folder, section, key):
    config = json.loads((folder / "config.json").read_text())
    del config[section][key]
    (folder / "config.json").write_text(json.dumps(config))
    missing = rf"config\.json: key {section}\.{key} is missing; "
    with pytest.raises(ArtifactError, match=missing + "rerun the stage train with this version$"):
        read_model(folder, CPU)


def test_a_dense_model_of_another_segment_length_is_refused(tmp_path, dense_model):
    (tmp_path / "normalizer.json").write_text(json.dumps({"mean": [0] * 7, "std": [1] * 7}))
    longer = dataclasses.replace(SEGMENTS, frames=6)
    weights, normalizer = dense_model.state_dict(), tmp_path / "normalizer.json"
    write_model(tmp_path / "fhvae", weights, dense_model.params, longer, FBANK, normalizer)
    with pytest.raises(ArtifactError, match=r"must be \[.*\] float32, found \[.*; rerun"):
        read_model(tmp_path / "fhvae", CPU)


def test_inference_needs_no_gradient(folder):
    assert not any(weight.requires_grad for weight in read_model(folder, CPU).network.parameters())
    assert np.isfinite(sum(float(w.sum()) for w in read_model(folder, CPU).network.parameters()))


def test_what_is_known_of_a_model_comes_back(folder, tmp_path, model):
    clean = np.array([0.1, -0.7])
    origin = Origin(corpus="tones", alpha=2.5, seed=3, licence="CC-BY-4.0")
    arguments = (model.state_dict(), model.params, SEGMENTS, FBANK, tmp_path / "normalizer.json")
    write_model(tmp_path / "full", *arguments, origin, clean, Calibration(scale=7.0, offset=-3.0))
    found = read_model(tmp_path / "full", CPU)
    assert found.origin == origin
    assert found.clean_mu2.tolist() == clean.tolist()
    assert found.calibration == Calibration(scale=7.0, offset=-3.0)
    card = (tmp_path / "full/README.md").read_text()
    assert "license: cc-by-4.0" in card
    assert "| alpha | 2.5 |" in card
    bare = read_model(folder, CPU)
    assert (bare.clean_mu2, bare.calibration, bare.origin) == (None, None, Origin())


def test_a_folder_of_version_0_1_is_read(folder, tmp_path, model, batch):
    old = tmp_path / "old"
    old.mkdir()
    config = json.loads((folder / "config.json").read_text())
    (folder / "model.safetensors").rename(old / "weights.safetensors")
    (old / "normalizer.json").write_text(json.dumps({"mean": [2.0] * 7, "std": [3.0] * 7}))
    sections = {name: config[name] for name in ("fbank", "model", "segments")}
    (old / "model.json").write_text(json.dumps(sections))
    found = read_model(old, CPU)
    assert found.normalizer.std.tolist() == [3.0] * 7
    assert torch.equal(
        found.network.encode_z2(batch.segments).mean, model.encode_z2(batch.segments).mean
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("normalizer", {"mean": [0.0], "std": [1.0]}, "normalizer must hold a mean of at most"),
        (
            "normalizer",
            {"mean": [1e300] * 7, "std": [1.0] * 7},
            r"at most 1000 .* means up to 1e\+300",
        ),
        (
            "normalizer",
            {"mean": [0.0] * 7, "std": [1e-300] * 7},
            "a std above 1e-05 .*stds from 1e-300",
        ),
        ("normalizer", None, "normalizer must hold mean and std"),
        ("clean_mu2", [0.0] * 3, "clean_mu2 must be model.z2=2 finite numbers"),
        ("clean_mu2", [0.0, -1e300], "clean_mu2 must be model.z2=2 finite numbers of float32"),
        ("calibration", {"scale": 1.0}, "calibration.offset is missing"),
    ],
)
def test_a_broken_config_is_told(folder, key, value, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(ArtifactError, match=message):
        read_model(folder, CPU)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("power", 0.001, r"fbank\.power must be a number at least 0\.1, got 0\.001"),
        ("fft_size", 10**9, r"fbank\.fft_size must be a whole number at most 65536"),
    ],
)
def test_frames_that_cannot_be_used_are_refused(folder, key, value, message):
    config = json.loads((folder / "config.json").read_text())
    config["fbank"][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match=message):
        read_model(folder, CPU)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_is_not_as_its_digest_says_is_refused(folder, name):
    write_sums(folder)
    read_model(folder, CPU)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" ")
    with pytest.raises(ArtifactError, match=rf"{name} must be as SHA256SUMS beside it says"):
        read_model(folder, CPU)


def test_files_that_make_no_model_may_change_beside_digests(folder):
    write_sums(folder)
    (folder / "README.md").write_text("our voices")
    (folder / "photo.jpg").touch()
    read_model(folder, CPU)
