"""Degraded copies as sound, as frames and as files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.acoustics.activity import active_samples
from fhvae.acoustics.noises import make_noise, read_sound
from fhvae.acoustics.plan import Copy
from fhvae.acoustics.telephone import telephone
from fhvae.corpus.signals import (
    equalize,
    from_int16,
    limiting_gain,
    noise_gain,
    reverberate,
    rms,
    room_response,
    to_int16,
)
from fhvae.errors import CorpusError
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import PackedWriter
from fhvae.parallel import map_in_order
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.seeds import generator


@dataclass(frozen=True)
class Acoustics:
    """What the sound of all copies is made with.

    Attributes:
        domains: section `domains`.
        speech_power: `[frequency]`, long-term spectrum of training speech, where it is needed.
    """

    domains: DomainsParams
    speech_power: np.ndarray | None = None


@dataclass(frozen=True)
class Workshop:
    """What the frames of all copies are made with.

    Attributes:
        acoustics: of their sound.
        fbank: section `fbank`.
        normalizer: of the clean training frames; the copies get no statistics of their own.
    """

    acoustics: Acoustics
    fbank: FbankParams
    normalizer: Normalizer


@dataclass(frozen=True)
class Draws:
    """What was drawn for a copy, and the ratio it came out with; a row of draws.csv.

    Attributes:
        noise: kind, with the class of a recording: folder/rain.
        microphone: "second", or "" where it is the corpus's own.
        sources: ids of the voices or of the recording, joined by blanks.
        snr_db: measured on the int16 samples of the copy, over the active part.
        gain: below 1 where the copy was lowered to stay within full scale.
    """

    domain: str
    split: str
    utterance_id: str
    noise: str = ""
    sources: str = ""
    snr_db: float | None = None
    rt60_s: float | None = None
    direct_to_reverb_db: float | None = None
    gain: float = 1.0
    microphone: str = ""


@dataclass(frozen=True)
class Degraded:
    """A copy as `[sample]` float64 before rounding, with what was drawn for it."""

    signal: np.ndarray
    draws: Draws


def degrade(acoustics: Acoustics, copy: Copy) -> Degraded:
    """Make the sound of a copy.

    Raises:
        CorpusError: the utterance, or the noise where it speaks, is silent.
    """
    speech = read_sound(copy.clip)
    draws = Draws(copy.domain, copy.clip.stem.name, copy.clip.utterance_id)
    if copy.second_microphone:
        speech = equalize(speech, generator(copy.seed, "domain microphone", draws.utterance_id))
        draws = replace(draws, microphone="second")
    if copy.snr_db is not None:
        return _add_noise(acoustics, copy, speech, draws)
    if copy.domain == "telephone":
        return _limited(telephone(speech), draws)
    if copy.domain == "room":
        return _play_in_room(acoustics.domains, copy, speech, draws)
    return _limited(speech, draws)


def _limited(signal: np.ndarray, draws: Draws, **known: Any) -> Degraded:
    return Degraded(signal, replace(draws, gain=limiting_gain(signal), **known))


def _play_in_room(params: DomainsParams, copy: Copy, speech: np.ndarray, draws: Draws) -> Degraded:
    random = generator(copy.seed, "domain room", copy.clip.utterance_id)
    least_s, most_s = params.room_rt60_s
    least_db, most_db = params.room_direct_to_reverb_db
    rt60_s, ratio_db = random.uniform(least_s, most_s), random.uniform(least_db, most_db)
    heard = reverberate(speech, room_response(rt60_s, ratio_db, random))
    return _limited(heard, draws, rt60_s=rt60_s, direct_to_reverb_db=ratio_db)


def _add_noise(acoustics: Acoustics, copy: Copy, speech: np.ndarray, draws: Draws) -> Degraded:
    """Add noise so that the ratio over the active part of the speech is the domain's."""
    range_db = acoustics.domains.active_range_db
    active = active_samples(speech, range_db)
    noise = make_noise(copy, active, acoustics.speech_power, range_db)
    if not noise[active].any():
        raise CorpusError(
            f"utterance {draws.utterance_id}: its noise ({copy.noise}) must sound where it "
            "speaks, every sample is 0; take the kind out of params.domains"
        )
    wanted_db = copy.snr_db or 0.0
    noisy = speech + noise_gain(speech[active], noise[active], wanted_db) * noise
    return _limited(
        noisy,
        draws,
        noise=copy.noise if copy.recording is None else f"{copy.noise}/{copy.recording.kind}",
        sources=" ".join(_sources(copy)),
        snr_db=measured_snr_db(speech, noisy, active),
    )


def _sources(copy: Copy) -> list[str]:
    recording = [] if copy.recording is None else [copy.recording.noise_id]
    return [clip.utterance_id for clip in copy.voices] + recording


def measured_snr_db(speech: np.ndarray, noisy: np.ndarray, active: np.ndarray) -> float:
    """Measure the ratio of a copy as it is written: rounded, and lowered where it was."""
    clean = speech * limiting_gain(noisy)
    rest = from_int16(to_int16(noisy)) - clean
    return float(20 * np.log10(rms(clean[active]) / rms(rest[active])))


@dataclass(frozen=True)
class Rendered:
    """A copy as normalized frames `[frame, mel]` float32."""

    frames: np.ndarray
    draws: Draws


def render(workshop: Workshop, copy: Copy) -> Rendered:
    """Make a copy and compute its frames, as the stage fbank does for the original."""
    degraded = degrade(workshop.acoustics, copy)
    frames = log_mel(to_int16(degraded.signal), workshop.fbank)
    return Rendered(workshop.normalizer.apply(frames), degraded.draws)


def write_copies(folder: Path, copies: Sequence[Copy], workshop: Workshop) -> list[Draws]:
    """Write the copies of one domain and split to `folder/<domain>/<split>.npy/.csv`."""
    domain, split = copies[0].domain, copies[0].clip.stem.name
    drawn = []
    rendered = map_in_order(partial(render, workshop), copies, f"{domain} {split}")
    fbank = workshop.fbank
    with PackedWriter(folder / domain / split, fbank.store, (fbank.mels,)) as writer:
        for copy, one in zip(copies, rendered, strict=True):
            writer.append(copy.clip.utterance_id, one.frames)
            drawn.append(one.draws)
    return drawn
