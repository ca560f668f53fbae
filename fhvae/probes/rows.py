"""The rows that probes read: segments with their inputs, labels and speakers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.baselines.pca import Pca, apply_pca
from fhvae.baselines.pca import segment_rows as copy_segments
from fhvae.corpus.manifest import Phone, Utterance
from fhvae.corpus.store import Speakers, phone_at
from fhvae.errors import ArtifactError
from fhvae.features.fbank import frame_time_s
from fhvae.files.packed import Packed
from fhvae.inference import infer_latents
from fhvae.latents import Latents, check_within
from fhvae.model.weights import TrainedModel

CHUNK = 4096  # segments projected at a time: memory stays small on any corpus


@dataclass(frozen=True)
class StackedFrames:
    """All frames of each segment in one row, copied out of the packed frames when taken.

    Attributes:
        packed: frames of all utterances.
        starts: `[row]`, first row of each segment in the packed array.
        segment_frames: frames in a segment.
    """

    packed: Packed
    starts: np.ndarray
    segment_frames: int

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        """Copy the chosen rows, `[row, frame * mel]`."""
        segments = copy_segments(self.packed, self.starts[chosen], self.segment_frames)
        return segments.reshape(len(segments), -1)


@dataclass(frozen=True)
class Rows:
    """Segments of one split, one row each.

    Attributes:
        inputs: by name to `[row, dimension]` float32: the posterior means of z1 and z2 and both
            end to end, mu2 of the utterance, the normalized frame at the center of the segment,
            and what else `segment_rows` was given.
        utterance_ids, speakers: `[row]`.
        center_frames: `[row]`, frame at the center of the segment.
    """

    inputs: Mapping[str, np.ndarray | StackedFrames]
    utterance_ids: np.ndarray
    speakers: np.ndarray
    center_frames: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.speakers)


@dataclass(frozen=True)
class Coders:
    """What turns frames into the codes that are compared; None where one is not asked for.

    Attributes:
        trained: the model.
        untrained: the same network before training.
        pca: fitted on train segments.
    """

    trained: TrainedModel
    untrained: TrainedModel | None = None
    pca: Pca | None = None

    @property
    def networks(self) -> dict[str, TrainedModel]:
        """Name each network by the code that its z1 is."""
        twin = {} if self.untrained is None else {"untrained": self.untrained}
        return {"z1": self.trained, **twin}


@dataclass(frozen=True)
class Controls:
    """What the codes are compared with; None where it is not asked for.

    Attributes:
        untrained: latents of the same segments from the untrained network.
        pca: fitted on train segments.
        stacked: whether to keep all frames of a segment as an input.
    """

    untrained: Latents | None = None
    pca: Pca | None = None
    stacked: bool = False


@dataclass(frozen=True)
class LabeledRows:
    """Rows with what a probe must say about them.

    Attributes:
        inputs: by name to `[row, dimension]`.
        labels: `[row]` text, or numbers for a regression.
        speakers: `[row]` text.
    """

    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray
    speakers: np.ndarray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)


def segment_rows(
    latents: Latents,
    frames: Packed,
    utterances: Sequence[Utterance],
    controls: Controls | None = None,
) -> Rows:
    """Lay out the segments of one split.

    Raises:
        ArtifactError: an utterance of the latents has no frames, too few of them, or is not
            in this split of the manifest; or the controls are of other segments.
    """
    controls = controls or Controls()
    speakers = Speakers.of(utterances)
    check_within(latents, frames)
    _check_split(latents, speakers)
    centers = latents.center_frames
    offsets = np.zeros(len(centers), np.int64)
    for utterance_id, segments in latents.slices():
        offsets[segments] = frames.offsets[frames.position(utterance_id)]
    inputs: dict[str, np.ndarray | StackedFrames] = {
        "z1": latents.z1_mean,
        "z2": latents.z2_mean,
        "mu2": latents.mu2[latents.segment_utterance],
        "z1z2": np.hstack([latents.z1_mean, latents.z2_mean]),
        "fbank": frames.take(offsets + centers),
    }
    stacked = StackedFrames(frames, offsets + latents.starts, latents.segment_frames)
    ids = np.repeat(np.array(latents.utterance_ids), latents.lengths)
    return Rows(
        inputs=inputs | _control_inputs(controls, latents, stacked),
        utterance_ids=ids,
        speakers=np.array([speakers[utterance_id] for utterance_id in ids]),
        center_frames=centers,
    )


def encode_rows(
    frames: Packed, coders: Coders, shift: int, utterances: Sequence[Utterance]
) -> Rows:
    """Infer latents of frames, `shift` frames apart, and lay them out with the controls beside."""
    latents = infer_latents(coders.trained, frames, shift)
    untrained = infer_latents(coders.untrained, frames, shift) if coders.untrained else None
    return segment_rows(latents, frames, utterances, Controls(untrained, coders.pca))


def _control_inputs(
    controls: Controls, latents: Latents, stacked: StackedFrames
) -> dict[str, np.ndarray | StackedFrames]:
    found: dict[str, np.ndarray | StackedFrames] = {}
    if controls.untrained is not None:
        _check_same_segments(latents, controls.untrained)
        found["untrained"] = controls.untrained.z1_mean
    if controls.pca is not None:
        found["pca"] = project(controls.pca, stacked)
    if controls.stacked:
        found["stacked"] = stacked
    return found


def project(pca: Pca, stacked: StackedFrames) -> np.ndarray:
    """Apply a PCA to segments, `[row, direction]` float32, a few thousand at a time."""
    frames = stacked.segment_frames
    parts = [
        apply_pca(pca, copy_segments(stacked.packed, stacked.starts[place : place + CHUNK], frames))
        for place in range(0, len(stacked.starts), CHUNK)
    ]
    return np.concatenate(parts)


def _check_same_segments(latents: Latents, untrained: Latents) -> None:
    same = latents.utterance_ids == untrained.utterance_ids
    if not (same and np.array_equal(latents.starts, untrained.starts)):
        raise ArtifactError(
            "the latents of the untrained network must be of the same segments as the latents, "
            f"found {len(untrained.starts)} and {len(latents.starts)}; rerun baselines"
        )


def _check_split(latents: Latents, speakers: Mapping[str, str]) -> None:
    for utterance_id in latents.utterance_ids:
        if utterance_id not in speakers:
            raise ArtifactError(
                f"utterance {utterance_id} of the latents must be in the same split of the "
                "manifest and is not; rerun fbank and latents"
            )


def label(
    rows: Rows,
    labels: Sequence[str | float | None],
    most: int | None = None,
    random: np.random.Generator | None = None,
) -> LabeledRows:
    """Give rows their labels; rows without one (None) are left out.

    Args:
        rows: segments.
        labels: `[row]` text, or numbers.
        most: rows to keep, at most; more are sampled without replacement, their order kept.
        random: needed with `most`.
    """
    kept = np.array([place for place, name in enumerate(labels) if name is not None], np.int64)
    if most is not None and random is not None and len(kept) > most:
        kept = kept[np.sort(random.permutation(len(kept))[:most])]
    found = [labels[place] for place in kept]
    numbers = bool(found) and isinstance(found[0], float)
    return LabeledRows(
        inputs={name: values[kept] for name, values in rows.inputs.items()},
        labels=np.array(found, dtype=np.float64 if numbers else str),
        speakers=rows.speakers[kept],
    )


def by_utterance(rows: Rows, labels: Mapping[str, str | float | None]) -> list[str | float | None]:
    """Look up the label of each row's utterance; None where it has none."""
    return [labels.get(utterance_id) for utterance_id in rows.utterance_ids.tolist()]


def phones_of(
    rows: Rows, phones: Mapping[str, tuple[Phone, ...]], hop_ms: float
) -> list[str | None]:
    """Look up the phone spoken at the center frame of each row; None outside the alignment.

    Args:
        rows: segments.
        phones: alignments by utterance id.
        hop_ms: time from frame to frame; frame n is centered at n hops.
    """
    return [
        phone_at(phones[utterance_id], frame_time_s(int(frame), hop_ms))
        if utterance_id in phones
        else None
        for utterance_id, frame in zip(rows.utterance_ids, rows.center_frames, strict=True)
    ]


def take(rows: LabeledRows, chosen: np.ndarray) -> LabeledRows:
    """Select rows by position or by a mask."""
    return LabeledRows(
        inputs={name: values[chosen] for name, values in rows.inputs.items()},
        labels=rows.labels[chosen],
        speakers=rows.speakers[chosen],
    )


def sample(rows: LabeledRows, most: int, random: np.random.Generator) -> LabeledRows:
    """Keep all rows, or a sample of `most` without replacement, their order kept."""
    if len(rows) <= most:
        return rows
    return take(rows, np.sort(random.permutation(len(rows))[:most]))


def join(parts: Sequence[LabeledRows]) -> LabeledRows:
    """Put rows end to end."""
    return LabeledRows(
        inputs={
            name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs
        },
        labels=np.concatenate([part.labels for part in parts]),
        speakers=np.concatenate([part.speakers for part in parts]),
    )
