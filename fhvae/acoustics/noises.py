"""The noises themselves: drawn, summed from voices, or cut from a recording."""

from collections.abc import Sequence

import numpy as np

from fhvae.acoustics.activity import FRAME, active_frames, active_samples
from fhvae.acoustics.plan import BABBLE, FOLDER, HUM, SPEECH_SHAPED, Copy
from fhvae.corpus.audio import read_audio
from fhvae.corpus.signals import coloured_noise, from_int16, hum, rms, shaped_noise
from fhvae.errors import CorpusError
from fhvae.features.extraction import Clip
from fhvae.seeds import generator

SPECTRUM_POINTS = 512  # 31 Hz apart: formants, no harmonics
SPECTRUM_UTTERANCES = 500  # a seeded sample of the training utterances beyond this


def read_sound(clip: Clip) -> np.ndarray:
    """Read an utterance, `[sample]` float64, full scale 1.

    Raises:
        CorpusError: it is silent throughout: it has no level and no spectrum.
    """
    samples = clip.samples()
    if not samples.any():
        raise CorpusError(f"utterance {clip.utterance_id} must hold sound, every sample is 0")
    return from_int16(samples)


def make_noise(
    copy: Copy, active: np.ndarray, speech_power: np.ndarray | None, range_db: float
) -> np.ndarray:
    """Make the noise of a copy, at any level.

    Args:
        copy: its plan.
        active: `[sample]` bool, where the utterance speaks.
        speech_power: `[frequency]`, for speech-shaped noise.
        range_db: below the loud parts of a voice or recording; further down it pauses.

    Returns:
        `[sample]`, as long as `active`, never silent throughout the active part.
    """
    random = generator(copy.seed, "domain noise", copy.clip.utterance_id)
    if copy.noise == BABBLE:
        voices = [read_sound(clip) for clip in copy.voices]
        return sum_voices(voices, active, range_db, random)
    if copy.noise == FOLDER and copy.recording is not None:
        samples = read_audio(copy.recording.path, copy.recording.noise_id, noun="noise")
        return looped(from_int16(samples), active, range_db, random)
    if copy.noise == SPEECH_SHAPED and speech_power is not None:
        return shaped_noise(len(active), speech_power, random)
    if copy.noise == HUM:
        return hum(len(active), random)
    return coloured_noise(len(active), copy.noise, random)


def sum_voices(
    voices: Sequence[np.ndarray], active: np.ndarray, range_db: float, random: np.random.Generator
) -> np.ndarray:
    """Let voices speak at once, each equally loud while it speaks and from a random point on."""
    total = np.zeros(len(active))
    for voice in voices:
        loudness = rms(voice[active_samples(voice, range_db)])
        total += looped(voice, active, range_db, random) / loudness
    return total


def looped(
    source: np.ndarray, active: np.ndarray, range_db: float, random: np.random.Generator
) -> np.ndarray:
    """Play a recording round and round, from a random point on.

    A frame in which it sounds falls on the first active frame of the utterance, so that a
    recording with pauses has a level there.
    """
    starts = FRAME * np.flatnonzero(active_frames(source, range_db))
    first = int(starts[random.integers(len(starts))]) - int(np.argmax(active))
    return np.asarray(source[(first + np.arange(len(active))) % len(source)])


def speech_spectrum(clips: Sequence[Clip], seed: int) -> np.ndarray:
    """Estimate the long-term power spectrum of training speech, every utterance as loud.

    Returns:
        `[frequency]` of equal steps from 0 to 8 kHz, sum 1.
    """
    chosen = list(clips)
    if len(chosen) > SPECTRUM_UTTERANCES:
        random = generator(seed, "domain spectrum")
        places = random.choice(len(chosen), SPECTRUM_UTTERANCES, replace=False)
        chosen = [chosen[place] for place in sorted(places)]
    total = np.sum([utterance_spectrum(read_sound(clip)) for clip in chosen], axis=0)
    return np.asarray(total / total.sum())


def utterance_spectrum(signal: np.ndarray) -> np.ndarray:
    """Average the power spectrum of an utterance over half-overlapping frames, sum 1."""
    padded = np.pad(signal, SPECTRUM_POINTS)  # so that the first and last samples count as well
    frames = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM_POINTS)
    spectra = np.fft.rfft(frames[:: SPECTRUM_POINTS // 2] * np.hanning(SPECTRUM_POINTS))
    power = np.mean(np.square(np.abs(spectra)), axis=0)
    return np.asarray(power / power.sum())
