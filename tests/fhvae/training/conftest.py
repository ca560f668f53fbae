"""A made-up training set: utterances that differ by a constant spectrum, segments by a slope."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fhvae.params import ModelParams, SegmentsParams, TrainingParams
from fhvae.seeds import generator
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.data import SequenceData
from fhvae.training.loop import Setting, Trainer

MELS = 7


def made_up(utterances: int, speakers: int, seed: int) -> SequenceData:
    random = generator(seed, "made-up frames")
    lengths = random.integers(12, 30, size=utterances)
    voices = random.normal(size=(speakers, MELS))
    speaker = np.arange(utterances) % speakers
    frames = [
        voices[who] + 0.3 * random.normal(size=MELS) + 0.5 * random.normal(size=(length, MELS))
        for who, length in zip(speaker, lengths, strict=True)
    ]
    return SequenceData(
        frames=torch.from_numpy(np.concatenate(frames).astype(np.float32)),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
        sequence=np.arange(utterances),
        speakers=tuple(f"s{who}" for who in speaker),
    )


@pytest.fixture
def train_data() -> SequenceData:
    return made_up(utterances=9, speakers=3, seed=1)


@pytest.fixture
def dev_data() -> SequenceData:
    return made_up(utterances=6, speakers=2, seed=2)


@pytest.fixture
def setting() -> Callable[..., Setting]:
    def make(alpha: float = 10.0, seed: int = 0, cell: str = "lstm", **training: object) -> Setting:
        values: dict[str, object] = {
            "domains": "clean",
            "mu2_table": "closed_form",
            "sequence": "utterance",
            "batch": 8,
            "learning_rate": 0.003,
            "average": 0.0,
            "adam_beta1": 0.95,
            "adam_beta2": 0.999,
            "epoch_steps": 5,
            "max_epochs": 4,
            "patience": 10,
            "collapse_kl_z2": 0.0,
            "collapse_variance_z2": 0.0,
        }
        return Setting(
            alpha=alpha,
            seed=seed,
            segments=SegmentsParams(frames=5, train_shift=3, shift=4),
            model=ModelParams(
                cell=cell,  # type: ignore[arg-type]
                layers=1,
                cells=6,
                z1=3,
                z2=2,
                z1_std=1,
                z2_std=0.5,
                mu2_std=1,
            ),
            training=TrainingParams(**{**values, **training}),  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def trainer(
    tmp_path: Path,
    setting: Callable[..., Setting],
    train_data: SequenceData,
    dev_data: SequenceData,
) -> Callable[..., Trainer]:
    def make(name: str = "run", **changes: object) -> Trainer:
        checkpoint = Checkpoint(name, tmp_path)
        return Trainer(setting(**changes), train_data, dev_data, checkpoint)

    return make
