"""Regression in closed form, and the hidden-layer probe: what a line cannot tell."""

import numpy as np
import pytest
import torch

from fhvae.errors import TrialError
from fhvae.probes.logistic import fit_classifier
from fhvae.probes.mlp import MlpSetting, fit_mlp_classifier
from fhvae.probes.ridge import fit_regressions

SETTING = MlpSetting(hidden=24, epochs=150, patience=20, seed=3)


def test_ridge_is_at_the_minimum():
    """The slope of mean squared error / 2 + penalty / 2 * squared weights is zero."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(40, 3)) * np.array([1.0, 20, 0.1]) + 5
    targets = random.normal(size=40)
    path = list(fit_regressions(rows, targets, [0.01, 1.0]))
    assert [one.penalty for one in path] == [1.0, 0.01]
    for one in path:
        inputs = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        residual = inputs @ one.weights + one.offset - targets
        np.testing.assert_allclose(
            inputs.T @ residual / 40 + one.penalty * one.weights, 0, atol=1e-12
        )
        assert residual.mean() == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(one.predict(rows), residual + targets)


def test_an_input_that_never_changes_does_no_harm():
    rows = np.column_stack([np.arange(6.0), np.full(6, 4.0)])
    (line,) = fit_regressions(rows, 2 * np.arange(6.0), [1e-9])
    np.testing.assert_allclose(line.predict(rows), 2 * np.arange(6.0), atol=1e-6)


def rings(count, seed):
    """Label points by their distance from 0: half of them lie within."""
    values = np.random.default_rng(seed).normal(size=(count, 2))
    return values, np.where(np.square(values).sum(axis=1) < 2 * np.log(2), "in", "out")


def test_a_hidden_layer_tells_what_a_line_cannot():
    (rows, labels), held, (unseen, truth) = (rings(400, seed) for seed in (1, 2, 3))
    mlp = fit_mlp_classifier((rows, labels), held, SETTING)
    classes = np.unique(labels)
    assert (classes[mlp.probabilities(unseen).argmax(axis=1)] == truth).mean() > 0.9
    line = fit_classifier(rows, labels, 1e-3)
    assert (classes[line.probabilities(unseen).argmax(axis=1)] == truth).mean() < 0.65
    np.testing.assert_allclose(mlp.probabilities(unseen).sum(axis=1), 1)


def test_equal_seeds_give_equal_probes_whatever_was_drawn_before():
    data, held = rings(100, 1), rings(100, 2)
    outputs = []
    for seed in (3, 3, 4):
        torch.rand(5)  # the global generator has no part in it
        setting = MlpSetting(hidden=7, epochs=5, patience=5, seed=seed)
        outputs.append(fit_mlp_classifier(data, held, setting).outputs(held[0]))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


def test_it_stops_when_the_held_out_rows_get_worse():
    """Labels without meaning are learnt by heart, which never helps on other rows."""
    random = np.random.default_rng(5)
    data, held = ((random.normal(size=(300, 8)), random.choice(["a", "b"], 300)) for _ in range(2))
    mlp = fit_mlp_classifier(data, held, MlpSetting(hidden=64, epochs=500, patience=3, seed=1))
    assert mlp.epochs < 50


def test_threads_are_given_back_and_labels_to_choose_on_must_be_known():
    before = torch.get_num_threads()
    data = rings(20, 1)
    with pytest.raises(TrialError, match="label of the fitting rows among those to choose on"):
        fit_mlp_classifier(data, (data[0], np.array(["new"] * 20)), SETTING)
    fit_mlp_classifier(data, data, MlpSetting(4, 1, 1, 1))
    assert torch.get_num_threads() == before
