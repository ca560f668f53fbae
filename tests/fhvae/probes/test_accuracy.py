"""Accuracies known by construction, chance, penalties, and intervals of resampled speakers."""

import numpy as np
import pytest

from fhvae.probes.accuracy import chance, choose_penalty, resample_accuracy, run_probes
from fhvae.probes.rows import LabelledRows
from fhvae.probes.tasks import Task


def rows(labels, values, speakers=None):
    labels = np.array(labels)
    speakers = np.array(speakers) if speakers is not None else labels
    return LabelledRows({"z1": np.asarray(values, dtype=np.float32)}, labels, speakers)


def random_task(seed: int, signal: float) -> Task:
    """Three labels at three corners, `signal` apart in noise; six speakers in each part."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(3):
        labels = np.arange(150) % 3
        values = signal * np.eye(3, 4)[labels] + random.normal(size=(150, 4))
        speakers = [f"s{place // 25}" for place in range(150)]
        parts.append(rows([f"p{name}" for name in labels], values, speakers))
    return Task("phone", *parts)


def test_separate_labels_give_accuracy_1():
    result = run_probes([random_task(1, signal=40.0)], [1e-3, 1e-1], draws=50, seed=0)
    found = result["phone"]["z1"]
    assert (found.accuracy, found.accuracy_low, found.accuracy_high) == (1.0, 1.0, 1.0)
    assert found.penalty == 1e-1  # all penalties are right: the largest


def test_inputs_that_say_nothing_stay_at_chance():
    found = run_probes([random_task(2, signal=0.0)], [1e-3, 1e-1], draws=300, seed=0)["phone"]["z1"]
    assert found.accuracy_low < 1 / 3 < found.accuracy_high


def test_every_task_and_input_has_its_result_and_equal_seeds_agree(monkeypatch):
    task = random_task(3, signal=1.0)
    told = task.fit.inputs["z1"]
    shuffled = told[np.random.default_rng(1).permutation(len(told))]
    both = LabelledRows({"z1": told, "z2": shuffled}, task.fit.labels, task.fit.speakers)
    other = Task("speaker", both, both, both)
    results = []
    for workers in ("1", "2"):
        monkeypatch.setenv("FHVAE_WORKERS", workers)
        results.append(run_probes([task, other], [1e-2, 1.0], draws=20, seed=4))
    assert results[0] == results[1]
    assert {name: set(inputs) for name, inputs in results[0].items()} == {
        "phone": {"z1"},
        "speaker": {"z1", "z2"},
    }
    assert results[0]["speaker"]["z1"].accuracy > results[0]["speaker"]["z2"].accuracy


def test_the_penalty_is_chosen_on_the_rows_to_choose():
    """At the penalty 1e4 a probe knows only that "a" is frequent: right on the scored rows."""
    values = np.array([[-1.0], [-1.1], [-0.9], [1.0]] * 10)
    clear = rows(["a", "a", "a", "b"] * 10, values)
    task = Task("phone", clear, clear, rows(["a"] * 40, values, clear.labels))
    found = run_probes([task], [1e-3, 1e4], draws=10, seed=0)["phone"]["z1"]
    assert found.penalty == 1e-3
    assert found.accuracy == 0.75


@pytest.mark.parametrize(
    ("right", "expected"), [({0.1: 5, 0.2: 7, 0.3: 6}, 0.2), ({0.1: 7, 0.2: 7, 0.3: 6}, 0.2)]
)
def test_the_most_right_and_then_the_largest_penalty_wins(right, expected):
    assert choose_penalty(right) == expected


def test_chance_always_says_the_label_most_frequent_in_the_fitting_rows():
    values = np.zeros((5, 1))
    fit = rows(["a", "b", "b", "b", "a"], values)
    score = rows(["a", "a", "a", "b", "c"], values)
    assert chance(Task("phone", fit, fit, score)) == 0.2


def test_resampled_accuracies_are_those_of_drawn_speakers():
    # Speaker x: 4 of 4 right; speaker y: 0 of 1. Draws: xx 1, yy 0, xy 4/5.
    is_right = np.array([True, True, True, True, False])
    speakers = np.array(["x", "x", "x", "x", "y"])
    values = resample_accuracy(is_right, speakers, 400, np.random.default_rng(1))
    found, counts = np.unique(values, return_counts=True)
    assert found.tolist() == [0.0, 0.8, 1.0]
    assert 60 < counts[0] < 140  # a quarter
    assert 150 < counts[1] < 250  # a half
