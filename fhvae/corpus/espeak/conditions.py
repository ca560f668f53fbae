"""Rooms and microphones, kept apart from the speakers.

`studio` is one room and one microphone, nearly the same for every utterance: the level and the
noise floor must not tell utterances apart better than voices do. `multi` is another channel
for each utterance: equalization, reverberation, noise. Neither moves a sound in time, so the
alignment of the synthesis stays exact.

Signals are float64 `[sample]` at 16 kHz, full scale 1, until `to_int16`.
"""

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ

LEVEL_DBFS, LEVEL_STD_DB = -26.0, 1.0
STUDIO_SNR_DB = (34.0, 36.0)
PEAK = 0.98  # of full scale
SLOPE_STD_DB, BUMP_STD_DB, BUMPS = 1.2, 2.0, 3  # equalization; the slope is per octave
REVERB_CHANCE = 0.7
RT60_S = (0.08, 0.3)
DIRECT_TO_REVERB_DB = (8.0, 18.0)
MULTI_SNR_DB = (5.0, 15.0)
NOISES = ("babble", "pink", "brown", "white", "hum")
SPECTRAL_EXPONENT = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls as f ** -exponent
HUM_HZ = (50.0, 60.0)


def resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Bring int16 samples of the synthesizer to 16 kHz, full scale 1."""
    import soxr

    full_scale = samples.astype(np.float64) / 32768.0
    return np.asarray(soxr.resample(full_scale, rate_hz, SAMPLE_RATE_HZ, quality="HQ"))


def studio(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Record in the one room: a constant pink noise floor, an almost constant level."""
    floor = coloured_noise(len(speech), "pink", random)
    return _at_level(mix(speech, floor, random.uniform(*STUDIO_SNR_DB)), random)


def multi(speech: np.ndarray, babble: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Record through a channel of its own: equalization, perhaps reverberation, noise.

    Args:
        speech: the synthesis, without a room.
        babble: other voices, as long as `speech`; used if babble is the noise drawn.
        random: of this utterance.
    """
    channel = equalize(speech, random)
    if random.random() < REVERB_CHANCE:
        channel = reverberate(channel, random)
    kind = NOISES[random.integers(len(NOISES))]
    if kind == "babble":
        noise = babble
    elif kind == "hum":
        noise = hum(len(speech), random)
    else:
        noise = coloured_noise(len(speech), kind, random)
    return _at_level(mix(channel, noise, random.uniform(*MULTI_SNR_DB)), random)


def to_int16(signal: np.ndarray) -> np.ndarray:
    """Round to int16, as the last step; a peak beyond full scale lowers the whole signal."""
    peak = float(np.abs(signal).max(initial=0.0))
    safe = signal * (PEAK / peak) if peak > PEAK else signal
    return np.round(safe * 32767.0).astype(np.int16)


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise at a signal-to-noise ratio over the whole utterance."""
    gain = _rms(speech) / _rms(noise) * 10 ** (-snr_db / 20)
    return speech + gain * noise


def coloured_noise(length: int, colour: str, random: np.random.Generator) -> np.ndarray:
    """Draw noise `[sample]` whose power falls 0 (white), 3 (pink) or 6 (brown) dB per octave.

    Below 20 Hz the spectrum is flat, so that what can be heard decides the level.
    """
    from scipy.fft import next_fast_len

    size = next_fast_len(length, real=True)  # a prime length would be slow
    spectrum = np.fft.rfft(random.standard_normal(size))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 20.0)
    noise = np.fft.irfft(spectrum * hz ** -SPECTRAL_EXPONENT[colour], size)
    return np.asarray(noise[:length])


def hum(length: int, random: np.random.Generator) -> np.ndarray:
    """Draw a mains hum `[sample]`: 8 harmonics of 50 or 60 Hz, over a floor of white noise."""
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    mains_hz = HUM_HZ[random.integers(len(HUM_HZ))]
    harmonics = [
        np.sin(2 * np.pi * (number * mains_hz * time_s + random.random())) / number
        for number in range(1, 9)
    ]
    return np.asarray(np.sum(harmonics, axis=0) + 0.05 * random.standard_normal(length))


def equalize(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Filter with a smooth zero-phase curve: a slope around 1 kHz and a few broad bumps."""
    from scipy.fft import next_fast_len

    size = next_fast_len(len(speech) + SAMPLE_RATE_HZ // 10, real=True)
    hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 50.0)
    octave = np.log2(hz / 1000.0)
    gain_db = random.normal(0, SLOPE_STD_DB) * octave
    for _ in range(BUMPS):
        centre, height_db = random.uniform(octave[0], octave[-1]), random.normal(0, BUMP_STD_DB)
        gain_db += height_db * np.exp(-0.5 * ((octave - centre) / 0.5) ** 2)
    filtered = np.fft.irfft(np.fft.rfft(speech, size) * 10 ** (gain_db / 20), size)
    return np.asarray(filtered[: len(speech)])


def reverberate(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add a diffuse tail after the direct sound, which stays where it was."""
    from scipy.signal import fftconvolve

    rt60_s = random.uniform(*RT60_S)
    ratio_db = random.uniform(*DIRECT_TO_REVERB_DB)
    time_s = np.arange(1, int(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = random.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    tail *= 10 ** (-ratio_db / 20) / np.sqrt(np.sum(tail**2))
    response = np.concatenate([[1.0], tail])
    return np.asarray(fftconvolve(speech, response)[: len(speech)])


def _at_level(signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    level_db = random.normal(LEVEL_DBFS, LEVEL_STD_DB)
    return np.asarray(signal * (10 ** (level_db / 20) / _rms(signal)))


def _rms(signal: np.ndarray) -> float:
    return float(np.sqrt(np.mean(signal**2)))
