"""What a run leaves behind: collapse by name, the best epoch, its end, the log."""

import dataclasses
import json
import math

import pytest
import torch

from fhvae.training.dev import DevTerms, LatentUsage
from fhvae.training.record import (
    EpochRecord,
    Progress,
    TrainedRun,
    TrainingLog,
    TrainTerms,
    collapse_reason,
)

TRAIN = TrainTerms(-300.0, -250.0, 30.0, 50.0, -40.0, -2.0)
DEV = DevTerms(-300.0, -250.0, 30.0, 50.0, -40.0, 9.0, 10.0, 0.2, None, None)

LIMITS = {"collapse_kl_z2": 10.0, "collapse_variance_z2": 3.0, "collapse_log_q": 0.5}


@pytest.mark.parametrize(
    ("kl_z2", "variance", "log_q", "alpha", "passes", "expected", "limits"),
    [
        pytest.param(50.0, 9.0, -2.0, 10.0, 5, "", {}, id="healthy"),
        pytest.param(1.3, 9.0, -2.0, 10.0, 5, "KL of z2 is 1.3 nats", {}, id="z2-says-nothing"),
        pytest.param(11.0, 1.8, -3.6, 10.0, 5, "z2 means is 1.80", {}, id="z2-hardly-moves"),
        pytest.param(50.0, 9.0, -7.2, 10.0, 5, "log q is -7.20 nats", {}, id="guess-at-chance"),
        pytest.param(50.0, 9.0, -7.2, 10.0, 1, "", {}, id="too-early-to-tell"),
        pytest.param(50.0, 9.0, -15.0, 0.0, 5, "", {}, id="log-q-not-trained"),
        pytest.param(50.0, 9.0, -7.2, 10.0, 5, "", {"collapse_log_q": 0.05}, id="a-bit-is-enough"),
        pytest.param(
            50.0,
            9.0,
            -2.0,
            0.0,
            1,
            "log-variance is below -5 in 20% of dev, above 10%: look for digital silence",
            {"collapse_certain_share": 0.1},
            id="silence-by-heart",
        ),
        pytest.param(
            50.0, 9.0, -2.0, 0.0, 1, "", {"collapse_certain_share": 0.2}, id="a-little-silence"
        ),
    ],
)
def test_collapse_detectors(setting, kl_z2, variance, log_q, alpha, passes, expected, limits):
    reason = collapse_reason(
        dataclasses.replace(TRAIN, log_q=log_q),
        dataclasses.replace(DEV, kl_z2=kl_z2, z2_mean_variance=variance),
        passes=passes,
        chance=-math.log(1440),
        alpha=alpha,
        limits=setting(**{**LIMITS, **limits}).training,
    )
    assert (expected in reason) if expected else reason == ""


def curve(*bounds: float) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch, 5 * epoch, 1, TRAIN, dataclasses.replace(DEV, lower_bound=bound), -7.0, ""
        )
        for epoch, bound in enumerate(bounds, start=1)
    ]


def test_of_equal_bounds_on_dev_the_first_is_the_best():
    assert Progress(curve=curve(-9.0, -5.0, -7.0, -5.0)).best.epoch == 2


@pytest.mark.parametrize(
    ("bounds", "max_epochs", "patience", "finished", "before"),
    [
        pytest.param((), 4, 1, False, False, id="not-begun"),
        pytest.param((-5.0, -4.0), 4, 1, False, False, id="still-rising"),
        pytest.param((-5.0, -4.0, -4.5), 4, 1, False, False, id="one-without-gain"),
        pytest.param((-5.0, -4.0, -4.5, -4.4), 9, 1, True, False, id="two-without-gain"),
        pytest.param((-5.0, -4.0), 2, 9, True, False, id="as-long-as-asked"),
        pytest.param((-5.0, -4.0, -3.0), 2, 9, True, True, id="longer-than-asked"),
    ],
)
def test_the_end_of_a_run(setting, bounds, max_epochs, patience, finished, before):
    progress = Progress(curve=curve(*bounds))
    training = setting(max_epochs=max_epochs, patience=patience).training
    assert progress.is_finished(training) == finished
    assert progress.was_finished(training) == before


def test_a_state_without_classes_is_the_same_progress_again():
    progress = Progress(7, 2, 3, curve(-5.0, -4.0), {"weight": torch.ones(2)})
    state = json.loads(json.dumps({**progress.state_dict(), "best_weights": {}}))
    again = Progress.from_state({**state, "table": "of the learner", "best_weights": {}})
    assert again == dataclasses.replace(progress, best_weights={})


def test_a_log_keeps_what_the_checkpoint_knows_of_and_no_half_line(tmp_path):
    usage = LatentUsage((1.0,), (2.0,), 1, 1, 3.0)
    log = TrainingLog(tmp_path, 0)
    for record in curve(-5.0, -4.0, -3.0):
        log.add(record, usage, 12.34)
    with log.path.open("a") as file:
        file.write('{"epoch": 4, "st')
    TrainingLog(tmp_path, 2)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert (lines[1]["dev_lower_bound"], lines[1]["segments_per_second"]) == (-4.0, 12.3)


@pytest.mark.parametrize(
    "spoiled",
    [b"\xff", b'{"epoch": [1]}', b"[1]", b"null", b'{"epoch": 1e999}', b"[" * 5000, b'{"step": 1}'],
)
def test_a_line_of_a_log_that_a_disk_has_spoiled_is_left_out(tmp_path, spoiled):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"epoch": 1}\n' + spoiled + b'\n{"epoch": 2}\n')
    TrainingLog(tmp_path, 2)
    assert path.read_bytes() == b'{"epoch": 1}\n{"epoch": 2}\n'


def test_metrics_are_of_the_best_epoch_and_of_all_steps():
    epochs = curve(-9.0, -5.0, -7.0)
    found = TrainedRun({}, epochs[1], tuple(epochs)).metrics(batch=8, sequences=6)
    assert (found["best_epoch"], found["dev_lower_bound"]) == (2, -5.0)
    assert (found["steps"], found["segments"], found["sequences"]) == (15, 120, 6)
    assert found["dev_eer"] == {}
