"""The bound and the discriminative term: the traps of the ports, and an independent check."""

import dataclasses

import numpy as np
import pytest
import torch

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.objective import infer_mu2, log_q_sequence, loss_of, posteriors, segment_terms
from tests.fhvae.model.numpy_networks import decode, encode


def terms_of(model, batch, seed=5):
    return segment_terms(
        model,
        batch.segments,
        batch.table[batch.sequence],
        batch.counts[batch.sequence],
        torch.Generator().manual_seed(seed),
    )


def loss(model, batch, table, alpha=10.0):
    terms = segment_terms(
        model,
        batch.segments,
        table[batch.sequence],
        batch.counts[batch.sequence],
        torch.Generator().manual_seed(5),
    )
    log_q = log_q_sequence(terms.z2.mean, table, batch.sequence, model.params.z2_std)
    return loss_of(terms.lower_bound, log_q, alpha)


def test_alpha_weighs_log_q_and_without_it_nothing_of_log_q_is_left():
    bound, log_q = torch.tensor([-5.0, -7.0, -9.0]), torch.tensor([-1.0, -2.0, -6.0])
    assert loss_of(bound, log_q, 0.5) == 7.0 + 0.5 * 3.0
    assert loss_of(bound, torch.full((3,), torch.nan), 0.0) == 7.0


def gaussian_kl(mean, log_variance, prior_mean, prior_variance):
    variance = np.exp(log_variance)
    return 0.5 * (
        np.log(prior_variance)
        - log_variance
        + (variance + (mean - prior_mean) ** 2) / prior_variance
        - 1
    )


def test_bound_and_discriminative_term_equal_a_numpy_recomputation(model, batch):
    """Independent of the code under test: float64 NumPy, frame by frame, row by row."""
    double = model.double()
    exact = dataclasses.replace(
        batch,
        segments=batch.segments.double(),
        table=batch.table.double(),
        counts=batch.counts.double(),
    )
    terms = terms_of(double, exact)
    log_q = log_q_sequence(terms.z2.mean, exact.table, exact.sequence, model.params.z2_std)

    draw = torch.Generator().manual_seed(5)
    noise_z2 = torch.randn(11, 2, generator=draw, dtype=torch.float64).numpy()
    noise_z1 = torch.randn(11, 3, generator=draw, dtype=torch.float64).numpy()
    x, table, sequence = exact.segments.numpy(), exact.table.numpy(), exact.sequence.numpy()
    params = model.params

    cell, nothing = params.cell, np.empty((11, 0))
    z2_mean, z2_log_variance = encode(cell, model.z2_encoder, x, nothing)
    z2 = z2_mean + np.exp(0.5 * z2_log_variance) * noise_z2
    z1_mean, z1_log_variance = encode(cell, model.z1_encoder, x, z2)
    z1 = z1_mean + np.exp(0.5 * z1_log_variance) * noise_z1
    latent = np.concatenate([z1, z2], axis=1)
    x_mean, x_log_variance = decode(cell, model.decoder, latent, len(x))

    log_px = -0.5 * (
        np.log(2 * np.pi) + x_log_variance + (x - x_mean) ** 2 / np.exp(x_log_variance)
    )
    mu2 = table[sequence]
    log_pmu2 = -0.5 * (np.log(2 * np.pi * params.mu2_std**2) + mu2**2 / params.mu2_std**2)
    bound = (
        log_px.sum(axis=(0, 2))
        - gaussian_kl(z1_mean, z1_log_variance, 0, params.z1_std**2).sum(axis=1)
        - gaussian_kl(z2_mean, z2_log_variance, mu2, params.z2_std**2).sum(axis=1)
        + log_pmu2.sum(axis=1) / exact.counts.numpy()[sequence]
    )
    guesses = np.empty(len(sequence))
    for row, right in enumerate(sequence):
        logits = [-((z2_mean[row] - other) ** 2).sum() / (2 * 0.25) for other in table]
        guesses[row] = logits[right] - np.log(np.sum(np.exp(logits)))

    np.testing.assert_allclose(terms.lower_bound.detach().numpy(), bound, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_q.detach().numpy(), guesses, rtol=1e-9, atol=1e-9)
    single = terms_of(model.float(), batch)  # the precision that is trained in
    np.testing.assert_allclose(single.z2.mean.detach().numpy(), z2_mean, rtol=1e-4, atol=1e-6)


def test_every_parameter_learns(model, batch):
    """A port detached the decoder's output, and nothing complained."""
    table = batch.table.clone().requires_grad_()
    loss(model, batch, table).backward()
    weights = dict(model.named_parameters()) | {"table": table}
    silent = [
        name
        for name, weight in weights.items()
        if weight.requires_grad and (weight.grad is None or not weight.grad.any())
    ]
    assert silent == []


def test_table_changes_after_one_step(model, batch):
    """A port drew a new random table at each call."""
    table = torch.nn.Parameter(batch.table.clone())
    optimizer = torch.optim.Adam([table], lr=0.01)
    loss(model, batch, table).backward()
    optimizer.step()
    assert (table - batch.table).abs().min() > 0


def test_better_guess_of_the_utterance_lowers_the_loss(model, batch):
    """A port had the sign of the discriminative term wrong."""
    z2 = model.encode_z2(batch.segments).mean.detach()
    near, far = batch.table.clone(), batch.table.clone()
    for row in range(len(near)):
        mine = z2[batch.sequence == row].mean(dim=0)
        near[row], far[row] = mine, -10 * (row + 1) - mine
    good = log_q_sequence(z2, near, batch.sequence, 0.5).mean()
    bad = log_q_sequence(z2, near, (batch.sequence + 1) % 4, 0.5).mean()
    assert good > bad
    gain = loss(model, batch, near, alpha=0.0) - loss(model, batch, near, alpha=1.0)
    assert gain.item() == pytest.approx(good.item(), abs=1e-4)


def test_log_q_uses_the_mean_and_never_reaches_z1_or_the_decoder(model, batch):
    terms = terms_of(model, batch)
    log_q_sequence(terms.z2.mean, batch.table, batch.sequence, 0.5).sum().backward()
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert reached
    assert all(name.startswith("z2_encoder") for name in reached)
    other_noise = terms_of(model, batch, seed=6)
    assert torch.equal(terms.z2.mean, other_noise.z2.mean)


def test_log_q_of_equal_rows_is_chance():
    z2 = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    log_q = log_q_sequence(z2, torch.ones(5, 2), torch.arange(9) % 5, 0.5)
    torch.testing.assert_close(log_q, torch.full((9,), -np.log(5)).float())


@pytest.mark.parametrize("norm", [1.0, 6.0])
def test_one_product_equals_the_broadcast_difference(norm):
    """Float32, with means and rows as long as training makes them (32 dimensions)."""
    draw = torch.Generator().manual_seed(2)
    z2, table = torch.randn(13, 32, generator=draw), torch.randn(17, 32, generator=draw)
    z2, table = (norm * value / value.norm(dim=1, keepdim=True) for value in (z2, table))
    sequence = torch.arange(13)
    difference = z2.double()[:, None] - table.double()[None]
    logits = -difference.square().sum(dim=2) / (2 * 0.25)
    expected = logits.log_softmax(dim=1)[torch.arange(13), sequence]
    found = log_q_sequence(z2, table, sequence, 0.5)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_z1_encoder_sees_the_sample_in_the_bound_and_the_mean_at_inference(model, batch):
    found = posteriors(model, batch.segments)
    again = model.encode_z1(batch.segments, found.z2.mean)
    assert torch.equal(found.z1.mean, again.mean)
    first, second = terms_of(model, batch, seed=1), terms_of(model, batch, seed=2)
    assert not torch.allclose(first.kl_z1, second.kl_z1)
    assert torch.equal(first.kl_z2, second.kl_z2)


def test_prior_of_mu2_is_shared_by_the_segments_of_the_sequence(model, batch):
    terms = terms_of(model, batch)
    rest = terms.log_px - terms.kl_z1 - terms.kl_z2
    shared = terms.log_pmu2 / batch.counts[batch.sequence]
    torch.testing.assert_close(terms.lower_bound, rest + shared)
    expected = torch.distributions.Normal(0.0, model.params.mu2_std)
    rows = expected.log_prob(batch.table[batch.sequence]).sum(dim=1)
    torch.testing.assert_close(terms.log_pmu2, rows)


def test_inferred_mu2_is_where_the_gradient_of_the_sequence_bound_vanishes():
    """Maximizes sum log N(z2; mu2, z2_std^2) + log N(mu2; 0, mu2_std^2)."""
    z2_std, mu2_std = 0.5, 0.8
    z2 = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shrinkage = (z2_std / mu2_std) ** 2
    mu2 = infer_mu2(z2, torch.zeros(6, dtype=torch.int64), 1, shrinkage)[0].requires_grad_()
    prior = DiagonalGaussian(mu2, torch.tensor(2 * np.log(z2_std)))
    hyper = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), mu2_std)
    (prior.log_density(z2).sum() + hyper.log_prob(mu2).sum()).backward()
    torch.testing.assert_close(mu2.grad, torch.zeros(3, dtype=torch.float64))


def test_inferred_mu2_by_hand():
    z2 = torch.tensor([[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]])
    found = infer_mu2(z2, torch.tensor([0, 0, 1]), 2, shrinkage=0.25)
    expected = torch.tensor([[4 / 2.25, 6 / 2.25], [10 / 1.25, 20 / 1.25]])
    torch.testing.assert_close(found, expected)


def test_a_sequence_without_segments_has_no_mu2():
    with pytest.raises(ValueError, match="without segments"):
        infer_mu2(torch.ones(2, 3), torch.tensor([0, 0]), 2, 0.25)


def test_gradient_agrees_with_a_finite_difference(model, batch):
    double = model.double()
    exact = dataclasses.replace(
        batch,
        segments=batch.segments.double(),
        table=batch.table.double(),
        counts=batch.counts.double(),
    )
    loss(double, exact, exact.table).backward()
    step = 1e-6
    first = (
        "dense.0.weight" if model.params.cell == "dense" else f"{model.params.cell}.weight_ih_l0"
    )
    for name in ("z2_encoder.head.weight", f"z1_encoder.{first}", "decoder.head.bias"):
        weight = double.get_parameter(name)
        flat, gradient = weight.data.view(-1), weight.grad.view(-1)
        place = int(gradient.abs().argmax())
        kept = flat[place].item()
        flat[place] = kept + step
        above = loss(double, exact, exact.table).item()
        flat[place] = kept - step
        below = loss(double, exact, exact.table).item()
        flat[place] = kept
        assert gradient[place].item() == pytest.approx((above - below) / (2 * step), rel=1e-5)
