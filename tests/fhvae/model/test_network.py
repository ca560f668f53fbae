"""Shapes, sizes, and what each network can see."""

import dataclasses
import math

import pytest
import torch

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import FHVAE, dense_layers, with_noise
from tests.params_factory import model_params


def sizes(cell, layers, cells, z):
    return model_params(cell=cell, layers=layers, cells=cells, z1=z, z2=z)


def test_shapes_of_every_latent_and_of_the_frames(model, batch):
    z2 = model.encode_z2(batch.segments)
    z1 = model.encode_z1(batch.segments, z2.mean)
    x = model.decode(z1.mean, z2.mean, frames=5)
    assert z2.mean.shape == z2.log_variance.shape == (11, 2)
    assert z1.mean.shape == z1.log_variance.shape == (11, 3)
    assert x.mean.shape == x.log_variance.shape == (5, 11, 7)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(sizes("lstm", 1, 256, 32), 1_125_664, id="the-paper's"),
        pytest.param(sizes("lstm", 2, 256, 32), 2_734_368, id="second-code"),
        pytest.param(sizes("dense", 2, 128, 16), 886_720, id="second-code-simple"),
        # Of the paper's 1,125,664, four gates have 262,912 each, the heads 74,016.
        pytest.param(sizes("gru", 1, 256, 32), 3 * 262_912 + 74_016, id="gru"),
        pytest.param(sizes("rnn", 1, 256, 32), 262_912 + 74_016, id="rnn"),
    ],
)
def test_parameter_counts_of_the_published_models(params, expected):
    """Segments of 20 frames and 80 mels; the fact sheet derives the first three."""
    weights = FHVAE(80, 20, params).parameters()
    assert sum(weight.numel() for weight in weights if weight.requires_grad) == expected


def test_the_decoders_variance_is_what_it_learned_and_that_of_the_noise(model, batch):
    z2 = model.encode_z2(batch.segments).mean
    z1 = model.encode_z1(batch.segments, z2).mean
    own = model.decode(z1, z2, frames=5)
    model.params = dataclasses.replace(model.params, least_log_variance=-1.3)
    noisy = model.decode(z1, z2, frames=5)
    assert torch.equal(noisy.mean, own.mean)
    wanted = own.log_variance.exp() + math.exp(-1.3)
    torch.testing.assert_close(noisy.log_variance.exp(), wanted)


def test_a_variance_that_was_learned_too_small_can_grow_again():
    """A clamp would have no gradient there."""
    learned = torch.tensor([-14.0, -6.0, 0.0], requires_grad=True)
    found = with_noise(DiagonalGaussian(torch.zeros(3), learned), -6.0)
    found.log_variance.sum().backward()
    expected = torch.exp(learned) / (torch.exp(learned) + math.exp(-6))
    torch.testing.assert_close(learned.grad, expected.detach())
    assert (learned.grad > 0).all()
    assert found.log_variance.min() >= -6


def test_no_value_adds_more_than_the_noise_lets_it():
    """The bound of a segment that is known by heart is finite: half the noise's log-variance."""
    x = with_noise(DiagonalGaussian(torch.zeros(1), torch.tensor([-200.0])), -6.0)
    most = -0.5 * (math.log(2 * math.pi) - 6)
    assert x.log_density(torch.zeros(1)).item() == pytest.approx(most)


def test_dense_layers_start_like_the_authors():
    torch.manual_seed(0)
    first, second = dense_layers(70, sizes("dense", 2, 50, 3))
    for layer, inputs in ((first, 70), (second, 50)):
        limit = math.sqrt(6 / (inputs + 50))
        assert limit * 0.95 < layer.weight.abs().max().item() <= limit
        assert layer.bias.abs().max() == 0


def test_encoders_read_the_last_state_of_every_layer(recurrent_model, batch):
    encoder, params = recurrent_model.z2_encoder, recurrent_model.params
    _, states = getattr(encoder, params.cell)(batch.segments)
    last = states[0] if params.cell == "lstm" else states
    features = torch.cat(list(last), dim=1)
    assert features.shape == (11, 6 * params.layers)
    expected = features @ encoder.head.weight.T
    found = recurrent_model.encode_z2(batch.segments)
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
    z1, z2 = torch.randn(11, 3), torch.randn(11, 2)
    decoded = model.decode(z1[3:4], z2[3:4], frames=5).mean
    torch.testing.assert_close(model.decode(z1, z2, frames=5).mean[:, 3:4], decoded)


def test_decoder_is_fed_the_same_vector_at_every_frame(recurrent_model):
    """A longer segment starts with the same frames: nothing but the state moves."""
    z1, z2 = torch.randn(11, 3), torch.randn(11, 2)
    long = recurrent_model.decode(z1, z2, frames=9).mean
    torch.testing.assert_close(long[:5], recurrent_model.decode(z1, z2, frames=5).mean)


def test_dense_networks_refuse_segments_of_another_length(dense_model):
    """Seven frames of five mels have as many numbers as five of seven."""
    z1, z2 = torch.zeros(11, 3), torch.zeros(11, 2)
    longer = torch.zeros(6, 11, 7)
    turned = torch.zeros(7, 11, 5)
    with pytest.raises(ValueError, match="read segments of 5 frames, got 6"):
        dense_model.encode_z2(longer)
    with pytest.raises(ValueError, match="read segments of 5 frames, got 7"):
        dense_model.encode_z1(turned, z2)
    with pytest.raises(ValueError, match="generate segments of 5 frames, asked for 6"):
        dense_model.decode(z1, z2, frames=6)
