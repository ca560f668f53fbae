"""Fixtures of training on made-up data (tests/training_factory.py)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fhvae.training.batches import SequenceData, Sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import Setting, Trainer
from tests.training_factory import MELS, make_sequences, make_setting


@pytest.fixture
def train_sequences() -> Sequences:
    return make_sequences(utterances=9, speakers=3, seed=1)


@pytest.fixture
def train_data(train_sequences: Sequences) -> SequenceData:
    return train_sequences.load(torch.device("cpu"))


@pytest.fixture
def dev_data() -> SequenceData:
    return make_sequences(utterances=6, speakers=2, seed=2).load(torch.device("cpu"))


@pytest.fixture
def setting() -> Callable[..., Setting]:
    return make_setting


@pytest.fixture
def trainer(
    tmp_path: Path, train_sequences: Sequences, dev_data: SequenceData
) -> Callable[..., Trainer]:
    def make(name: str = "run", **changes: object) -> Trainer:
        checkpoint = Checkpoint({"name": name}, tmp_path)
        levels = torch.full((MELS,), 0.1)
        setting = make_setting(**changes)
        return Trainer(setting, train_sequences, dev_data, checkpoint, decibel=levels)

    return make
