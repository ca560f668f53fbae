"""One vector per utterance: mu2, means of z1 and z2, statistics of the frames."""

from collections.abc import Iterable, Sequence

import numpy as np

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.latents import Latents
from fhvae.trials.cosine import Vectors


def latent_vectors(latents: Latents) -> dict[str, Vectors]:
    """Build the vectors that come from latents, by name.

    Returns:
        mu2: closed-form posterior mean of the utterance.
        z2: plain mean of z2 over the segments.
        mu1: mean of z1 over the segments: it should not know who.
        z1_stats: mean and standard deviation of z1 over the segments.
    """
    ids = latents.utterance_ids
    return {
        "mu2": Vectors(ids, latents.mu2.astype(np.float64)),
        "z2": Vectors(ids, segment_means(latents, latents.z2_mean)),
        "mu1": Vectors(ids, latents.mu1.astype(np.float64)),
        "z1_stats": segment_statistics(latents, latents.z1_mean),
    }


def segment_means(latents: Latents, values: np.ndarray) -> np.ndarray:
    """Average values `[segment, dimension]` over the segments of each utterance, float64."""
    sums = np.add.reduceat(values.astype(np.float64), latents.offsets, axis=0)
    return np.asarray(sums / latents.lengths[:, None])


def segment_statistics(latents: Latents, values: np.ndarray) -> Vectors:
    """Compute mean and standard deviation of values over the segments of each utterance.

    Args:
        latents: they say which segment is whose.
        values: `[segment, dimension]`.

    Returns:
        `[utterance, 2 dimension]`: means first, then standard deviations.
    """
    means = segment_means(latents, values)
    away = values - means[latents.segment_utterance]
    spreads = np.sqrt(segment_means(latents, away**2))
    return Vectors(latents.utterance_ids, np.hstack([means, spreads]))


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


def packed_vectors(packed: Packed) -> Vectors:
    """Take vectors that were packed one row per utterance, such as i-vectors.

    Raises:
        ArtifactError: an utterance has not one row; the message names it.
    """
    for utterance_id, length in zip(packed.utterance_ids, packed.lengths, strict=True):
        if length != 1:
            raise ArtifactError(
                f"utterance {utterance_id} must have one i-vector, found {length}; rerun ivector"
            )
    order = sorted(range(len(packed)), key=lambda position: packed.utterance_ids[position])
    ids = tuple(packed.utterance_ids[position] for position in order)
    return Vectors(ids, np.array(packed.rows, np.float64)[packed.offsets[order]])


def random_vectors(
    utterance_ids: Sequence[str], dimension: int, random: np.random.Generator
) -> Vectors:
    """Draw vectors that know nothing, each number from N(0, 1): the bottom of every table."""
    return Vectors(tuple(utterance_ids), random.normal(size=(len(utterance_ids), dimension)))


def check_same_utterances(
    first: Iterable[str], second: Iterable[str], names: tuple[str, str] = ("latents", "fbank")
) -> None:
    """Raise ArtifactError, naming one utterance, unless both have the same ones.

    Args:
        first, second: utterance ids.
        names: of the stages that wrote them; the first is the one to rerun.
    """
    in_first, in_second = set(first), set(second)
    for name in sorted(in_first ^ in_second):
        place, other = names if name in in_first else names[::-1]
        raise ArtifactError(
            f"{names[0]} and {names[1]} must hold the same utterances, {name} is in {place} and "
            f"not in {other} ({len(in_first)} and {len(in_second)} utterances); rerun {names[0]}"
        )
