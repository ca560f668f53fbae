"""What happens to speech between mouth and file: noise, rooms, levels, rounding.

Signals are float64 `[sample]` at 16 kHz, full scale 1, until `to_int16`. Nothing here moves a
sound in time, so phone times stay true. Every draw comes from the generator given.
"""

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ

PEAK = 0.98  # of full scale
FULL_SCALE = 32767.0  # int16 steps from 0 to 1.0, the same on both sides of zero
SPECTRAL_EXPONENT = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls as f ** -exponent
HUM_HZ = (50.0, 60.0)  # of the mains, east and west of the Atlantic
SLOPE_STD_DB, BUMP_STD_DB, BUMPS = 1.2, 2.0, 3  # of a microphone; the slope is per octave


def rms(signal: np.ndarray) -> float:
    """Measure the root mean square."""
    return float(np.sqrt(np.mean(signal**2)))


def at_level(signal: np.ndarray, level_dbfs: float) -> np.ndarray:
    """Scale a signal to a level, in dB of its mean power relative to full scale."""
    return np.asarray(signal * (10 ** (level_dbfs / 20) / rms(signal)))


def limiting_gain(signal: np.ndarray) -> float:
    """Give the factor that keeps the peak within full scale; 1 where it is already."""
    peak = float(np.abs(signal).max(initial=0.0))
    return PEAK / peak if peak > PEAK else 1.0


def to_int16(signal: np.ndarray) -> np.ndarray:
    """Round to int16, as the last step; a peak beyond full scale lowers the whole signal."""
    return np.round(signal * limiting_gain(signal) * FULL_SCALE).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Undo `to_int16`."""
    return np.asarray(samples / FULL_SCALE)


def noise_gain(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> float:
    """Give the factor that brings noise to a signal-to-noise ratio over all samples given."""
    return float(rms(speech) / rms(noise) * 10 ** (-snr_db / 20))


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise at a signal-to-noise ratio over the whole utterance."""
    return speech + noise_gain(speech, noise, snr_db) * noise


def colored_noise(length: int, color: str, random: np.random.Generator) -> np.ndarray:
    """Draw noise `[sample]` whose power falls 0 (white), 3 (pink) or 6 (brown) dB per octave.

    Below 20 Hz the spectrum is flat, so that what can be heard decides the level.
    """
    from scipy.fft import next_fast_len

    size = next_fast_len(length, real=True)  # a prime length would be slow
    spectrum = np.fft.rfft(random.standard_normal(size))
    hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 20.0)
    noise = np.fft.irfft(spectrum * hz ** -SPECTRAL_EXPONENT[color], size)
    return np.asarray(noise[:length])


def shaped_noise(length: int, power: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw noise `[sample]` with a given spectrum.

    Args:
        length: in samples.
        power: `[frequency]`, of equal steps from 0 to 8 kHz; in between it is interpolated.
        random: gives the phases and the fine structure.
    """
    from scipy.fft import next_fast_len

    size = next_fast_len(length, real=True)
    spectrum = np.fft.rfft(random.standard_normal(size))
    steps = np.linspace(0, SAMPLE_RATE_HZ / 2, len(power))
    shape = np.sqrt(np.interp(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), steps, power))
    return np.asarray(np.fft.irfft(spectrum * shape, size)[:length])


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
    """Record through another microphone: a smooth zero-phase curve, a slope and a few bumps."""
    from scipy.fft import next_fast_len

    size = next_fast_len(len(speech) + SAMPLE_RATE_HZ // 10, real=True)
    hz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 50.0)
    octave = np.log2(hz / 1000.0)
    gain_db = random.normal(0, SLOPE_STD_DB) * octave
    for _ in range(BUMPS):
        center, height_db = random.uniform(octave[0], octave[-1]), random.normal(0, BUMP_STD_DB)
        gain_db += height_db * np.exp(-0.5 * ((octave - center) / 0.5) ** 2)
    filtered = np.fft.irfft(np.fft.rfft(speech, size) * 10 ** (gain_db / 20), size)
    return np.asarray(filtered[: len(speech)])


def room_response(
    rt60_s: float, direct_to_reverb_db: float, random: np.random.Generator
) -> np.ndarray:
    """Draw an impulse response `[sample]`: the direct sound, 1, at once; then a diffuse tail.

    Args:
        rt60_s: time in which the tail falls by 60 dB; the response ends there.
        direct_to_reverb_db: energy of the direct sound over that of the tail.
        random: gives the tail, Gaussian under an exponential decay.
    """
    time_s = np.arange(1, int(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = random.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    tail *= 10 ** (-direct_to_reverb_db / 20) / np.sqrt(np.sum(tail**2))
    return np.concatenate([[1.0], tail])


def reverberate(speech: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Play speech in a room; what rings on after its end is cut off."""
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(speech, response)[: len(speech)])
