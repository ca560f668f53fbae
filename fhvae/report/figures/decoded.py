"""What the decoder makes of latents that no recording has: crossed ones, and moved ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fhvae.corpus.store import Corpus
from fhvae.files.packed import Packed, sorted_positions
from fhvae.latents import Latents
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.report.figures.factor_grid import draw_factor_grid
from fhvae.report.figures.traversal import draw_traversals

GRID_UTTERANCES = 5  # rows and columns that fit a page
TRAVERSED = 3  # dimensions of each latent
STEPS = (-3.0, -1.5, 0.0, 1.5, 3.0)  # standard deviations: to both ends of what test speakers have


@dataclass(frozen=True)
class Move:
    """A dimension of a latent, and how far it varies over the test split."""

    latent: str
    dimension: int
    deviation: float


@dataclass(frozen=True)
class Decoded:
    """Middle segments of a few test speakers, decoded otherwise.

    Attributes:
        speakers: of the segments.
        originals: `[segment, frame, mel]`, log-mel, nats.
        grid: `[segment giving z1, segment giving z2, frame, mel]`.
        moves: dimensions that were moved.
        traversals: `[dimension, step, frame, mel]`, of the first segment.
        hop_ms: between two frames.
    """

    speakers: list[str]
    originals: np.ndarray
    grid: np.ndarray
    moves: list[Move]
    traversals: np.ndarray
    hop_ms: float

    def draw_grid(self, path: Path) -> None:
        """Draw every pair of z1 and z2."""
        own = np.arange(len(self.originals))
        reconstructions = self.grid[own, own]
        segments = (self.originals, reconstructions, self.grid)
        draw_factor_grid(path, *segments, self.speakers, self.hop_ms)

    def draw_traversals(self, path: Path) -> None:
        """Draw the moved dimensions."""
        names = [f"{one.latent} no. {one.dimension}" for one in self.moves]
        draw_traversals(path, self.traversals, names, STEPS, self.hop_ms)


def decode_otherwise(
    trained: TrainedModel, packed: Packed, latents: Latents, corpus: Corpus
) -> Decoded:
    """Cross the latents of a few test speakers, and move those of the first.

    Args:
        trained: the model.
        packed: normalized frames of the test split.
        latents: of the test split: which dimensions vary.
        corpus: says who speaks.
    """
    chosen = different_utterances(packed.utterance_ids, corpus.speaker_of)
    frames = trained.segments.frames
    starts = [(len(packed[position]) - frames) // 2 for position in chosen]
    middles = [
        packed[position][start : start + frames]
        for position, start in zip(chosen, starts, strict=True)
    ]
    segments = np.stack(middles, axis=1)
    moves = [*most_varied("mu2", latents.mu2), *most_varied("z1", latents.z1_mean)]
    undo = trained.normalizer.undo
    return Decoded(
        [corpus.speaker_of[packed.utterance_ids[position]] for position in chosen],
        undo(segments.transpose(1, 0, 2)),
        undo(factor_grid(trained, segments)),
        moves,
        undo(traversals(trained, segments[:, :1], moves)),
        trained.fbank.hop_ms,
    )


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


def most_varied(latent: str, means: np.ndarray) -> list[Move]:
    """Name the dimensions of a latent, `[row, dimension]`, that vary most, the first of equals."""
    deviations = means.astype(np.float64).std(axis=0)
    order = np.argsort(-deviations, kind="stable")[:TRAVERSED]
    return [Move(latent, int(place), float(deviations[place])) for place in order]


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


@torch.inference_mode()
def traversals(
    trained: TrainedModel, segment: Float[np.ndarray, "frame 1 mel"], moves: Sequence[Move]
) -> Float[np.ndarray, "move step frame mel"]:
    """Decode one segment, each time with one dimension of its z2 or z1 moved by one of `STEPS`."""
    frames, device = len(segment), next(trained.network.parameters()).device
    found = posteriors(trained.network, torch.from_numpy(segment).to(device))
    z1 = found.z1.mean.repeat(len(moves) * len(STEPS), 1)
    z2 = found.z2.mean.repeat(len(moves) * len(STEPS), 1)
    for row, move in enumerate(moves):
        moved = z1 if move.latent == "z1" else z2
        for column, step in enumerate(STEPS):
            moved[row * len(STEPS) + column, move.dimension] += step * move.deviation
    decoded = trained.network.decode(z1, z2, frames).mean.permute(1, 0, 2).cpu().numpy()
    return decoded.reshape(len(moves), len(STEPS), *decoded.shape[1:])
