"""A corpus for the recognizer whose truth is known: each row is the code of its phone."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fhvae.files.packed import PackedWriter
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.inputs import Input, stacked_rows
from fhvae.recognition.labels import Labels, make_labels
from fhvae.recognition.matrix import FramePaths, TrainSide

PHONES = ("aa", "iy", "k", "s", "sil")
ROWS_PER_PHONE = 2


@pytest.fixture(scope="session")
def budget():
    return RecognizerParams(
        shift=1,
        recognizers=("blstm",),
        layers=1,
        cells=12,
        learning_rates=(0.03,),
        repeats=1,
        batch=4,
        steps=120,
        looks=3,
        warm_up=0.1,
        last_rate=0.05,
        gradient_norm=5.0,
        dropout=0.0,
        speaker_shares=(0.5,),
        topline_inputs=("fbank",),
        latent_inputs=("z1",),
    )


@dataclass(frozen=True)
class Lesson:
    """Something to learn, with what is true about it."""

    source: Input
    side: TrainSide
    labels: Labels


def draw_transcripts(names: list[str], seed: int) -> dict[str, tuple[str, ...]]:
    """Draw 4 to 8 phones per utterance, none twice in a row."""
    random = np.random.default_rng(seed)
    drawn = {}
    for name in names:
        phones = [str(random.choice(PHONES))]
        for _ in range(random.integers(3, 8)):
            phones.append(str(random.choice([one for one in PHONES if one != phones[-1]])))
        drawn[name] = tuple(phones)
    return drawn


def write_lesson(folder: Path, codes: str) -> Lesson:
    """Write 16 train and 8 dev utterances.

    Args:
        folder: for the packed rows.
        codes: "phones": a row is 1 where its phone is; "noise": it knows nothing of it.
    """
    random = np.random.default_rng(5)
    ids = {"train": [f"t{n:02d}" for n in range(16)], "dev": [f"d{n:02d}" for n in range(8)]}
    transcripts = draw_transcripts(ids["train"] + ids["dev"], seed=1)
    for split, names in ids.items():
        with PackedWriter(folder / split, "float32", (len(PHONES),)) as writer:
            for name in names:
                places = [PHONES.index(phone) for phone in transcripts[name]]
                rows = np.eye(len(PHONES))[np.repeat(places, ROWS_PER_PHONE)]
                noise = random.normal(size=rows.shape)
                writer.append(name, rows + 0.05 * noise if codes == "phones" else noise)
    paths = FramePaths(folder, folder / "none", folder / "none")
    return Lesson(
        source=Input("fbank", paths, partial(stacked_rows, window=1, shift=1)),
        side=TrainSide("clean", "clean", tuple(ids["train"]), tuple(ids["dev"])),
        labels=make_labels(transcripts, ids["train"]),
    )


@pytest.fixture
def phone_codes(tmp_path):
    return write_lesson(tmp_path / "phones", "phones")


@pytest.fixture
def noise_codes(tmp_path):
    return write_lesson(tmp_path / "noise", "noise")
