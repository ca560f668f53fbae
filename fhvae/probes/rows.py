"""The rows that probes read: segments with their inputs, labels and speakers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.artifacts import Packed
from fhvae.corpus.manifest import Phone, Utterance
from fhvae.corpus.store import phone_at
from fhvae.errors import ArtifactError
from fhvae.features.fbank import frame_time_s
from fhvae.latents import Latents

INPUTS = ("z1", "z2", "fbank")


@dataclass(frozen=True)
class Rows:
    """Segments of one split, one row each.

    Attributes:
        inputs: by name (`INPUTS`) to `[row, dimension]` float32: the posterior means of z1
            and z2, and the normalized frame at the centre of the segment.
        utterance_ids, speakers: `[row]`.
        centre_frames: `[row]`, frame at the centre of the segment.
    """

    inputs: Mapping[str, np.ndarray]
    utterance_ids: np.ndarray
    speakers: np.ndarray
    centre_frames: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.speakers)


@dataclass(frozen=True)
class LabelledRows:
    """Rows with what a probe must say about them.

    Attributes:
        inputs: by name to `[row, dimension]`.
        labels: `[row]` text.
        speakers: `[row]` text.
    """

    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray
    speakers: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)


def segment_rows(latents: Latents, frames: Packed, utterances: Sequence[Utterance]) -> Rows:
    """Lay out the segments of one split.

    Raises:
        ArtifactError: an utterance of the latents has no frames, too few of them, or is not
            in this split of the manifest.
    """
    speakers = {utterance.utterance_id: utterance.speaker for utterance in utterances}
    positions = {utterance_id: place for place, utterance_id in enumerate(frames.utterance_ids)}
    _check_same_utterances(latents, positions, speakers)
    centres = latents.centre_frames
    picked = []
    for utterance_id, segments in latents.slices():
        own = frames[positions[utterance_id]]
        if centres[segments].max() >= len(own):
            raise ArtifactError(
                f"utterance {utterance_id}: the latents reach frame {centres[segments].max()}, "
                f"fbank has {len(own)} frames; rerun latents"
            )
        picked.append(own[centres[segments]])
    ids = np.repeat(np.array(latents.utterance_ids), latents.lengths)
    return Rows(
        inputs={"z1": latents.z1_mean, "z2": latents.z2_mean, "fbank": np.concatenate(picked)},
        utterance_ids=ids,
        speakers=np.array([speakers[utterance_id] for utterance_id in ids]),
        centre_frames=centres,
    )


def _check_same_utterances(
    latents: Latents, frames: Mapping[str, int], speakers: Mapping[str, str]
) -> None:
    for utterance_id in sorted(set(latents.utterance_ids) ^ set(frames)):
        place = "fbank" if utterance_id in frames else "latents"
        raise ArtifactError(
            f"latents and fbank must hold the same utterances, {utterance_id} is in {place} only; "
            "rerun latents"
        )
    for utterance_id in latents.utterance_ids:
        if utterance_id not in speakers:
            raise ArtifactError(
                f"utterance {utterance_id} of the latents must be in the same split of the "
                "manifest and is not; rerun fbank and latents"
            )


def label(rows: Rows, labels: Sequence[str | None]) -> LabelledRows:
    """Give rows their labels; rows without one (None) are left out."""
    kept = np.array([name is not None for name in labels], dtype=bool)
    return LabelledRows(
        inputs={name: values[kept] for name, values in rows.inputs.items()},
        labels=np.array([name for name in labels if name is not None], dtype=str),
        speakers=rows.speakers[kept],
    )


def phones_of(
    rows: Rows, phones: Mapping[str, tuple[Phone, ...]], hop_ms: float
) -> list[str | None]:
    """Look up the phone spoken at the centre frame of each row; None outside the alignment.

    Args:
        rows: segments.
        phones: alignments by utterance id.
        hop_ms: time from frame to frame; frame n is centred at n hops.
    """
    return [
        phone_at(phones[utterance_id], frame_time_s(int(frame), hop_ms))
        if utterance_id in phones
        else None
        for utterance_id, frame in zip(rows.utterance_ids, rows.centre_frames, strict=True)
    ]


def sample_rows(rows: LabelledRows, most: int, random: np.random.Generator) -> LabelledRows:
    """Keep at most `most` rows, drawn without replacement, in their order."""
    if len(rows) <= most:
        return rows
    return take(rows, np.sort(random.permutation(len(rows))[:most]))


def take(rows: LabelledRows, chosen: np.ndarray) -> LabelledRows:
    """Select rows by position or by a mask."""
    return LabelledRows(
        inputs={name: values[chosen] for name, values in rows.inputs.items()},
        labels=rows.labels[chosen],
        speakers=rows.speakers[chosen],
    )
