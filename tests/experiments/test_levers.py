"""The search behind the defaults can be typed again, and its page is what the runs say."""

import json
import math

import numpy as np
import pytest
import torch

from experiments.hand_labels import leave_one_out
from experiments.levers import RESULTS, ROOT, page, params_of, planned
from experiments.timed import TimedTrainer
from fhvae.training.checkpoint import Checkpoint
from tests.training_factory import make_sequences, make_setting


def test_the_page_is_that_of_the_committed_runs():
    assert (ROOT / "docs" / "levers.md").read_text() == page()


def test_every_lever_is_a_set_of_params_that_can_be_used():
    for lever in planned():
        params = params_of(lever)
        assert params.seed == lever.seed
    assert len({lever.result for lever in planned()}) == len(list(planned()))


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


MOVED = {"average": "training.average", "block_sequences": "training.block_sequences"}
NO_METHOD = {"select": "bound", "block_passes": 1, "copies": 0, "stretch": 0.12, "tilt": 0.0}


def test_committed_levers_were_pulled_as_the_plan_says():
    """Params and methods of a result are the plan's; what was a method once may be a param now."""
    plan = {lever.result: lever for lever in planned()}
    for path in RESULTS.glob("*.json"):
        content = json.loads(path.read_text())
        pulled = content.get("method", {})
        moved = {param: pulled[key] for key, param in MOVED.items() if pulled.get(key)}
        assert {**content["params"], **moved} == dict(plan[path].params), path.name
        method = {
            key: value
            for key, value in pulled.items()
            if key not in MOVED and value != NO_METHOD.get(key, False)
        }
        assert method == plan[path].method, path.name
