"""Shapes, initial values, and what each network can see."""

import math

import torch

from fhvae.model.network import FHVAE, Recurrent
from fhvae.params import ModelParams


def test_shapes_of_every_latent_and_of_the_frames(model, batch):
    z2 = model.encode_z2(batch.segments)
    z1 = model.encode_z1(batch.segments, z2.mean)
    x = model.decode(z1.mean, z2.mean, frames=5)
    assert z2.mean.shape == z2.log_variance.shape == (11, 2)
    assert z1.mean.shape == z1.log_variance.shape == (11, 3)
    assert x.mean.shape == x.log_variance.shape == (5, 11, 7)


def test_parameter_count_of_the_papers_model():
    """The fact sheet derives 1,125,664 weights for one layer of 256, 80 mels, 32 + 32."""
    params = ModelParams(layers=1, cells=256, z1=32, z2=32, z1_std=1, z2_std=0.5, mu2_std=1)
    weights = FHVAE(80, params).parameters()
    assert sum(weight.numel() for weight in weights if weight.requires_grad) == 1_125_664


def test_parameter_count_of_the_second_codes_model():
    """Two layers with both last states read: 2,734,368 weights."""
    params = ModelParams(layers=2, cells=256, z1=32, z2=32, z1_std=1, z2_std=0.5, mu2_std=1)
    weights = FHVAE(80, params).parameters()
    assert sum(weight.numel() for weight in weights if weight.requires_grad) == 2_734_368


def test_lstm_starts_like_the_authors():
    torch.manual_seed(0)
    lstm = Recurrent(30, 50)
    limit = math.sqrt(6 / (30 + 50 + 4 * 50))
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0):
        assert limit * 0.95 < weight.abs().max().item() <= limit
    bias = lstm.bias_ih_l0.view(4, 50)
    assert torch.equal(bias[1], torch.ones(50))
    assert bias[[0, 2, 3]].abs().max() == 0
    assert not lstm.bias_hh_l0.requires_grad
    assert lstm.bias_hh_l0.abs().max() == 0


def test_encoders_read_the_last_state_of_every_layer(model, batch):
    _, (last, _) = model.z2_encoder.lstm(batch.segments)
    features = torch.cat(list(last), dim=1)
    assert features.shape == (11, 6 * model.params.layers)
    expected = features @ model.z2_encoder.head.weight.T
    found = model.encode_z2(batch.segments)
    torch.testing.assert_close(torch.cat([found.mean, found.log_variance], dim=1), expected)


def test_z1_depends_on_z2_and_on_every_frame(model, batch):
    z2 = torch.zeros(11, 2)
    before = model.encode_z1(batch.segments, z2).mean
    assert not torch.allclose(before, model.encode_z1(batch.segments, z2 + 1).mean)
    for frame in range(5):
        moved = batch.segments.clone()
        moved[frame] += 1
        assert not torch.allclose(before, model.encode_z1(moved, z2).mean)


def test_segments_of_a_batch_do_not_see_each_other(model, batch):
    alone = model.encode_z2(batch.segments[:, 3:4]).mean
    torch.testing.assert_close(model.encode_z2(batch.segments).mean[3:4], alone)


def test_decoder_is_fed_the_same_vector_at_every_frame(model, batch):
    """A longer segment starts with the same frames: nothing but the state moves."""
    z1, z2 = torch.randn(11, 3), torch.randn(11, 2)
    long = model.decode(z1, z2, frames=9).mean
    torch.testing.assert_close(long[:5], model.decode(z1, z2, frames=5).mean)
