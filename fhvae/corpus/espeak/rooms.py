"""Rooms and microphones, kept apart from the speakers.

`studio` is one room and one microphone, nearly the same for every utterance: the level and the
noise floor must not tell utterances apart better than voices do. `multi` is another channel
for each utterance: equalization, reverberation, noise. Neither moves a sound in time, so the
alignment of the synthesis stays exact.

Signals are float64 `[sample]` at 16 kHz, full scale 1, until `fhvae.corpus.signals.to_int16`.
"""

import numpy as np

from fhvae.corpus import signals
from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.corpus.signals import at_level, colored_noise, equalize, hum, mix, room_response

# What the rooms of the embedded corpus are, as TIMIT's is a booth; other numbers: another corpus.
LEVEL_DBFS, LEVEL_STD_DB = -26.0, 1.0  # the usual level of test speech
STUDIO_SNR_DB = (34.0, 36.0)  # this range and those below: smallest and largest
REVERB_CHANCE = 0.7  # of `multi`, like all that follows
RT60_S = (0.08, 0.3)  # of a booth to a living room
DIRECT_TO_REVERB_DB = (8.0, 18.0)  # close to the microphone
MULTI_SNR_DB = (5.0, 15.0)  # as of Aurora-4's tests
NOISES = ("babble", "pink", "brown", "white", "hum")


def resample(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Bring int16 samples of the synthesizer to 16 kHz, full scale 1."""
    import soxr

    full_scale = samples.astype(np.float64) / 32768.0
    return np.asarray(soxr.resample(full_scale, rate_hz, SAMPLE_RATE_HZ, quality="HQ"))


def studio(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Record in the one room: a constant pink noise floor, an almost constant level."""
    floor = colored_noise(len(speech), "pink", random)
    return _at_usual_level(mix(speech, floor, random.uniform(*STUDIO_SNR_DB)), random)


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
        noise = colored_noise(len(speech), kind, random)
    return _at_usual_level(mix(channel, noise, random.uniform(*MULTI_SNR_DB)), random)


def reverberate(speech: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add a diffuse tail after the direct sound, which stays where it was."""
    rt60_s = random.uniform(*RT60_S)
    response = room_response(rt60_s, random.uniform(*DIRECT_TO_REVERB_DB), random)
    return signals.reverberate(speech, response)


def _at_usual_level(signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return at_level(signal, random.normal(LEVEL_DBFS, LEVEL_STD_DB))
