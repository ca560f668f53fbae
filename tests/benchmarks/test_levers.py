"""The search behind the defaults can be typed again, and its page is what the runs say."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hand_labels import leave_one_out
from benchmarks.lever_trainer import LeverTrainer, Method, NoCheckpoint, warped_copies
from benchmarks.levers import RESULTS, ROOT, page, params_of, planned
from fhvae.artifacts import Packed
from fhvae.features.normalize import Normalizer
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.params.whole import load_params
from fhvae.training.batches import open_sequences
from fhvae.training.loop import Setting
from fhvae.trials.monitor import cosine_eer


def test_the_page_is_that_of_the_committed_runs():
    assert (ROOT / "docs" / "levers.md").read_text() == page()


def test_every_lever_is_a_set_of_params_that_can_be_used():
    for lever in planned():
        params = params_of(lever)
        assert params.seed == lever.seed
    assert len({lever.result for lever in planned()}) == len(list(planned()))


def test_committed_levers_belong_to_the_plan():
    assert set(RESULTS.glob("*.json")) <= {lever.result for lever in planned()}


def packed(mels: int = 8) -> Packed:
    random = np.random.default_rng(0)
    lengths = np.array([30, 26, 35])
    rows = random.normal(size=(91, mels)).astype(np.float32)
    return Packed(rows, ("a", "b", "c"), np.cumsum(lengths) - lengths, lengths)


def test_a_copy_without_stretch_is_the_original_and_with_it_is_not():
    normalizer = Normalizer(mean=np.full(8, -5.0), std=np.full(8, 2.0))
    (same,) = warped_copies(packed(), normalizer, Method(copies=1, stretch=0.0), seed=1)
    np.testing.assert_allclose(same.rows, packed().rows, atol=1e-5)
    (other,) = warped_copies(packed(), normalizer, Method(copies=1), seed=1)
    assert np.abs(other.rows - packed().rows).max() > 0.1
    assert other.utterance_ids == packed().utterance_ids


@pytest.fixture
def tiny_trainer(tmp_path):
    def make(method: Method, **changes: object) -> LeverTrainer:
        people = {"a": "x", "b": "y", "c": "x"}
        data = open_sequences([packed()], people, "utterance")
        training = dataclasses.replace(
            load_params(Path(ROOT) / "params.yaml").training,
            **{"batch": 2, "epoch_steps": 4, "max_epochs": 2, "average": 0.0, **changes},
        )
        model = ModelParams(
            cell="lstm", layers=1, cells=6, z1=3, z2=4, z1_std=1.0, z2_std=0.5, mu2_std=1.0
        )
        segments = SegmentsParams(frames=5, train_shift=10, shift=5)
        setting = Setting(10.0, 0, segments, model, training)
        dev = data.load(torch.device("cpu"))
        return LeverTrainer(setting, data, dev, method, NoCheckpoint({}, tmp_path), cosine_eer)

    return make


def test_decay_ends_at_a_learning_rate_near_zero(tiny_trainer):
    trainer = tiny_trainer(Method(decay=True))
    trainer.run()
    whole = trainer.setting.training.learning_rate
    assert trainer.learner.optimizer.param_groups[0]["lr"] == pytest.approx(
        whole / 8
    )  # last of 8 steps


def test_first_fill_leaves_the_table_to_training_after_the_first_pass(tiny_trainer):
    refilled, once = (tiny_trainer(Method(first_fill=flag)) for flag in (False, True))
    for trainer in (refilled, once):
        trainer.train_step()
    torch.testing.assert_close(refilled.learner.table, once.learner.table)
    refilled.run()
    once.run()
    assert once.progress.passes > 1
    assert not torch.equal(refilled.learner.table, once.learner.table)


def test_leave_one_out_never_fits_on_the_person_it_scores():
    """A code that names the person's own label is right only if the others share the rule."""
    labels = np.array(list("abab") * 2)
    speakers = np.array(["x"] * 4 + ["y"] * 4)
    shared = np.array([[0.0], [1.0]] * 4)
    opposite = np.concatenate([shared[:4], 1 - shared[4:]])
    assert leave_one_out(shared, labels, speakers, ["x", "y"]) == 1.0
    assert leave_one_out(opposite, labels, speakers, ["x", "y"]) == 0.0


def test_a_block_stays_for_as_many_passes_as_the_method_says(tiny_trainer):
    trainer = tiny_trainer(Method(block_passes=3), block_sequences=2)
    assert [trainer.block_of(number) for number in range(7)] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize("forget", [False, True])
def test_moments_of_a_row_go_with_its_sequence_where_asked_for(tiny_trainer, forget):
    trainer = tiny_trainer(Method(forget_moments=forget), block_sequences=2)
    trainer.train_step()
    state = trainer.learner.optimizer.state[trainer.learner.table]
    assert state["exp_avg"].any()
    trainer.begin_pass()
    assert bool(state["exp_avg"].any()) == bool(state["exp_avg_sq"].any()) != forget
    assert float(state["step"]) == (0 if forget else 1)


def test_cpu_seconds_grow_with_the_epochs(tiny_trainer):
    trainer = tiny_trainer(Method())
    trainer.run()
    assert len(trainer.cpu_s) == 2
    assert 0 < trainer.cpu_s[0] < trainer.cpu_s[1]


def test_the_error_rate_selects_where_it_is_asked_to(tiny_trainer):
    rates = iter([0.3, 0.0, 0.1, 0.0, 0.2, 0.0])  # mu2 and mu1 of three epochs
    trainer = tiny_trainer(Method(select="eer"), max_epochs=3)
    trainer.monitor = lambda vectors, speakers: next(rates)
    kept = []
    trainer.checkpoint.save = lambda state: kept.append(state["network"]["decoder.head.weight"] + 0)
    found = trainer.run()
    assert torch.equal(found.weights["decoder.head.weight"], kept[1])


MOVED = {"average": "training.average", "block_sequences": "training.block_sequences"}


def test_committed_levers_were_pulled_as_the_plan_says():
    """Params and methods of a result are the plan's; what was a method once may be a param now."""
    plan = {lever.result: lever for lever in planned()}
    for path in RESULTS.glob("*.json"):
        content = json.loads(path.read_text())
        pulled = content["method"]
        moved = {param: pulled[key] for key, param in MOVED.items() if pulled.get(key)}
        assert {**content["params"], **moved} == dict(plan[path].params), path.name
        method = {key: value for key, value in pulled.items() if key not in MOVED}
        assert Method(**method) == plan[path].method, path.name
