"""Probes: the minimum itself, by its gradient, data with a known answer, and a hidden layer."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from fhvae.errors import ParamsError, TrialError
from fhvae.probes.classifiers import (
    MLP,
    Classifier,
    Examples,
    best_classifiers,
    fit_classifier,
    fit_regression,
    linear_classifiers,
    linear_regressions,
    normalizer_of,
)
from tests.probe_factory import PROBES

SETTING = replace(PROBES, mlp_hidden=24, mlp_epochs=150, mlp_patience=20)


def logistic(rows, labels, penalty):
    """Fit one linear classifier."""
    (found,) = linear_classifiers(Examples(rows, labels), [penalty])
    return found


def blobs(classes: int, each: int, inputs: int, spread: float, seed: int):
    random = np.random.default_rng(seed)
    places = 5 * np.eye(classes, inputs)
    labels = np.repeat([f"c{place}" for place in range(classes)], each)
    rows = np.repeat(places, each, axis=0) + spread * random.normal(size=(classes * each, inputs))
    return rows.astype(np.float32) * np.linspace(1, 50, inputs, dtype=np.float32) + 3, labels


def objective_and_gradient(classifier, rows, labels, penalty):
    """Mean cross-entropy + penalty / 2 * squared weights, and its slope, written out afresh."""
    linear = classifier.probe
    x = linear.normalizer.standardize(rows)
    truth = (labels[:, None] == classifier.classes[None, :]).astype(float)
    logits = x @ linear.weights.T + linear.biases
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -(truth * np.log(probabilities)).sum() / len(x)
    loss += penalty / 2 * (linear.weights**2).sum()
    gradient = (probabilities - truth).T @ x / len(x) + penalty * linear.weights
    return loss, gradient, (probabilities - truth).mean(axis=0)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("penalty", [1e-5, 1e-2, 1.0])
def test_the_fit_is_at_the_minimum(classes, penalty):
    """A convex objective: where its gradient is zero there is the minimum."""
    rows, labels = blobs(classes, each=30, inputs=7, spread=3.0, seed=1)
    classifier = logistic(rows, labels, penalty)
    _, weight_slope, bias_slope = objective_and_gradient(classifier, rows, labels, penalty)
    assert np.abs(weight_slope).max() < 2e-5
    assert np.abs(bias_slope).max() < 2e-5


def test_any_step_away_raises_the_objective():
    rows, labels = blobs(3, each=20, inputs=4, spread=3.0, seed=2)
    classifier = logistic(rows, labels, 0.01)
    best, _, _ = objective_and_gradient(classifier, rows, labels, 0.01)
    random = np.random.default_rng(3)
    for _ in range(20):
        step = 0.05 * random.normal(size=classifier.probe.weights.shape)
        linear = replace(classifier.probe, weights=classifier.probe.weights + step)
        moved = replace(classifier, probe=linear)
        assert objective_and_gradient(moved, rows, labels, 0.01)[0] > best


@pytest.mark.parametrize("classes", [2, 4])
def test_separate_classes_are_told_apart_without_error(classes):
    rows, labels = blobs(classes, each=20, inputs=6, spread=0.1, seed=4)
    unseen, expected = blobs(classes, each=9, inputs=6, spread=0.1, seed=5)
    classifier = logistic(rows, labels, 1e-3)
    answers = classifier.answers(unseen)
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1)
    assert (answers.labels == expected).all()


def test_a_large_penalty_leaves_only_how_frequent_a_label_is():
    rows, labels = blobs(2, each=10, inputs=3, spread=1.0, seed=6)
    labels[:4] = "c1"  # 6 of c0, 14 of c1
    classifier = logistic(rows, labels, 1e6).probe
    assert np.abs(classifier.weights).max() < 1e-5
    assert classifier.biases[1] - classifier.biases[0] == pytest.approx(np.log(14 / 6), abs=1e-3)


def test_inputs_are_standardized_by_the_fitting_rows_only():
    rows = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    normalizer = normalizer_of(rows)
    assert normalizer.mean.tolist() == [2, 5]
    assert normalizer.std.tolist() == [1, 1]  # the second never changes
    np.testing.assert_array_equal(normalizer.standardize(np.array([[4.0, 6.0]])), [[2.0, 1.0]])


@pytest.mark.parametrize("constant", [0.1, -1e6, 1e-30, 1e30])
def test_what_rounding_adds_to_equal_numbers_is_no_deviation(constant):
    """The mean of seven 0.1 is not 0.1: by their deviation of 1e-17 other rows lay far away."""
    rows = np.column_stack([np.arange(7.0), np.full(7, constant)])
    assert normalizer_of(rows).std.tolist() == [2, 1]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_small_and_large_inputs_are_told_apart_alike(scale):
    rows, labels = blobs(3, each=20, inputs=4, spread=4.0, seed=7)
    plain, scaled = (logistic(rows.astype(np.float64) * one, labels, 0.01) for one in (1.0, scale))
    np.testing.assert_allclose(scaled.probe.weights, plain.probe.weights, atol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e300])
def test_inputs_that_are_no_numbers_are_refused_by_every_probe(broken):
    rows, labels = blobs(3, each=20, inputs=4, spread=4.0, seed=7)
    wide = rows.astype(np.float64)
    wide[5, 2] = broken
    data, numbers = Examples(wide, labels), Examples(wide, np.arange(60.0))
    for kind in ("linear", MLP):
        with pytest.raises(TrialError, match="must be finite numbers, 1 of 4 are not"):
            fit_classifier(kind, data, data, SETTING, seed=0)
        with pytest.raises(TrialError, match="must be finite numbers, 1 of 4 are not"):
            fit_regression(kind, numbers, numbers, SETTING, seed=0)
    fitted = logistic(rows, labels, 0.01)
    with np.errstate(all="ignore"), pytest.raises(TrialError, match="must give finite numbers"):
        fitted.answers(np.full((1, 4), np.inf))


def test_a_hidden_layer_that_diverged_is_not_taken_for_one_that_learned():
    """Its first weights, drawn at random, would be scored."""
    data = Examples(*blobs(3, each=20, inputs=4, spread=4.0, seed=7))
    wild = replace(SETTING, mlp_learning_rate=1e30)
    with pytest.raises(ParamsError, match=r"mlp_learning_rate must let .* nan .*lower it \(now 1e"):
        fit_classifier(MLP, data, data, wild, seed=0)


def test_the_scale_of_an_input_does_not_matter():
    rows, labels = blobs(3, each=20, inputs=4, spread=4.0, seed=7)
    scale = np.array([1e-4, 1.0, 30.0, 1e5])
    plain = logistic(rows.astype(np.float64), labels, 0.01)
    scaled = logistic(rows * scale, labels, 0.01)
    np.testing.assert_allclose(scaled.probe.weights, plain.probe.weights, atol=1e-6)


def test_one_label_is_refused():
    with pytest.raises(TrialError, match="at least 2 labels to tell apart, found 1"):
        logistic(np.ones((4, 2)), np.array(["a"] * 4), 0.1)


def test_a_fit_that_did_not_converge_is_never_used(monkeypatch):
    monkeypatch.setattr("fhvae.probes.newton.MAX_STEPS", 2)
    rows, labels = blobs(4, each=20, inputs=6, spread=5.0, seed=8)
    with pytest.raises(ParamsError, match=r"must converge in 2 steps .* penalty 1e-05; take it"):
        logistic(rows, labels, 1e-5)


def test_a_path_goes_from_the_strongest_penalty_and_ends_where_single_fits_end():
    rows, labels = blobs(4, each=25, inputs=6, spread=6.0, seed=9)
    path = list(linear_classifiers(Examples(rows, labels), [1e-4, 1e-1, 1e-2]))
    assert [one.probe.chosen for one in path] == [1e-1, 1e-2, 1e-4]
    for one in path:
        penalty = one.probe.chosen
        alone = logistic(rows, labels, penalty)
        # the minimum is one point: a slope below 1e-5 leaves weights within 1e-5 / penalty
        np.testing.assert_allclose(one.probe.weights, alone.probe.weights, atol=2e-5 / penalty)
        ours, theirs = (objective_and_gradient(c, rows, labels, penalty)[0] for c in (one, alone))
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_many_inputs_take_the_shared_preconditioner_to_the_same_minimum(monkeypatch):
    rows, labels = blobs(4, each=25, inputs=6, spread=6.0, seed=10)
    own = logistic(rows, labels, 1e-2)
    monkeypatch.setattr("fhvae.probes.newton.BLOCK_INPUTS", 0)
    shared = logistic(rows, labels, 1e-2)
    np.testing.assert_allclose(shared.probe.weights, own.probe.weights, atol=2e-3)
    _, weight_slope, _ = objective_and_gradient(shared, rows, labels, 1e-2)
    assert np.abs(weight_slope).max() < 2e-5


def test_scikit_learn_finds_the_same_minimum():
    from sklearn.linear_model import LogisticRegression

    rows, labels = blobs(3, each=30, inputs=5, spread=6.0, seed=11)
    ours = logistic(rows, labels, 1e-2)
    theirs = LogisticRegression(C=1 / (1e-2 * len(rows)), tol=1e-8, max_iter=5000)
    inputs = ours.probe.normalizer.standardize(rows)
    theirs.fit(inputs, labels)
    np.testing.assert_allclose(ours.probe.weights, theirs.coef_, atol=2e-3)
    probabilities = ours.answers(rows).probabilities
    np.testing.assert_allclose(probabilities, theirs.predict_proba(inputs), atol=2e-3)


def test_ridge_is_at_the_minimum():
    """The slope of mean squared error / 2 + penalty / 2 * squared weights is zero."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(40, 3)) * np.array([1.0, 20, 0.1]) + 5
    targets = random.normal(size=40)
    path = list(linear_regressions(Examples(rows, targets), [0.01, 1.0]))
    assert [one.chosen for one in path] == [1.0, 0.01]
    for one in path:
        inputs = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        residual = inputs @ one.weights[0] + one.biases[0] - targets
        slope = inputs.T @ residual / 40 + one.chosen * one.weights[0]
        np.testing.assert_allclose(slope, 0, atol=1e-12)
        assert residual.mean() == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(one.outputs(rows)[:, 0], residual + targets)


def test_an_input_that_never_changes_does_no_harm():
    rows = np.column_stack([np.arange(6.0), np.full(6, 4.0)])
    (line,) = linear_regressions(Examples(rows, 2 * np.arange(6.0)), [1e-9])
    np.testing.assert_allclose(line.outputs(rows)[:, 0], 2 * np.arange(6.0), atol=1e-6)


def rings(count, seed):
    """Label points by their distance from 0: half of them lie within."""
    values = np.random.default_rng(seed).normal(size=(count, 2))
    return Examples(values, np.where(np.square(values).sum(axis=1) < 2 * np.log(2), "in", "out"))


def test_a_hidden_layer_tells_what_a_line_cannot():
    fit, choose, unseen = (rings(400, seed) for seed in (1, 2, 3))
    found = fit_classifier(MLP, fit, choose, SETTING, seed=3).by_accuracy.answers(unseen.rows)
    assert (found.labels == unseen.targets).mean() > 0.9
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    line = logistic(fit.rows, fit.targets, 1e-3).answers(unseen.rows)
    assert (line.labels == unseen.targets).mean() < 0.65


def test_equal_seeds_give_equal_probes_whatever_was_drawn_before():
    fit, choose = rings(100, 1), rings(100, 2)
    few = replace(SETTING, mlp_hidden=7, mlp_epochs=5)
    outputs = []
    for seed in (3, 3, 4):
        torch.rand(5)  # the global generator has no part in it
        found = fit_classifier(MLP, fit, choose, few, seed).by_accuracy
        outputs.append(found.probe.outputs(choose.rows))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


def noise(count, seed=5):
    """Label rows by nothing that is in them."""
    random = np.random.default_rng(seed)
    return Examples(random.normal(size=(count, 8)), random.choice(["a", "b"], count))


@pytest.mark.parametrize("change", [{"mlp_learning_rate": 0.01}, {"mlp_batch": 7}])
def test_rate_and_batch_are_those_of_the_params(change):
    data = Examples(*blobs(3, each=20, inputs=4, spread=8.0, seed=3))
    short = replace(SETTING, mlp_epochs=3)
    usual, other = (
        fit_classifier(MLP, data, data, params, seed=0).by_accuracy.probe.outputs(data.rows)
        for params in (short, replace(short, **change))
    )
    assert not np.allclose(usual, other, atol=1e-2)


def test_it_stops_when_the_held_out_rows_get_worse():
    """Labels without meaning are learned by heart, which never helps on other rows."""
    fit, choose = noise(300), noise(300, seed=6)
    patient = replace(SETTING, mlp_hidden=64, mlp_epochs=500, mlp_patience=3)
    assert fit_classifier(MLP, fit, choose, patient, seed=1).by_accuracy.probe.chosen < 50


def test_the_state_kept_is_the_best_on_the_rows_to_choose_on():
    """Many more passes after the best one change nothing."""
    fit, choose = noise(60), noise(60, seed=6)
    patient = replace(SETTING, mlp_epochs=100, mlp_patience=100)
    found = fit_classifier(MLP, fit, choose, patient, seed=1).by_accuracy
    assert found.probe.chosen < 100
    no_more = replace(patient, mlp_epochs=found.probe.chosen)
    again = fit_classifier(MLP, fit, choose, no_more, seed=1).by_accuracy
    np.testing.assert_array_equal(
        again.probe.outputs(choose.rows), found.probe.outputs(choose.rows)
    )


def test_threads_are_given_back_and_labels_to_choose_on_must_be_known():
    before = torch.get_num_threads()
    fit = rings(20, 1)
    unknown = replace(fit, targets=np.array(["new"] * 20))
    with pytest.raises(TrialError, match="label of the fitting rows among those to choose on"):
        fit_classifier(MLP, fit, unknown, SETTING, seed=3)
    fit_classifier(MLP, fit, fit, replace(SETTING, mlp_epochs=1), seed=3)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("turned", "expected"), [(1, 1e-3), (-1, 1e4)])
def test_the_penalty_of_a_regression_is_chosen_on_the_rows_to_choose(turned, expected):
    """Where the line points the other way, the flattest one is the best."""
    rows = np.linspace(-1, 1, 20)[:, None]
    fit, choose = Examples(rows, rows[:, 0]), Examples(rows, turned * rows[:, 0])
    setting = replace(SETTING, penalties=(1e-3, 1.0, 1e4))
    assert fit_regression("linear", fit, choose, setting, seed=0).chosen == expected


def test_the_smoothing_of_the_params_chooses_the_penalty(monkeypatch):
    seen = set()

    def note(answers, labels, smoothing):
        seen.add(smoothing)
        return np.zeros(len(labels))

    monkeypatch.setattr("fhvae.probes.classifiers.surprise_bits", note)
    data = Examples(*blobs(3, each=20, inputs=4, spread=8.0, seed=12))
    fit_classifier("linear", data, data, replace(SETTING, smoothing=0.125), seed=0)
    assert seen == {0.125}


@dataclass(frozen=True)
class Says:
    """A probe that gives the logits it was told; `chosen` is its name."""

    logits: list[list[float]]
    chosen: float

    def outputs(self, rows):
        return np.array(self.logits)


def test_the_probe_that_is_right_most_often_and_the_one_of_least_cross_entropy_are_two():
    """One row of four wrong costs 10 and 5 nats; the calm one is wrong in three, for 0.7 each."""
    names = np.array(["a", "b"])
    calm = Classifier(Says([[0.0, 0.01]] * 4, 1.0), names)
    sure, less_sure = (
        Classifier(Says([[bits, 0], [0, bits], [bits, 0], [0, bits]], bits), names)
        for bits in (10.0, 5.0)
    )
    choose = Examples(np.zeros((4, 1)), np.array(["a", "b", "a", "a"]))
    found = best_classifiers([calm, sure, less_sure], choose, 1e-6)
    assert found.by_accuracy.probe.chosen == 5.0
    assert found.by_cross_entropy.probe.chosen == 1.0


def test_of_equal_probes_the_strongest_penalty_wins():
    rows, labels = blobs(3, each=20, inputs=4, spread=8.0, seed=12)
    data = Examples(rows, labels)
    strong, _ = linear_classifiers(data, [1e-1, 1e-3])
    weak = replace(strong, probe=replace(strong.probe, chosen=1e-3))
    best = best_classifiers([strong, weak], data, 1e-3)
    assert best.by_accuracy.probe.chosen == best.by_cross_entropy.probe.chosen == 1e-1
    flat = Examples(rows, np.zeros(len(rows)))  # every penalty gives the same constant
    setting = replace(SETTING, penalties=(1e-3, 1e-1))
    assert fit_regression("linear", flat, flat, setting, seed=0).chosen == 1e-1
