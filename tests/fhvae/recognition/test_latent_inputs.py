"""Latents as rows: as many as frames have, z1 of the right segment, mu2 in every row."""

import numpy as np
import pytest
import torch

from fhvae.files.atomic import write_json
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.model.network import new_network
from fhvae.model.objective import posteriors
from fhvae.model.weights import read_model, write_model
from fhvae.params.segments import SegmentsParams
from fhvae.recognition import latent_inputs
from fhvae.recognition.latent_inputs import (
    Models,
    infer_file,
    latent_rows,
    make_latent_inputs,
    needed_files,
)
from fhvae.recognition.matrix import Domains, FramePaths, make_matrix
from tests.latent_factory import make_utterances
from tests.params_factory import fbank_params, model_params

MELS, WINDOW, Z1, Z2 = 7, 5, 3, 4


@pytest.fixture(params=["lstm", "gru", "dense"])
def models(request, tmp_path):
    sizes, fbank = model_params(cell=request.param, z1=Z1, z2=Z2), fbank_params(mels=MELS)
    segments = SegmentsParams(frames=WINDOW, train_shift=2, shift=WINDOW)
    write_json(tmp_path / "normalizer.json", {"mean": [0.0] * MELS, "std": [1.0] * MELS})
    for seed, name in enumerate(("fhvae", "untrained")):
        weights = new_network(MELS, WINDOW, sizes, seed).state_dict()
        folder = tmp_path / name
        write_model(folder, weights, sizes, segments, fbank, tmp_path / "normalizer.json")
    return Models(tmp_path / "fhvae", tmp_path / "untrained")


def frames(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, MELS)).astype(np.float32)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_row_holds_z1_of_the_segment_centered_on_it(models, shift):
    trained, own = read_model(models.trained, torch.device("cpu")), frames(11)
    (rows,) = latent_rows(trained, [("", own)], shift)
    assert rows.shape == (-(-11 // shift), Z1 + Z2)
    center = 6 if shift != 1 else 5
    around = torch.from_numpy(own[center - 2 : center + 3])[:, None]
    found = posteriors(trained.network, around)
    assert rows[center // shift, :Z1] == pytest.approx(found.z1.mean[0].numpy(), abs=1e-5)


def test_mu2_is_the_shrunken_mean_of_z2_in_every_row(models):
    trained, own = read_model(models.trained, torch.device("cpu")), frames(9)
    (rows,) = latent_rows(trained, [("", own)], shift=2)
    places = np.clip(np.arange(0, 9, 2)[:, None] + np.arange(-2, 3), 0, 8)
    found = posteriors(trained.network, torch.from_numpy(own[places].transpose(1, 0, 2)))
    mu2 = found.z2.mean.numpy().sum(axis=0) / (5 + 0.25)
    assert rows[:, Z1:] == pytest.approx(np.tile(mu2, (5, 1)), abs=1e-5)


@pytest.mark.gpu
def test_a_gpu_gives_the_rows_that_workers_give(models, cuda, tmp_path, monkeypatch):
    with PackedWriter(tmp_path / "test", "float32", (MELS,)) as writer:
        for number in range(35):
            writer.append(f"{number:02d}", frames(6 + number % 3, seed=number))
    found = {}
    for device in (torch.device("cpu"), cuda):
        monkeypatch.setattr(latent_inputs, "choose_device", lambda device=device: device)
        found[device.type] = list(infer_file(models.trained, tmp_path / "test", 2, "rows"))
    for rows, expected in zip(found["cuda"], found["cpu"], strict=True):
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-5)


def matrix():
    labelled = {
        split: make_utterances(split, speakers=2, each=1) for split in ("train", "dev", "test")
    }
    return make_matrix(labelled, Domains(("noise10",), ("room",)), [], seed=0)


def test_only_what_a_recognizer_reads_is_inferred():
    clean = [("clean", "train"), ("clean", "dev")]
    tested = [("clean", "test"), ("room", "test")]
    noisy = [("noise10", "train"), ("noise10", "dev")]
    assert needed_files(matrix(), with_toplines=False) == clean + tested
    assert needed_files(matrix(), with_toplines=True) == clean + noisy + tested


def test_inputs_read_the_rows_of_their_model(models, budget, tmp_path):
    paths = FramePaths(tmp_path / "fbank", tmp_path / "train", tmp_path / "test")
    for domain, split in needed_files(matrix(), with_toplines=False):
        with PackedWriter(paths.stem(domain, split), "float32", (MELS,)) as writer:
            for number in range(35):  # more than one chunk
                writer.append(f"{split}{number:02d}", frames(6 + number % 3, seed=number))
    names = {"latent_inputs": ("z1", "z1mu2", "untrained"), "topline_inputs": ("fbank",)}
    params = budget.__class__(**{**vars(budget), **names})
    inputs = make_latent_inputs(models, paths, tmp_path / "scratch", matrix(), params)
    found = {one.name: one.open("room", "test").rows("test34") for one in inputs}
    assert {name: rows.shape for name, rows in found.items()} == {
        "z1": (7, Z1),
        "z1mu2": (7, Z1 + Z2),
        "untrained": (7, Z1),
    }
    assert np.array_equal(found["z1"], found["z1mu2"][:, :Z1])
    assert not np.allclose(found["z1"], found["untrained"])
    stored = read_packed(tmp_path / "scratch" / "fhvae" / "clean" / "train")
    assert stored.utterance_ids == tuple(f"train{number:02d}" for number in range(35))
