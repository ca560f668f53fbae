"""Segments of a few test speakers, each decoded with the voice of every other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from fhvae.corpus.store import Corpus
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed
from fhvae.inference import factor_grid, sorted_positions
from fhvae.model.weights import TrainedModel
from fhvae.report.figures.factor_grid import draw_factor_grid

GRID_UTTERANCES = 5  # rows and columns that fit a page


def different_utterances(utterance_ids: Sequence[str], speakers: Mapping[str, str]) -> list[int]:
    """Choose positions of one utterance each of a few speakers spread over the split.

    The k-th speaker gives the k-th utterance: the first may be a sentence that all read.
    """
    by_speaker: dict[str, list[int]] = {}
    for position in sorted_positions(utterance_ids):
        by_speaker.setdefault(speakers[utterance_ids[position]], []).append(position)
    spread = list(by_speaker.values())[:: max(1, len(by_speaker) // GRID_UTTERANCES)]
    return [
        positions[place % len(positions)]
        for place, positions in enumerate(spread[:GRID_UTTERANCES])
    ]


def draw_grid(
    path: Path, trained: TrainedModel, packed: Packed, corpus: Corpus, undo: Normalizer
) -> None:
    """Draw the middle segments of a few speakers, every pair of z1 and z2 decoded.

    Args:
        path: PNG file.
        trained: the model.
        packed: normalized frames of the test split.
        corpus: says who speaks.
        undo: the normalizer of the frames.
    """
    chosen = different_utterances(packed.utterance_ids, corpus.speaker_of)
    frames = trained.segments.frames
    middles = [(len(packed[position]) - frames) // 2 for position in chosen]
    segments = np.stack(
        [
            packed[position][start : start + frames]
            for position, start in zip(chosen, middles, strict=True)
        ],
        axis=1,
    )
    device = next(trained.network.parameters()).device
    decoded = factor_grid(trained, torch.from_numpy(segments).to(device))
    draw_factor_grid(
        path,
        undo.undo(decoded.originals),
        undo.undo(decoded.reconstructions),
        undo.undo(decoded.grid),
        [corpus.speaker_of[packed.utterance_ids[position]] for position in chosen],
    )
