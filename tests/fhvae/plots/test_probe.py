"""Bars of probe accuracies: the same bytes twice, other numbers other bytes, absent tasks."""

import copy

from fhvae.plots.probe import draw_probes


def one_input(accuracy):
    return {
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.05,
        "accuracy_high": accuracy + 0.03,
        "penalty": 0.01,
    }


METRICS = {
    "absent": {},
    "phone": {
        "classes": 40,
        "chance": 0.03,
        "z1": one_input(0.6),
        "z2": one_input(0.1),
        "fbank": one_input(0.4),
    },
    "speaker": {
        "speakers": 24,
        "chance": 0.04,
        "z1": one_input(0.2),
        "z2": one_input(0.9),
        "fbank": one_input(0.5),
    },
}


def drawn(path, metrics):
    draw_probes(path, metrics)
    return path.read_bytes()


def test_bytes_follow_the_numbers(tmp_path):
    changed = copy.deepcopy(METRICS)
    changed["speaker"]["z1"]["accuracy_high"] = 0.4
    first = drawn(tmp_path / "first.png", METRICS)
    assert drawn(tmp_path / "again.png", METRICS) == first
    assert drawn(tmp_path / "other.png", changed) != first


def test_an_absent_task_shows_its_reason(tmp_path):
    def without_phone(reason):
        return {"absent": {"phone": reason}, "speaker": METRICS["speaker"]}

    reasons = ("the corpus has no phone times", "the phone probe needs at least 2 labels")
    images = [drawn(tmp_path / "absent.png", without_phone(reason)) for reason in reasons]
    assert images[0] != images[1]
    nothing = {"absent": {"phone": reasons[0], "speaker": "too few"}}
    assert drawn(tmp_path / "nothing.png", nothing)
