"""The sequences of codes that the speaker attack reads, one row per segment of the same grid."""

import numpy as np

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.latents import Latents
from fhvae.verification.vectors import check_same_utterances


def code_sequences(latents: Latents, untrained: Latents, frames: Packed) -> dict[str, Packed]:
    """Lay out every kind of code that is attacked, by name.

    Args:
        latents: of the trained model.
        untrained: of the model before its first step.
        frames: normalized, of the same utterances.

    Returns:
        z1: posterior means.
        z1_without_mu1: less their mean over the utterance.
        untrained: z1 of the untrained model.
        fbank: mean of the frames of each segment.

    Raises:
        ArtifactError: the three are not of the same utterances and segments.
    """
    check_same_utterances(latents.utterance_ids, frames.utterance_ids)
    check_same_utterances(untrained.utterance_ids, latents.utterance_ids, ("controls", "latents"))
    if not np.array_equal(latents.lengths, untrained.lengths):
        raise ArtifactError(
            "latents and controls must be on one grid of segments, they have "
            f"{latents.lengths.sum()} and {untrained.lengths.sum()} segments; rerun controls"
        )
    means = latents.mu1[latents.segment_utterance]
    return {
        "z1": _packed(latents, latents.z1_mean),
        "z1_without_mu1": _packed(latents, latents.z1_mean - means),
        "untrained": _packed(untrained, untrained.z1_mean),
        "fbank": _packed(latents, segment_frame_means(latents, frames)),
    }


def _packed(latents: Latents, rows: np.ndarray) -> Packed:
    return Packed(
        np.asarray(rows, np.float32), latents.utterance_ids, latents.offsets, latents.lengths
    )


def segment_frame_means(latents: Latents, frames: Packed) -> np.ndarray:
    """Average the frames that each segment was inferred from, `[segment, mel]` float32."""
    places = {name: place for place, name in enumerate(frames.utterance_ids)}
    means = np.empty((len(latents.starts), frames.rows.shape[1]), np.float32)
    for utterance_id, segments in latents.slices():
        rows = frames[places[utterance_id]].astype(np.float64)
        sums = np.concatenate([np.zeros((1, rows.shape[1])), rows.cumsum(axis=0)])
        starts = latents.starts[segments]
        totals = sums[starts + latents.segment_frames] - sums[starts]
        means[segments] = totals / latents.segment_frames
    return means
