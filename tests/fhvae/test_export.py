"""ONNX files give what PyTorch gives, for any number of segments."""

import numpy as np
import pytest
import torch

from fhvae.errors import ArtifactError
from fhvae.export import export_onnx
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.segments import SegmentsParams
from tests.params_factory import MELS, fbank_params, model_params

FRAMES = 5


def make_trained(cell):
    torch.manual_seed(0)
    params = model_params(cell=cell, layers=2, least_log_variance=-6.0)
    network = FHVAE(MELS, FRAMES, params).eval().requires_grad_(False)
    return TrainedModel(
        network, SegmentsParams(frames=FRAMES, train_shift=2, shift=4), fbank_params()
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "dense"])
def test_onnx_computes_what_pytorch_computes(cell, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    trained = make_trained(cell)
    export_onnx(trained, tmp_path)
    draw = np.random.default_rng(0)
    for count in (1, 11):
        segments = draw.normal(size=(count, FRAMES, MELS)).astype(np.float32)
        encoder = runtime.InferenceSession(tmp_path / "encoder.onnx")
        latents = encoder.run(None, {"segments": segments})
        found = posteriors(trained.network, torch.from_numpy(segments).transpose(0, 1))
        wanted = (found.z1.mean, found.z1.log_variance, found.z2.mean, found.z2.log_variance)
        for ours, theirs in zip(wanted, latents, strict=True):
            assert np.abs(ours.numpy() - theirs).max() < 1e-5
        decoder = runtime.InferenceSession(tmp_path / "decoder.onnx")
        mean, log_variance = decoder.run(None, {"z1": latents[0], "z2": latents[2]})
        x = trained.network.decode(found.z1.mean, found.z2.mean, FRAMES)
        assert np.abs(x.mean.transpose(0, 1).numpy() - mean).max() < 1e-5
        assert np.abs(x.log_variance.transpose(0, 1).numpy() - log_variance).max() < 1e-5


def test_a_missing_package_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ArtifactError, match=r"onnx must be installed.*fhvae\[onnx\]"):
        export_onnx(make_trained("lstm"), tmp_path)
    assert list(tmp_path.iterdir()) == []
