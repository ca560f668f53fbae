"""Packed samples -> packed speech frames -> statistics, in worker processes and in order.

The frames of a corpus lie in packed files meanwhile: memory is that of the statistics.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.baselines.ivector.speech import SpeechFrames, feature_count, speech_frames
from fhvae.baselines.ivector.ubm import Statistics, Ubm, baum_welch
from fhvae.errors import ArtifactError
from fhvae.features.extraction import Clip
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.parallel import map_in_order
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import FrontEnd, IvectorParams

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpeechCounts:
    """How much speech was found in a split.

    Attributes:
        split: its name.
        utterances: counted.
        frames: before the detector.
        speech_frames: used.
        without_speech: ids of utterances taken whole, for the detector found too little.
    """

    split: str
    utterances: int
    frames: int
    speech_frames: int
    without_speech: tuple[str, ...]

    def metrics(self) -> dict[str, Any]:
        """Lay out the counts; warn of utterances that were taken whole."""
        if self.without_speech:
            log.warning(
                "%s: too little speech found in %d of %d utterances, all their frames are taken: "
                "%s",
                self.split,
                len(self.without_speech),
                self.utterances,
                ", ".join(self.without_speech),
            )
        return {
            "utterances": self.utterances,
            "frames": self.frames,
            "speech_frames": self.speech_frames,
            "speech_share": self.speech_frames / self.frames,
            "without_speech": len(self.without_speech),
        }


def clips_of(stem: Path, utterance_ids: Sequence[str]) -> list[Clip]:
    """Find utterances in a packed file, in the order of their ids.

    Raises:
        ArtifactError: one is not there.
    """
    packed = read_packed(stem)
    missing = sorted(set(utterance_ids) - set(packed.utterance_ids))
    if missing:
        raise ArtifactError(
            f"{stem}.csv must hold every utterance that fbank kept, {missing[0]} is missing; "
            "rerun fbank"
        )
    return [
        Clip.of(stem, packed, packed.position(name), frames=0) for name in sorted(utterance_ids)
    ]


def write_speech(
    stem: Path, clips: Sequence[Clip], front: FrontEnd, params: IvectorParams, fbank: FbankParams
) -> SpeechCounts:
    """Compute the speech frames of clips and pack them in the order given."""
    total, kept, without = 0, 0, []
    found = map_in_order(partial(_clip_speech, front, params, fbank), clips, f"speech {stem.name}")
    with PackedWriter(stem, "float32", (feature_count(params),)) as writer:
        for clip, speech in zip(clips, found, strict=True):
            writer.append(clip.utterance_id, speech.frames)
            total += speech.total
            kept += len(speech.frames)
            if not speech.detected:
                without.append(clip.utterance_id)
    return SpeechCounts(stem.name, len(clips), total, kept, tuple(without))


def _clip_speech(
    front: FrontEnd, params: IvectorParams, fbank: FbankParams, clip: Clip
) -> SpeechFrames:
    return speech_frames(clip.samples(), front, params, fbank)


def sample_frames(stem: Path, most: int, random: np.random.Generator) -> np.ndarray:
    """Draw at most so many frames of a packed file, `[frame, feature]`, in their order."""
    rows = read_packed(stem).rows
    chosen = np.sort(random.permutation(len(rows))[:most])
    return np.asarray(rows[chosen])


def collect_statistics(stem: Path, normalizer: Normalizer, ubm: Ubm) -> Statistics:
    """Collect the statistics of every utterance of packed speech frames, sorted by id."""
    clips = clips_of(stem, read_packed(stem).utterance_ids)
    work = partial(_clip_statistics, normalizer, ubm)
    parts = list(map_in_order(work, clips, f"statistics {stem.name}"))
    return Statistics(
        np.stack([part.counts for part in parts]), np.stack([part.sums for part in parts])
    )


def _clip_statistics(normalizer: Normalizer, ubm: Ubm, clip: Clip) -> Statistics:
    return baum_welch(ubm, normalizer.apply(clip.samples()))
