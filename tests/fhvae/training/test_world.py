"""Processes that train together: torchrun with gloo, two of them, on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import fhvae.training.learner as learner_module
from fhvae.errors import TrainingError
from fhvae.seeds import stream_seed
from fhvae.training.batches import Blocks
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import Trainer
from fhvae.training.world import World, joined_world
from tests.train_together import gradients
from tests.training_factory import make_sequences, make_setting

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
TRAIN, DEV = (16, 4, 1), (6, 2, 2)  # utterances, speakers, seed


def train(
    folder: Path, processes: int, seeds: int, device: str = "cpu", **changes: object
) -> list[list[dict]]:
    """Train in processes of their own; gives what each process found, a dict per seed."""
    folder.mkdir()
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*start, f"--nproc-per-node={processes}", "-m", "tests.train_together"]
    answer = subprocess.run(
        [*command, str(folder), str(seeds), json.dumps(changes), device],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(processes)]


two_gpus = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs with CUDA"),
]


@pytest.mark.slow
@pytest.mark.parametrize("block_sequences", [0, 10])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=two_gpus)])
def test_two_processes_end_alike_and_their_course_is_that_of_one_in_law(
    tmp_path, device, block_sequences
):
    changes = {"block_sequences": block_sequences, "epoch_steps": 25, "max_epochs": 2}
    seeds = 8
    first, second = train(tmp_path / "two", 2, seeds, device, **changes)
    assert first == second  # weights, table and curve, bit by bit
    (alone,) = train(tmp_path / "one", 1, seeds, **changes)
    assert [run["weights"] for run in first] != [run["weights"] for run in alone]
    for key in ("train", "dev", "log_q"):
        both = np.array([[run[key] for run in runs] for runs in (first, alone)])
        error = np.sqrt(both.var(axis=1, ddof=1).sum() / seeds)
        difference = both[0].mean() - both[1].mean()
        assert abs(difference) < 4 * error + 1e-3, (key, both)
        # and the test would see a loss that is twice as large, or a sum in place of a mean
        assert abs(both.mean()) > 4 * error + 1e-3


@pytest.mark.slow
def test_a_step_of_two_processes_is_the_mean_of_their_gradients(tmp_path):
    """Also for the table, of which each has segments for half of the rows only."""
    changes = {"mu2_table": "random", "epoch_steps": 1, "max_epochs": 1}
    train(tmp_path / "two", 2, 1, **changes)
    found = [torch.load(tmp_path / "two" / f"first{rank}.pt") for rank in range(2)]
    setting = make_setting(**changes)
    own = []
    for rank in range(2):
        sequences, dev = make_sequences(*TRAIN), make_sequences(*DEV).load(CPU)
        trainer = Trainer(setting, sequences, dev, Checkpoint({}, tmp_path / "alone"))
        trainer.blocks = Blocks(sequences, 0, setting.segments, 8, 0, CPU, World(rank, 2))
        trainer.batch, trainer.world = 4, World(rank, 2)
        trainer.learner.noise.manual_seed(stream_seed(0, *(("noise", 1) if rank else ("noise",))))
        trainer.train_step()
        own.append(gradients(trainer))
    assert found[0].keys() == own[0].keys()
    for name, gradient in own[0].items():
        mean = (gradient + own[1][name]) / 2
        assert torch.equal(found[0][name], found[1][name])
        torch.testing.assert_close(found[0][name], mean)
        assert not torch.equal(gradient, own[1][name])


def test_alone_nothing_is_communicated():
    world, tensor = World(), torch.ones(3)
    assert world.sum(tensor) is tensor
    assert world.any(True, CPU)
    assert not world.any(False, CPU)
    assert world.from_first("x") == "x"
    assert world.all_values("x") == ["x"]


class Elsewhere(World):
    """A world in which the other process has found no checkpoint."""

    def all_values(self, value):
        return [value, (value[0], 0)]


def test_processes_that_stand_elsewhere_do_not_train_together(tmp_path):
    sequences, dev = make_sequences(*TRAIN), make_sequences(*DEV).load(CPU)
    trainer = Trainer(make_setting(), sequences, dev, Checkpoint({}, tmp_path))
    trainer.world = Elsewhere()
    trainer._agree()
    trainer.progress.step = 40
    with pytest.raises(TrainingError, match=r"at step 40, \w+ at step 0; give all the same"):
        trainer._agree()


def test_the_size_alone_makes_no_world(monkeypatch):
    """Some clusters set WORLD_SIZE without starting anything."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("RANK", raising=False)
    with joined_world(CPU) as world:
        assert world == World()


def test_processes_draw_noise_of_their_own_and_rank_0_that_of_a_single_one(
    trainer, train_sequences, dev_data, monkeypatch
):
    monkeypatch.setattr(learner_module, "DistributedDataParallel", lambda objective: objective)
    alone = trainer()
    ranks = [
        Trainer(alone.setting, train_sequences, dev_data, alone.checkpoint, world=World(rank, 2))
        for rank in range(2)
    ]
    first, second = (run.learner.noise.get_state() for run in ranks)
    assert torch.equal(first, alone.learner.noise.get_state())
    assert not torch.equal(first, second)
