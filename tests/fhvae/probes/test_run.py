"""Probes of tasks with a known answer: accuracy, choice of the penalty, selectivity, regression."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.probes.classifiers import LINEAR, MLP
from fhvae.probes.questions import Plan
from fhvae.probes.rows import LabeledRows
from fhvae.probes.run import run_probes, summarize
from fhvae.probes.tasks import ControlLabels, Task
from tests.probe_factory import PROBES
from tests.stages.stage_runner import each_number_of_workers

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

SETTING = replace(PROBES, penalties=(1e-3, 1e-1), mlp_hidden=16, mlp_epochs=400, mlp_patience=20)


def rows(labels, values, speakers=None):
    labels = np.array(labels)
    speakers = np.array(speakers) if speakers is not None else labels
    return LabeledRows({"z1": np.asarray(values, dtype=np.float32)}, labels, speakers)


def random_task(seed: int, signal: float) -> Task:
    """Three labels at three corners, `signal` apart in noise; ten speakers in each part."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(3):
        labels = np.arange(150) % 3
        values = signal * np.eye(3, 4)[labels] + random.normal(size=(150, 4))
        speakers = [f"s{place // 15}" for place in range(150)]
        parts.append(rows([f"p{name}" for name in labels], values, speakers))
    return Task("phone", *parts)


def regression_task(seed: int, noise: float) -> Task:
    """A number that is a line in the code, plus noise."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(3):
        values = random.normal(size=(150, 4))
        numbers = 300 + values @ np.array([20.0, -10, 5, 0]) + noise * random.normal(size=150)
        parts.append(rows(numbers, values, [f"s{place // 15}" for place in range(150)]))
    return Task("f0", *parts)


@pytest.mark.parametrize("kind", [LINEAR, MLP])
def test_separate_labels_are_told_without_error(kind):
    found = run_probes([random_task(1, signal=40.0)], SETTING, 0, {"phone": ["z1"]})["phone"]["z1"]
    accuracy = found[kind].scores.accuracy
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low > 0.6  # ten speakers without an error do not make it certain
    assert found[kind].scores.information.value > 0.95


@pytest.mark.parametrize("kind", [LINEAR, MLP])
def test_codes_that_say_nothing_stay_at_chance_and_below_zero_information(kind):
    setting = replace(SETTING, penalties=(1e-3, 1e-1, 10.0))
    found = run_probes([random_task(2, signal=0.0)], setting, 0, {"phone": ["z1"]})["phone"]["z1"]
    scores = found[kind].scores
    assert scores.accuracy.low < 1 / 3 < scores.accuracy.high
    assert scores.information.value < 0.01
    assert scores.information.low < 0


@each_number_of_workers
def test_every_task_and_input_has_its_result_and_equal_seeds_agree(monkeypatch, workers):
    task = random_task(3, signal=1.0)
    told = task.fit.inputs["z1"]
    shuffled = told[np.random.default_rng(1).permutation(len(told))]
    both = LabeledRows({"z1": told, "z2": shuffled}, task.fit.labels, task.fit.speakers)
    other = Task("speaker", both, both, both)
    results = []
    for number in ("1", workers):
        monkeypatch.setenv("FHVAE_WORKERS", number)
        results.append(run_probes([task, other], SETTING, 0, {"speaker": ["z2"]}))
    assert results[0] == results[1]
    kinds = {
        name: {code: set(one) for code, one in found.items()} for name, found in results[0].items()
    }
    assert kinds == {"phone": {"z1": {LINEAR}}, "speaker": {"z1": {LINEAR}, "z2": {LINEAR, MLP}}}
    scores = {name: one[LINEAR].scores for name, one in results[0]["speaker"].items()}
    assert scores["z1"].accuracy.value > scores["z2"].accuracy.value


def test_the_penalty_is_chosen_on_the_rows_to_choose():
    """At the penalty 1e4 a probe knows only that "a" is frequent: right on the scored rows."""
    values = np.array([[-1.0], [-1.1], [-0.9], [1.0]] * 10)
    clear = rows(["a", "a", "a", "b"] * 10, values)
    turned = rows(["a", "a", "b", "a"] * 10, values, clear.labels)
    setting = replace(SETTING, penalties=(1e-3, 1e4))
    found = run_probes([Task("phone", clear, clear, turned)], setting, 0)["phone"]["z1"][LINEAR]
    assert found.chosen == 1e-3
    assert found.scores.accuracy.value == 0.5
    found = run_probes([Task("phone", clear, turned, turned)], setting, 0)["phone"]["z1"][LINEAR]
    assert found.chosen == 1e4
    assert found.scores.accuracy.value == 0.75


def test_accuracy_and_information_are_each_of_the_penalty_that_is_best_for_it():
    """A sure probe is right in 13 of 20 rows, one that only knows how frequent "a" is in 12."""
    fit = rows(["a"] * 60 + ["b"] * 40, [[-1.0]] * 60 + [[1.0]] * 40)
    places = [-1.0] * 8 + [1.0] * 4 + [1.0] * 5 + [-1.0] * 3
    other = rows(["a"] * 12 + ["b"] * 8, np.array(places)[:, None])
    quiet = Task("speaker", fit, other, other)
    both, sure, flat = (
        run_probes([quiet], replace(SETTING, penalties=penalties), 0)["speaker"]["z1"][LINEAR]
        for penalties in ((1e-3, 1e4), (1e-3,), (1e4,))
    )
    assert both.scores.accuracy == sure.scores.accuracy
    assert both.scores.accuracy.value == 0.65
    assert both.scores.macro_f1 == sure.scores.macro_f1
    assert both.scores.information == flat.scores.information
    assert both.scores.cross_entropy_bits == flat.scores.cross_entropy_bits
    assert sure.scores.information.value < -0.5 < both.scores.information.value
    found = both.metrics("penalty")
    assert (found["penalty"], found["information_penalty"]) == (1e-3, 1e4)


def test_classes_are_fitted_apart_and_scored_folded():
    task = random_task(5, signal=40.0)
    swapped = np.where(task.score.labels == "p0", "p1", task.score.labels)
    wrong = replace(task, score=replace(task.score, labels=swapped))
    plain = run_probes([wrong], SETTING, 0)["phone"]["z1"][LINEAR].scores.accuracy
    folded = replace(wrong, folding={"p0": "p01", "p1": "p01"})
    found = run_probes([folded], SETTING, 0)["phone"]["z1"][LINEAR].scores.accuracy
    assert (plain.value, found.value) == (pytest.approx(2 / 3), 1.0)


def test_rows_of_pauses_are_scored_apart():
    """Pauses are told without error, the two other labels not at all."""
    task = random_task(6, signal=0.0)
    parts = {
        part: replace(own, inputs={"z1": own.inputs["z1"] + 60 * (own.labels == "p0")[:, None]})
        for part, own in (("fit", task.fit), ("choose", task.choose), ("score", task.score))
    }
    quiet = replace(task, **parts, silence=frozenset({"p0"}))
    found = run_probes([quiet], replace(SETTING, penalties=(1.0,)), 0)["phone"]["z1"][LINEAR]
    assert found.no_silence is not None
    whole = (1 + 2 * found.no_silence.accuracy.value) / 3
    assert found.scores.accuracy.value == pytest.approx(whole)
    assert found.no_silence.accuracy.value == pytest.approx(0.5, abs=0.15)
    assert found.no_silence.information.value < found.scores.information.value


def test_selectivity_is_what_labels_without_meaning_do_not_reach():
    task = random_task(7, signal=40.0)
    random = np.random.default_rng(8)
    noise = ControlLabels(*(random.choice(["p0", "p1", "p2"], 150) for _ in range(2)))
    found = run_probes([replace(task, control=noise)], SETTING, 0)["phone"]["z1"][LINEAR]
    assert found.control == pytest.approx(1 / 3, abs=0.15)
    assert found.selectivity.value == pytest.approx(1 - found.control)
    assert found.selectivity.low < found.selectivity.value < found.selectivity.high

    def moved(labels):  # told as easily as the labels, by a probe that was fitted to it
        return np.char.replace(np.char.replace(labels, "p0", "x"), "p1", "p0")

    other = ControlLabels(moved(task.fit.labels), moved(task.score.labels))
    found = run_probes([replace(task, control=other)], SETTING, 0)["phone"]["z1"][LINEAR]
    assert (found.control, found.selectivity.value, found.selectivity.high) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", [LINEAR, MLP])
def test_a_line_in_the_code_is_explained(kind):
    """Noise of variance 175 beside a line of variance 525: R2 of 3/4 at best."""
    setting = replace(SETTING, mlp_epochs=200)
    found = run_probes([regression_task(9, noise=175**0.5)], setting, 0, {"f0": ["z1"]})["f0"]["z1"]
    assert found[kind].scores.value == pytest.approx(0.75, abs=0.12)
    assert found[kind].scores.low < found[kind].scores.value < found[kind].scores.high


def test_a_number_that_is_not_in_the_code_is_not_explained():
    task = regression_task(10, noise=1.0)
    random = np.random.default_rng(11)
    parts = {
        part: replace(own, inputs={"z1": random.normal(size=(150, 4)).astype(np.float32)})
        for part, own in (("fit", task.fit), ("choose", task.choose), ("score", task.score))
    }
    setting = replace(SETTING, penalties=(1e-3, 10.0))
    found = run_probes([replace(task, **parts)], setting, 0)["f0"]["z1"][LINEAR].scores
    assert found.value < 0.05
    assert found.low < 0


def test_the_smoothing_of_the_params_is_in_the_score():
    task = random_task(2, signal=0.5)
    usual, other = (
        run_probes([task], replace(SETTING, smoothing=share), 0)["phone"]["z1"][LINEAR].scores
        for share in (0.001, 0.5)
    )
    assert usual.accuracy == other.accuracy
    assert abs(usual.cross_entropy_bits - other.cross_entropy_bits) > 0.01


def test_phones_read_from_z1_are_compared_row_by_row_with_every_other_input():
    task, quiet = random_task(21, signal=3.0), random_task(22, signal=0.0)
    inputs = {
        part: replace(
            getattr(task, part),
            inputs={
                "z1": getattr(task, part).inputs["z1"],
                "pca": getattr(quiet, part).inputs["z1"],
            },
        )
        for part in ("fit", "choose", "score")
    }
    both = replace(task, **inputs)
    results = run_probes([both], SETTING, 0, {"phone": ["z1"]})
    found = summarize(Plan([both], {"phone": {}}, {}), results)["phone"]
    gain = found["z1_minus"][LINEAR]["pca"]
    assert gain["accuracy"] == pytest.approx(found["z1"]["accuracy"] - found["pca"]["accuracy"])
    assert gain["accuracy"] > gain["accuracy_low"] > 0
    assert found["z1_minus"] == {LINEAR: {"pca": gain}}
