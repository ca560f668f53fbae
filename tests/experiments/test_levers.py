"""The search behind the defaults can be typed again, and its page is what the runs say."""

import json
import math

import numpy as np
import pytest
import torch

from experiments.hand_labels import leave_one_out
from experiments.levers import COLUMNS, RESULTS, ROOT, page, params_of, planned, read_run
from experiments.timed import TimedTrainer
from fhvae.training.checkpoint import Checkpoint
from tests.training_factory import make_sequences, make_setting


def test_the_page_is_that_of_the_committed_runs():
    assert (ROOT / "docs" / "levers.md").read_text() == page()


@pytest.mark.parametrize(
    ("method", "bound"),
    [({}, -4.0), ({"decay": True}, -4.0), ({"select": "eer"}, -9.0)],
)
def test_the_bound_is_that_of_the_epoch_whose_weights_were_kept(tmp_path, method, bound):
    """Neither the first epoch's nor the last's; a row that was selected by the EER kept another."""
    curve = [
        {"lower_bound": -6.0, "eer_mu2": 0.3},
        {"lower_bound": -4.0, "eer_mu2": 0.2},
        {"lower_bound": -9.0, "eer_mu2": 0.1},
        {"lower_bound": -5.0, "eer_mu2": 0.2},
    ]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"curve": curve}))
    assert COLUMNS["dev bound (nats)"][1](read_run(path, method)) == bound


def test_every_lever_is_a_set_of_params_that_can_be_used():
    levers = list(planned())
    for lever in {lever.name: lever for lever in levers}.values():
        assert params_of(lever).seed == lever.seed
    assert len({lever.result for lever in levers}) == len(levers)


def test_committed_levers_belong_to_the_plan():
    assert set(RESULTS.glob("*.json")) <= {lever.result for lever in planned()}


def test_leave_one_out_never_fits_on_the_person_it_scores():
    """A code that names the person's own label is right only if the others share the rule."""
    labels = np.array(list("abab") * 2)
    speakers = np.array(["x"] * 4 + ["y"] * 4)
    shared = np.array([[0.0], [1.0]] * 4)
    opposite = np.concatenate([shared[:4], 1 - shared[4:]])
    assert leave_one_out(shared, labels, speakers, ["x", "y"]) == 1.0
    assert leave_one_out(opposite, labels, speakers, ["x", "y"]) == 0.0


def test_the_steps_are_timed_and_looks_at_dev_are_not(tmp_path, monkeypatch):
    """By a clock that moves in steps, a second each, and in looks, a hundred."""
    now = [0.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])
    sequences = make_sequences(utterances=9, speakers=3, seed=1)
    dev = make_sequences(utterances=6, speakers=2, seed=2).load(torch.device("cpu"))
    setting = make_setting(epoch_steps=5, max_epochs=3)
    trainer = TimedTrainer(setting, sequences, dev, Checkpoint({}, tmp_path))
    step = trainer.learner.step

    def slow_step(*batch):
        now[0] += 1
        return step(*batch)

    def slow_eer(vectors, speakers):
        now[0] += 50
        return math.nan

    trainer.learner.step, trainer.monitor = slow_step, slow_eer
    trainer.run()
    assert trainer.cpu_s == pytest.approx([5, 10, 15])
