"""Segments of a few test speakers, each decoded with the voice of every other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fhvae.corpus.store import Corpus
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed, sorted_positions
from fhvae.model.objective import posteriors
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


@torch.inference_mode()
def factor_grid(
    trained: TrainedModel, segments: Float[np.ndarray, "frame segment mel"]
) -> Float[np.ndarray, "z1_of z2_of frame mel"]:
    """Decode z1 of each segment with z2 of each: means of the decoder, from posterior means.

    Args:
        trained: the model.
        segments: normalized; on the diagonal of the grid stand their reconstructions.

    Source:
        paper-map: factor-grid.
    """
    frames, count, _ = segments.shape
    device = next(trained.network.parameters()).device
    found = posteriors(trained.network, torch.from_numpy(segments).to(device))
    z1 = found.z1.mean.repeat_interleave(count, dim=0)
    z2 = found.z2.mean.repeat(count, 1)
    decoded = trained.network.decode(z1, z2, frames).mean.permute(1, 0, 2).cpu().numpy()
    return decoded.reshape(count, count, *decoded.shape[1:])


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
    grid = undo.undo(factor_grid(trained, segments))
    draw_factor_grid(
        path,
        undo.undo(segments.transpose(1, 0, 2)),
        grid[np.arange(len(chosen)), np.arange(len(chosen))],
        grid,
        [corpus.speaker_of[packed.utterance_ids[position]] for position in chosen],
    )
