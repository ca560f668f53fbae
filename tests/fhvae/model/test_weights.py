"""A model folder: written, read by us, read by anybody, refused when broken."""

import dataclasses
import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fhvae.errors import ArtifactError
from fhvae.model.weights import read_model, write_model
from fhvae.params.segments import SegmentsParams
from tests.params_factory import fbank_params

SEGMENTS = SegmentsParams(frames=5, train_shift=2, shift=4)
FBANK = fbank_params()
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path, model):
    normalizer = tmp_path / "normalizer.json"
    normalizer.write_text('{"mean": [0.0], "std": [1.0]}')
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
    config = json.loads((folder / "model.json").read_text())
    assert config["fbank"]["mels"] == 7
    assert config["model"]["z2"] == 2
    weights = load_file(folder / "weights.safetensors")
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
        folder / "normalizer.json",
    )
    name = "weights.safetensors"
    assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_weights_can_be_read_by_whom_the_umask_lets(folder):
    """safetensors writes files of mode 0600, which nobody else can read."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes["weights.safetensors"] == modes["model.json"]
    assert modes["weights.safetensors"] & 0o077 == 0o666 & ~current_umask() & 0o077


def current_umask():
    before = os.umask(0o022)
    os.umask(before)
    return before


def test_missing_and_broken_weights_are_told(folder):
    (folder / "weights.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    with pytest.raises(ArtifactError, match=r"weights.safetensors does not fit model.json"):
        read_model(folder, CPU)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"weights.safetensors must exist; rerun .* train"):
        read_model(folder, CPU)


def test_weights_of_another_size_are_refused(folder):
    config = json.loads((folder / "model.json").read_text())
    config["model"]["cells"] += 1
    (folder / "model.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="does not fit"):
        read_model(folder, CPU)


@pytest.mark.parametrize(("section", "key"), [("fbank", "store"), ("model", "cell")])
def test_a_model_of_an_older_version_is_told_in_one_sentence(folder, section, key):
    config = json.loads((folder / "model.json").read_text())
    del config[section][key]
    (folder / "model.json").write_text(json.dumps(config))
    missing = rf"model\.json: key {section}\.{key} is missing; "
    with pytest.raises(ArtifactError, match=missing + "rerun the stage train with this version$"):
        read_model(folder, CPU)


def test_a_dense_model_of_another_segment_length_is_refused(tmp_path, dense_model):
    (tmp_path / "normalizer.json").write_text("{}")
    longer = dataclasses.replace(SEGMENTS, frames=6)
    weights, normalizer = dense_model.state_dict(), tmp_path / "normalizer.json"
    write_model(tmp_path / "fhvae", weights, dense_model.params, longer, FBANK, normalizer)
    with pytest.raises(ArtifactError, match="does not fit"):
        read_model(tmp_path / "fhvae", CPU)


def test_inference_needs_no_gradient(folder):
    assert not any(weight.requires_grad for weight in read_model(folder, CPU).network.parameters())
    assert np.isfinite(sum(float(w.sum()) for w in read_model(folder, CPU).network.parameters()))
