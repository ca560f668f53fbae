"""Logistic regression: the minimum itself, by its gradient, and data with a known answer."""

import numpy as np
import pytest

from fhvae.errors import ParamsError, TrialError
from fhvae.probes.logistic import fit_classifier, fit_classifiers, standardize_by


def blobs(classes: int, each: int, inputs: int, spread: float, seed: int):
    random = np.random.default_rng(seed)
    places = 5 * np.eye(classes, inputs)
    labels = np.repeat([f"c{place}" for place in range(classes)], each)
    rows = np.repeat(places, each, axis=0) + spread * random.normal(size=(classes * each, inputs))
    return rows.astype(np.float32) * np.linspace(1, 50, inputs, dtype=np.float32) + 3, labels


def objective_and_gradient(classifier, rows, labels, penalty):
    """Mean cross-entropy + penalty / 2 * squared weights, and its slope, written out afresh."""
    x = classifier.standardizer(rows)
    truth = (labels[:, None] == classifier.classes[None, :]).astype(float)
    logits = x @ classifier.weights.T + classifier.biases
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -(truth * np.log(probabilities)).sum() / len(x)
    loss += penalty / 2 * (classifier.weights**2).sum()
    gradient = (probabilities - truth).T @ x / len(x) + penalty * classifier.weights
    return loss, gradient, (probabilities - truth).mean(axis=0)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("penalty", [1e-5, 1e-2, 1.0])
def test_the_fit_is_at_the_minimum(classes, penalty):
    """A convex objective: where its gradient is zero there is the minimum."""
    rows, labels = blobs(classes, each=30, inputs=7, spread=3.0, seed=1)
    classifier = fit_classifier(rows, labels, penalty)
    _, weight_slope, bias_slope = objective_and_gradient(classifier, rows, labels, penalty)
    assert np.abs(weight_slope).max() < 2e-5
    assert np.abs(bias_slope).max() < 2e-5


def test_any_step_away_raises_the_objective():
    rows, labels = blobs(3, each=20, inputs=4, spread=3.0, seed=2)
    classifier = fit_classifier(rows, labels, 0.01)
    best, _, _ = objective_and_gradient(classifier, rows, labels, 0.01)
    random = np.random.default_rng(3)
    for _ in range(20):
        step = 0.05 * random.normal(size=classifier.weights.shape)
        moved = type(classifier)(
            classifier.standardizer,
            classifier.classes,
            classifier.weights + step,
            classifier.biases,
            classifier.penalty,
        )
        assert objective_and_gradient(moved, rows, labels, 0.01)[0] > best


@pytest.mark.parametrize("classes", [2, 4])
def test_separate_classes_are_told_apart_without_error(classes):
    rows, labels = blobs(classes, each=20, inputs=6, spread=0.1, seed=4)
    unseen, expected = blobs(classes, each=9, inputs=6, spread=0.1, seed=5)
    classifier = fit_classifier(rows, labels, 1e-3)
    probabilities = classifier.probabilities(unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (classifier.classes[probabilities.argmax(axis=1)] == expected).all()


def test_a_large_penalty_leaves_only_how_frequent_a_label_is():
    rows, labels = blobs(2, each=10, inputs=3, spread=1.0, seed=6)
    labels[:4] = "c1"  # 6 of c0, 14 of c1
    classifier = fit_classifier(rows, labels, 1e6)
    assert np.abs(classifier.weights).max() < 1e-5
    assert classifier.biases[1] - classifier.biases[0] == pytest.approx(np.log(14 / 6), abs=1e-3)


def test_inputs_are_standardized_by_the_fitting_rows_only():
    rows = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    standardizer = standardize_by(rows)
    assert standardizer.mean.tolist() == [2, 5]
    assert standardizer.std.tolist() == [1, 1]  # the second never changes
    np.testing.assert_array_equal(standardizer(np.array([[4.0, 6.0]])), [[2.0, 1.0]])


def test_the_scale_of_an_input_does_not_matter():
    rows, labels = blobs(3, each=20, inputs=4, spread=4.0, seed=7)
    scale = np.array([1e-4, 1.0, 30.0, 1e5])
    plain = fit_classifier(rows.astype(np.float64), labels, 0.01)
    scaled = fit_classifier(rows * scale, labels, 0.01)
    np.testing.assert_allclose(scaled.weights, plain.weights, atol=1e-6)


def test_one_label_is_refused():
    with pytest.raises(TrialError, match="at least 2 labels to tell apart, found 1"):
        fit_classifier(np.ones((4, 2)), np.array(["a"] * 4), 0.1)


def test_a_fit_that_did_not_converge_is_never_used(monkeypatch):
    monkeypatch.setattr("fhvae.probes.newton.MAX_STEPS", 2)
    rows, labels = blobs(4, each=20, inputs=6, spread=5.0, seed=8)
    with pytest.raises(ParamsError, match=r"must converge in 2 steps .* penalty 1e-05; take it"):
        fit_classifier(rows, labels, 1e-5)


def test_a_path_goes_from_the_strongest_penalty_and_ends_where_single_fits_end():
    rows, labels = blobs(4, each=25, inputs=6, spread=6.0, seed=9)
    path = list(fit_classifiers(rows, labels, [1e-4, 1e-1, 1e-2]))
    assert [one.penalty for one in path] == [1e-1, 1e-2, 1e-4]
    for one in path:
        alone = fit_classifier(rows, labels, one.penalty)
        # the minimum is one point: a slope below 1e-5 leaves weights within 1e-5 / penalty
        np.testing.assert_allclose(one.weights, alone.weights, atol=2e-5 / one.penalty)
        ours, theirs = (
            objective_and_gradient(c, rows, labels, one.penalty)[0] for c in (one, alone)
        )
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_many_inputs_take_the_shared_preconditioner_to_the_same_minimum(monkeypatch):
    rows, labels = blobs(4, each=25, inputs=6, spread=6.0, seed=10)
    own = fit_classifier(rows, labels, 1e-2)
    monkeypatch.setattr("fhvae.probes.newton.BLOCK_INPUTS", 0)
    shared = fit_classifier(rows, labels, 1e-2)
    np.testing.assert_allclose(shared.weights, own.weights, atol=2e-3)
    _, weight_slope, _ = objective_and_gradient(shared, rows, labels, 1e-2)
    assert np.abs(weight_slope).max() < 2e-5


def test_scikit_learn_finds_the_same_minimum():
    from sklearn.linear_model import LogisticRegression

    rows, labels = blobs(3, each=30, inputs=5, spread=6.0, seed=11)
    ours = fit_classifier(rows, labels, 1e-2)
    theirs = LogisticRegression(C=1 / (1e-2 * len(rows)), tol=1e-8, max_iter=5000)
    theirs.fit(ours.standardizer(rows), labels)
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=2e-3)
    np.testing.assert_allclose(
        ours.probabilities(rows), theirs.predict_proba(ours.standardizer(rows)), atol=2e-3
    )
