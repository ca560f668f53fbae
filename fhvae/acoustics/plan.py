"""Which copies are made, and of what noise: drawn in one process, before any sound is.

A domain is `noise20`, `noise10`, `noise5` or `noise0` (additive noise at that many dB),
`telephone`, `room`, or one of `fhvae.acoustics.aurora`. Every draw is keyed by seed, family of
the domain and utterance id, so it depends on no order and no number of workers. All levels of
noise are one family: an utterance gets the same noise at 20 dB and at 0 dB, and only its
strength differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.acoustics import aurora
from fhvae.acoustics.noises import BABBLE, FOLDER, NoiseRecording
from fhvae.corpus.manifest import Utterance
from fhvae.corpus.store import Speakers
from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.extraction import Clip
from fhvae.features.fbank import frame_count
from fhvae.files.packed import FRAMES, SAMPLES, read_packed
from fhvae.params.domains import DomainsParams
from fhvae.seeds import generator

NOISE = "noise"


@dataclass(frozen=True)
class Voices:
    """The training utterances that babble is made of, by speaker, speakers sorted."""

    speakers: tuple[str, ...]
    clips: tuple[tuple[Clip, ...], ...]


@dataclass(frozen=True)
class Copy:
    """Everything that decides one degraded copy.

    Attributes:
        clip: the utterance.
        domain: such as "noise10".
        seed: of the run.
        noise: kind of noise; "" in domains without.
        voices: of babble; never the speaker of the utterance.
        recording: of noise from a folder.
        drawn_snr_db: where the domain leaves the ratio open.
        second_microphone: whether the speech is recorded through another microphone.
    """

    clip: Clip
    domain: str
    seed: int
    noise: str = ""
    voices: tuple[Clip, ...] = ()
    recording: NoiseRecording | None = None
    drawn_snr_db: float | None = None
    second_microphone: bool = False

    @property
    def snr_db(self) -> float | None:
        """The signal-to-noise ratio in dB; None without noise."""
        return snr_db(self.domain) if self.drawn_snr_db is None else self.drawn_snr_db


@dataclass(frozen=True)
class NoisePool:
    """What the noise of a set of copies is drawn from.

    Attributes:
        kinds: white, pink, speech_shaped, babble or folder; each as likely.
        voices: of the training split.
        domains: section `domains`: how many voices babble, shares and ratios of Aurora.
        recordings: of the kind folder.
    """

    kinds: tuple[str, ...]
    voices: Voices
    domains: DomainsParams
    recordings: tuple[NoiseRecording, ...] = ()


def snr_db(domain: str) -> float | None:
    """Read the signal-to-noise ratio off a domain's name: noise10 -> 10; None where none is."""
    return float(domain.removeprefix(NOISE)) if domain.startswith(NOISE) else None


def plan_copies(
    domain: str, clips: Sequence[Clip], speaker_of: Mapping[str, str], pool: NoisePool, seed: int
) -> list[Copy]:
    """Plan one copy per utterance.

    Raises:
        CorpusError: babble is asked for, and the training split has no other speaker.
    """
    return [plan_copy(domain, clip, speaker_of[clip.utterance_id], pool, seed) for clip in clips]


def plan_copy(domain: str, clip: Clip, speaker: str, pool: NoisePool, seed: int) -> Copy:
    """Plan the copy of one utterance, as `plan_copies` does."""
    if domain in aurora.DOMAINS:
        return _plan_aurora(domain, clip, speaker, pool, seed)
    if snr_db(domain) is None:
        return Copy(clip, domain, seed)
    return _plan_noisy(domain, clip, speaker, pool, seed)


def _plan_aurora(domain: str, clip: Clip, speaker: str, pool: NoisePool, seed: int) -> Copy:
    name, asked = clip.utterance_id, pool.domains
    if domain == aurora.MULTI:
        drawn = aurora.draw_training(
            asked.aurora_second_microphone,
            asked.aurora_noisy,
            asked.aurora_train_db,
            generator(seed, "aurora training", name),
        )
    else:  # a noise has its own draws, the same with either microphone
        kind = aurora.NOISY.get(domain, "")
        random = generator(seed, "aurora test", kind, name)
        drawn = aurora.draw_test(domain, asked.aurora_test_db, random)
    voices: tuple[Clip, ...] = ()
    if drawn.noise == BABBLE:
        voices = _other_voices(pool, clip, speaker, generator(seed, "aurora voices", name))
    return Copy(
        clip,
        domain,
        seed,
        drawn.noise,
        voices=voices,
        drawn_snr_db=drawn.snr_db,
        second_microphone=drawn.second_microphone,
    )


def _other_voices(
    pool: NoisePool, clip: Clip, speaker: str, random: np.random.Generator
) -> tuple[Clip, ...]:
    voices = draw_voices(pool, speaker, random)
    if not voices:
        raise CorpusError(
            f"utterance {clip.utterance_id}: babble must be of other training speakers, "
            f"{speaker} is the only one; take babble out of params.domains"
        )
    return voices


def _plan_noisy(domain: str, clip: Clip, speaker: str, pool: NoisePool, seed: int) -> Copy:
    random = generator(seed, "domain noise plan", clip.utterance_id)
    kind = pool.kinds[random.integers(len(pool.kinds))]
    if kind == BABBLE:
        return Copy(clip, domain, seed, kind, voices=_other_voices(pool, clip, speaker, random))
    if kind == FOLDER:
        recording = pool.recordings[random.integers(len(pool.recordings))]
        return Copy(clip, domain, seed, kind, recording=recording)
    return Copy(clip, domain, seed, kind)


def draw_voices(pool: NoisePool, speaker: str, random: np.random.Generator) -> tuple[Clip, ...]:
    """Draw different speakers, never the one given, and an utterance of each."""
    others = [place for place, name in enumerate(pool.voices.speakers) if name != speaker]
    count = min(pool.domains.babble_voices, len(others))
    chosen = [others[place] for place in random.permutation(len(others))[:count]]
    of_speaker = [pool.voices.clips[place] for place in chosen]
    return tuple(clips[random.integers(len(clips))] for clips in of_speaker)


def read_clips(samples: Path, frames: Path, hop_ms: float) -> list[Clip]:
    """Find the samples of exactly the utterances of a packed frames file, in its order.

    Args:
        samples: stem of the packed samples of a split.
        frames: stem of its packed frames.
        hop_ms: of the frames.

    Raises:
        ArtifactError: the two files do not belong together.
    """
    packed, kept = read_packed(samples, SAMPLES), read_packed(frames, FRAMES)
    clips = []
    for name, expected in zip(kept.utterance_ids, kept.lengths, strict=True):
        place = packed.position(name) if name in packed else None
        length = int(packed.lengths[place]) if place is not None else 0
        if place is None or frame_count(length, hop_ms) != expected:
            raise ArtifactError(
                f"{frames}.npy must hold the frames of {samples}.npy, utterance {name} has "
                f"{expected} frames and {length} samples; rerun the stage fbank"
            )
        clips.append(Clip.of(samples, packed, place, int(expected)))
    return clips


def group_voices(clips: Sequence[Clip], utterances: Sequence[Utterance]) -> Voices:
    """Sort the clips of the training split by speaker."""
    speaker_of = Speakers.of(utterances)
    by_speaker: dict[str, list[Clip]] = {}
    for clip in clips:
        by_speaker.setdefault(speaker_of[clip.utterance_id], []).append(clip)
    speakers = tuple(sorted(by_speaker))
    return Voices(speakers, tuple(tuple(by_speaker[name]) for name in speakers))
