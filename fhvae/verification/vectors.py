"""One vector per utterance: mu2, the mean of z1, and statistics of the frames."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.latents import Latents


@dataclass(frozen=True)
class Vectors:
    """One vector per utterance.

    Attributes:
        utterance_ids: sorted.
        values: `[utterance, dimension]` float64.
    """

    utterance_ids: tuple[str, ...]
    values: np.ndarray


def utterance_vectors(latents: Latents, frames: Packed) -> dict[str, Vectors]:
    """Build every vector that is compared, by name: mu2, mu1, fbank.

    Raises:
        ArtifactError: latents and frames are not of the same utterances.
    """
    check_same_utterances(latents.utterance_ids, frames.utterance_ids)
    ids = latents.utterance_ids
    return {
        "mu2": Vectors(ids, latents.mu2.astype(np.float64)),
        "mu1": Vectors(ids, latents.mu1.astype(np.float64)),
        "fbank": frame_statistics(frames),
    }


def frame_statistics(frames: Packed) -> Vectors:
    """Compute mean and standard deviation of each utterance's normalized frames.

    Args:
        frames: rows `[frame, mel]`.

    Returns:
        `[utterance, 2 mel]`, utterances sorted: means first, then standard deviations.
    """
    statistics = {}
    for utterance_id, rows in frames.items():
        wide = rows.astype(np.float64)
        statistics[utterance_id] = np.concatenate([wide.mean(axis=0), wide.std(axis=0)])
    ids = tuple(sorted(statistics))
    return Vectors(ids, np.array([statistics[utterance_id] for utterance_id in ids]))


def check_same_utterances(latents: Iterable[str], frames: Iterable[str]) -> None:
    """Raise ArtifactError, naming one utterance, unless both have the same ones."""
    in_latents, in_frames = set(latents), set(frames)
    for name in sorted(in_latents ^ in_frames):
        place, other = ("latents", "fbank") if name in in_latents else ("fbank", "latents")
        raise ArtifactError(
            f"latents and fbank must hold the same utterances, {name} is in {place} and not in "
            f"{other} ({len(in_latents)} and {len(in_frames)} utterances); rerun latents"
        )
