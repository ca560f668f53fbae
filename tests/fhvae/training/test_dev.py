"""The table of mu2 in closed form, and the look at dev, each by hand."""

import pytest
import torch

from fhvae.model.gaussian import ACTIVE_VARIANCE
from fhvae.model.network import FHVAE
from fhvae.model.objective import infer_mu2, posteriors, segment_terms
from fhvae.segments import gather
from fhvae.training.dev import evaluate_dev
from fhvae.training.table import closed_form_table, sequence_grid


def test_closed_form_table_by_hand(train_data, setting):
    torch.manual_seed(0)
    network = FHVAE(7, 5, setting().model)
    segments = setting().segments
    table = closed_form_table(network, train_data, segments)
    for row, (offset, length) in enumerate(
        zip(train_data.offsets, train_data.lengths, strict=True)
    ):
        starts = torch.arange(offset, offset + length - 5 + 1, 4)
        means = network.encode_z2(gather(train_data.frames, starts, 5)).mean
        torch.testing.assert_close(table[row], means.sum(dim=0) / (len(starts) + 0.25))


def test_dev_bound_equals_the_terms_averaged_by_hand(dev_data, setting):
    """The port's validation loss was the last training batch's."""
    torch.manual_seed(0)
    network, segments = FHVAE(7, 5, setting().model), setting().segments
    found, _ = evaluate_dev(network, dev_data, segments, noise_seed=3, monitor=None, certain=-5.0)
    starts, sequence = dev_data.on_device(sequence_grid(dev_data, segments))
    batch = gather(dev_data.frames, starts, 5)
    mu2 = infer_mu2(network.encode_z2(batch).mean, sequence, 6, 0.25)
    counts = dev_data.segments_in_sequence(5, 4)
    noise = torch.Generator().manual_seed(3)
    terms = segment_terms(network, batch, mu2[sequence], counts[sequence], noise)
    assert found.lower_bound == pytest.approx(terms.lower_bound.mean().item(), rel=1e-5)
    assert found.log_px == pytest.approx(terms.log_px.mean().item(), rel=1e-5)
    assert found.kl_z1 == pytest.approx(terms.kl_z1.mean().item(), rel=1e-5)
    assert found.kl_z2 == pytest.approx(terms.kl_z2.mean().item(), rel=1e-5)
    assert found.log_pmu2 == pytest.approx(terms.log_pmu2.mean().item(), rel=1e-5)
    assert found.eer_mu2 is None


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_where_the_decoder_is_sure_is_counted_over_all_bands_of_all_frames(
    dev_data, setting, share
):
    torch.manual_seed(0)
    network, segments = FHVAE(7, 5, setting().model), setting().segments
    starts, sequence = dev_data.on_device(sequence_grid(dev_data, segments))
    batch = gather(dev_data.frames, starts, 5)
    mu2 = infer_mu2(network.encode_z2(batch).mean, sequence, 6, 0.25)
    noise, counts = torch.Generator().manual_seed(3), torch.ones(len(starts))
    values = segment_terms(network, batch, mu2[sequence], counts, noise).x.log_variance.flatten()
    limit = values.sort().values[int(share * (len(values) - 1))].item() + 1e-5 * (share == 1)
    found, _ = evaluate_dev(network, dev_data, segments, 3, None, certain=limit)
    assert found.certain_share == pytest.approx((values < limit).double().mean().item())
    assert found.certain_share == pytest.approx(share, abs=0.01)


def test_usage_is_that_of_the_posteriors_given_the_mean_of_z2(dev_data, setting):
    torch.manual_seed(0)
    network, segments = FHVAE(7, 5, setting().model), setting().segments
    found, usage = evaluate_dev(
        network, dev_data, segments, noise_seed=3, monitor=None, certain=-5.0
    )
    starts, sequence = dev_data.on_device(sequence_grid(dev_data, segments))
    own = posteriors(network, gather(dev_data.frames, starts, 5))
    mu2 = infer_mu2(own.z2.mean, sequence, 6, 0.25)
    variances = [one.mean.var(dim=0, correction=0) for one in (own.z1, own.z2)]
    assert found.z1_mean_variance == pytest.approx(variances[0].sum().item(), rel=1e-4)
    assert found.z2_mean_variance == pytest.approx(variances[1].sum().item(), rel=1e-4)
    active = [int((one > ACTIVE_VARIANCE).sum()) for one in variances]
    assert [usage.active_z1, usage.active_z2] == active
    z1, z2 = ((one.mean, one.log_variance.exp()) for one in (own.z1, own.z2))
    kl_z1 = 0.5 * (z1[0].square() + z1[1] - 1 - z1[1].log())
    kl_z2 = 0.5 * (((z2[0] - mu2[sequence]).square() + z2[1]) * 4 - 1 - (4 * z2[1]).log())
    assert usage.kl_z1 == pytest.approx(kl_z1.mean(dim=0).tolist(), rel=1e-4)
    assert usage.kl_z2 == pytest.approx(kl_z2.mean(dim=0).tolist(), rel=1e-4)
    assert usage.mu2_norm == pytest.approx(mu2.square().sum(dim=1).sqrt().mean().item(), rel=1e-4)


def test_dev_bound_is_the_same_at_every_call(dev_data, setting):
    torch.manual_seed(0)
    network = FHVAE(7, 5, setting().model)
    first, second = (
        evaluate_dev(network, dev_data, setting().segments, 3, None, -5.0) for _ in range(2)
    )
    assert first == second


def test_monitor_gets_one_vector_per_utterance(dev_data, setting):
    seen = []

    def monitor(vectors, speakers):
        seen.append((vectors.shape, speakers))
        return 0.25

    torch.manual_seed(0)
    found, _ = evaluate_dev(
        FHVAE(7, 5, setting().model), dev_data, setting().segments, 3, monitor, -5.0
    )
    assert seen == [((6, 2), dev_data.speakers), ((6, 3), dev_data.speakers)]
    assert found.eer_mu2 == found.eer_mu1 == 0.25


def test_each_segment_goes_through_the_z2_encoder_once(dev_data, setting, monkeypatch):
    torch.manual_seed(0)
    network, segments = FHVAE(7, 5, setting().model), setting().segments
    encode, seen = network.encode_z2, []
    monkeypatch.setattr(
        network, "encode_z2", lambda batch: seen.append(batch.shape[1]) or encode(batch)
    )
    monkeypatch.setattr("fhvae.training.table.INFERENCE_BATCH", 4)
    monkeypatch.setattr("fhvae.training.dev.INFERENCE_BATCH", 4)
    evaluate_dev(network, dev_data, segments, noise_seed=3, monitor=None, certain=-5.0)
    assert sum(seen) == len(sequence_grid(dev_data, segments))
    assert max(seen) == 4
