"""Use of the latents: KL against torch, moments of all posteriors, known directions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from fhvae.errors import TrialError
from fhvae.probes.usage import (
    aggregate_kl,
    geometry_table,
    kl_per_dimension,
    measure_usage,
    residual_curve,
    usage_table,
)
from tests.latent_factory import make_latents, make_utterances
from tests.params_factory import model_params

MODEL = model_params(z2=4, z1_std=1.5, mu2_std=2.0)


def test_kl_is_that_of_torch():
    random = np.random.default_rng(1)
    mean, logs, prior = (random.normal(size=(7, 3)) for _ in range(3))
    ours = kl_per_dimension(mean, logs, prior, 0.7)
    pair = (
        Normal(torch.tensor(mean), torch.tensor(np.exp(logs / 2))),
        Normal(torch.tensor(prior), torch.tensor(0.7)),
    )
    np.testing.assert_allclose(ours, kl_divergence(*pair).mean(dim=0).numpy())


def test_posteriors_equal_to_the_prior_have_no_kl():
    assert kl_per_dimension(np.zeros((5, 2)), np.log(np.full((5, 2), 4.0)), 0.0, 2.0).tolist() == [
        0,
        0,
    ]
    assert aggregate_kl(np.zeros((5, 2)), np.full((5, 2), 4.0), 2.0) == pytest.approx(0, abs=1e-12)


def test_the_mixture_is_compared_by_its_moments():
    """Means at +-1 with variance 3 make a mixture of variance 4."""
    mean = np.array([[1.0, 0], [-1, 0]])
    variance = np.array([[3.0, 4], [3, 4]])
    assert aggregate_kl(mean, variance, 2.0) == pytest.approx(0, abs=1e-12)
    random = np.random.default_rng(2)
    mean, variance = random.normal(size=(50, 3)), random.uniform(0.5, 2, size=(50, 3))
    covariance = np.cov(mean.T, bias=True) + np.diag(variance.mean(axis=0))
    ours = MultivariateNormal(torch.tensor(mean.mean(axis=0)), torch.tensor(covariance))
    prior = Independent(Normal(torch.zeros(3).double(), torch.full((3,), 0.7).double()), 1)
    prior = MultivariateNormal(prior.mean, 0.49 * torch.eye(3).double())
    assert aggregate_kl(mean, variance, 0.7) == pytest.approx(float(kl_divergence(ours, prior)))


def test_a_dead_dimension_is_counted_and_has_no_kl():
    latents = make_latents(make_utterances("test", 3, 2))
    mean, logs = latents.z1_mean.copy(), latents.z1_log_variance.copy()
    mean[:, 1], logs[:, 1] = 0, np.log(MODEL.z1_std**2)
    usage = measure_usage(replace(latents, z1_mean=mean, z1_log_variance=logs), MODEL)
    assert usage["z1"].active == 2
    assert usage["z1"].kl[1] == pytest.approx(0, abs=1e-6)
    assert usage["z1"].kl[[0, 2]].min() > 0.1
    assert usage["z1"].metrics()["dimensions"] == 3
    assert usage["z2"].active == usage["mu2"].active == 4


def test_z2_is_measured_about_the_mu2_of_its_utterance():
    latents = make_latents(make_utterances("test", 3, 2), noise=0.1)
    near = measure_usage(latents, MODEL)["z2"]
    away = replace(latents, mu2=latents.mu2 + np.float32(1))
    far = measure_usage(away, MODEL)["z2"]
    # means 1 away from the prior's: 1 / (2 * 0.5^2) nats more in each dimension, beside the
    # noise about mu2, whose mean is 0 in each utterance
    np.testing.assert_allclose(far.kl - near.kl, 2, atol=1e-4)
    np.testing.assert_array_equal(far.variance, near.variance)


def test_mu2_is_surer_the_more_segments_it_rests_on():
    """Its posterior over n values of z2: precision n / z2_std^2 + 1 / mu2_std^2."""
    latents = make_latents(make_utterances("test", 3, 2), segments=6)
    std = (6 / MODEL.z2_std**2 + 1 / MODEL.mu2_std**2) ** -0.5
    mean = torch.tensor(latents.mu2.astype(float))
    expected = kl_divergence(Normal(mean, std), Normal(0.0, MODEL.mu2_std)).mean(dim=0)
    np.testing.assert_allclose(measure_usage(latents, MODEL)["mu2"].kl, expected.numpy())


def test_the_table_has_a_line_per_dimension():
    usage = measure_usage(make_latents(make_utterances("test", 2, 2)), MODEL)
    table = usage_table(usage)
    assert table["latent"].tolist() == ["z1"] * 3 + ["z2"] * 4 + ["mu2"] * 4
    assert table["dimension"].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3]
    assert table["kl"].tolist()[:3] == pytest.approx(usage["z1"].kl.tolist(), abs=1e-6)


def code(phone_directions, speaker_directions, size=6, phones=4, speakers=5):
    """Every phone of every speaker once: a phone part and a speaker part added."""
    random = np.random.default_rng(1)
    by_phone = random.normal(size=(phones, len(phone_directions))) @ np.eye(size)[phone_directions]
    scale = np.diag(np.arange(len(speaker_directions), 0, -1.0))
    by_speaker = random.normal(size=(speakers, len(speaker_directions))) @ scale
    by_speaker = by_speaker @ np.eye(size)[speaker_directions]
    phone, speaker = (part.ravel() for part in np.meshgrid(np.arange(phones), np.arange(speakers)))
    return by_phone[phone] + by_speaker[speaker], phone.astype(str), speaker.astype(str)


def test_directions_apart_leave_all_of_the_phones():
    curve = residual_curve(*code([0, 1], [3, 4, 5]))
    np.testing.assert_allclose(curve.residual, 1)
    assert len(curve.residual) == 1 + 3
    assert curve.kept == pytest.approx(1)
    assert curve.speaker_share.sum() == pytest.approx(1)


def test_one_direction_for_both_leaves_nothing():
    curve = residual_curve(*code([2], [2]))
    np.testing.assert_allclose(curve.residual, [1, 0], atol=1e-12)
    assert curve.kept == pytest.approx(0, abs=1e-12)


def test_the_share_that_goes_is_the_share_along_the_speakers():
    """Phones vary by 9 along axis 0 and 16 along axis 1; speakers along axis 1 only."""
    phone = np.array([[3.0, 4], [-3, -4], [3, -4], [-3, 4]])
    speaker = np.array([[0.0, 1], [0, -1]])
    codes = (phone[:, None] + speaker[None]).reshape(8, 2)
    labels = np.repeat(["a", "b", "c", "d"], 2), np.tile(["x", "y"], 4)
    curve = residual_curve(codes, *labels)
    np.testing.assert_allclose(curve.residual, [1, 9 / 25])
    assert curve.kept == pytest.approx(9 / 25)


def test_directions_go_one_after_the_other_the_widest_of_the_speakers_first():
    """Phones vary by 9, 16 and 11 along the axes; speakers by 4 along axis 1, by 1 along axis 0."""
    signs = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    phone = signs * np.sqrt([9, 16, 11])
    speaker = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0]])
    codes = (phone[:, None] + speaker[None]).reshape(16, 3)
    curve = residual_curve(codes, np.repeat(list("abcd"), 4), np.tile(list("wxyz"), 4))
    np.testing.assert_allclose(curve.residual, [1, 20 / 36, 11 / 36])
    np.testing.assert_allclose(curve.speaker_share, [4 / 5, 1 / 5])
    assert curve.kept == pytest.approx((4 * 20 + 11) / (5 * 36))


def test_a_rotated_code_has_the_same_curve():
    codes, phones, speakers = code([0, 1, 2], [1, 2, 3])
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    plain, turned = (residual_curve(one, phones, speakers) for one in (codes, codes @ turn + 7))
    np.testing.assert_allclose(turned.residual, plain.residual, atol=1e-9)
    assert plain.residual[-1] < plain.residual[0]


def test_one_speaker_has_no_geometry():
    codes, phones, _ = code([0], [1])
    with pytest.raises(TrialError, match="at least 2 phones and 2 speakers, found 1"):
        residual_curve(codes, phones, np.array(["s"] * len(phones)))


def test_the_table_holds_each_curve_from_nothing_removed():
    table = geometry_table({"z1": residual_curve(*code([2], [2]))})
    assert table.to_dict("list") == {
        "code": ["z1", "z1"],
        "removed": [0, 1],
        "residual": [1.0, 0.0],
        "speaker_variance_removed": [0.0, 1.0],
    }
    assert list(geometry_table({})) == list(table)
