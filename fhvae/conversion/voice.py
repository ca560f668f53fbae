"""What is known of the voice of a recording: mu2, and where its pitch lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.conversion.pitch import PitchRange, pitch_range, track_pitch
from fhvae.corpus.audio import named
from fhvae.errors import ArtifactError, CorpusError
from fhvae.inference import infer_groups, mu2_by_rule
from fhvae.latents import PER_SEGMENT, Latents
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.weights import TrainedModel
from fhvae.recording import Mix, Recording
from fhvae.segments import gather

CHUNK_SEGMENTS = 512  # encoded at a time; bounds memory


@dataclass(frozen=True)
class Voice:
    """Who speaks in a recording, as far as the model knows.

    Attributes:
        mu2: `[z2]` float64.
        f0: `[frame]` Hz, as `track_pitch` follows it.
    """

    mu2: np.ndarray
    f0: np.ndarray

    @property
    def pitch(self) -> PitchRange | None:
        """Range of the voiced parts; None where no voice is heard."""
        return pitch_range(self.f0)


def encode(trained: TrainedModel, recording: Recording, mix: Mix) -> Latents:
    """Infer the latents of one recording, as `infer_groups` does, in bounded memory.

    Args:
        trained: the model, whose `segments.shift` is the grid.
        recording: its name stands in messages.
        mix: its 16 kHz mix.

    Raises:
        CorpusError: it is shorter than a segment.
        ArtifactError: the model makes no numbers of it.
    """
    check_length(trained, recording, mix)
    parts = [
        found
        for frames in _chunks(trained, mix)
        for found in infer_groups(trained, [("", frames)], trained.segments.shift)
    ]
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_SEGMENT}
    z2 = DiagonalGaussian(
        torch.from_numpy(found["z2_mean"]), torch.from_numpy(found["z2_log_variance"])
    )
    count = len(found["z2_mean"])
    utterance = torch.zeros(count, dtype=torch.int64)
    mu2 = mu2_by_rule(trained.mu2, z2, utterance, trained.network.params)
    check_finite(recording, found["z1_mean"], found["z2_mean"], mu2.numpy())
    return Latents(
        utterance_ids=(recording.name,),
        offsets=np.zeros(1, np.int64),
        lengths=np.array([count]),
        starts=np.arange(count, dtype=np.int32) * trained.segments.shift,
        mu2=mu2.numpy(),
        segment_frames=trained.segments.frames,
        **found,
    )


def check_length(trained: TrainedModel, recording: Recording, mix: Mix) -> None:
    """Raise CorpusError if a recording is shorter than a segment."""
    least, hop_ms = trained.segments.frames, trained.fbank.hop_ms
    if mix.frames(trained.fbank) < least:
        with named(recording.name):
            raise CorpusError(
                f"must last at least {(least - 1) * hop_ms:g} ms, one segment of the model, "
                f"it lasts {1000 * recording.samples / recording.rate_hz:.0f} ms"
            )


def check_finite(recording: Recording, *computed: np.ndarray) -> None:
    """Raise ArtifactError if what a model computed of a recording are no numbers."""
    if not all(np.isfinite(one).all() for one in computed):
        raise ArtifactError(
            f"{recording.name}: what the model computes of it must be finite numbers, it is not; "
            "the model is damaged: copy its folder again, or take another"
        )


def _chunks(trained: TrainedModel, mix: Mix) -> Iterator[np.ndarray]:
    """Walk over normalized frames `[frame, mel]` of `CHUNK_SEGMENTS` segments of the grid each."""
    shift, length = trained.segments.shift, trained.segments.frames
    count = (mix.frames(trained.fbank) - length) // shift + 1
    for first in range(0, count, CHUNK_SEGMENTS):
        last = min(first + CHUNK_SEGMENTS, count) - 1
        raw = mix.log_mel(first * shift, last * shift + length, trained.fbank)
        yield trained.normalizer.apply(raw)


@torch.inference_mode()
def mu2_of(trained: TrainedModel, recording: Recording, mix: Mix) -> np.ndarray:
    """Infer mu2 alone, `[z2]` float32: z1 costs as much again and is not needed for it.

    Raises:
        CorpusError: the recording is shorter than a segment.
        ArtifactError: the model makes no numbers of it.
    """
    check_length(trained, recording, mix)
    network, length = trained.network, trained.segments.frames
    parts = []
    for frames in _chunks(trained, mix):
        starts = torch.arange(0, len(frames) - length + 1, trained.segments.shift)
        parts.append(network.encode_z2(gather(torch.from_numpy(frames), starts, length)))
    z2 = DiagonalGaussian(
        torch.cat([part.mean for part in parts]), torch.cat([part.log_variance for part in parts])
    )
    own = torch.zeros(len(z2.mean), dtype=torch.int64)
    mu2 = np.asarray(mu2_by_rule(trained.mu2, z2, own, network.params)[0].numpy())
    check_finite(recording, mu2)
    return mu2


def voice_of(trained: TrainedModel, recording: Recording, mix: Mix) -> Voice:
    """Find mu2 and follow the pitch of a recording."""
    mu2 = mu2_of(trained, recording, mix).astype(np.float64)
    return Voice(mu2=mu2, f0=track_pitch(mix))


def common_voice(voices: Sequence[Voice]) -> Voice:
    """Average mu2 over several recordings of one speaker, and take their pitch together."""
    return Voice(
        mu2=np.mean([voice.mu2 for voice in voices], axis=0),
        f0=np.concatenate([voice.f0 for voice in voices]),
    )
