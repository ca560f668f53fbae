"""Conditions after the pattern of Aurora-4: two microphones, six noises, four groups of tests.

| group | domain            | microphone | noise                        | conditions |
|-------|-------------------|------------|------------------------------|------------|
| A     | the corpus itself | first      | none                         | 1          |
| B     | aurora_b_<noise>  | first      | one of six, 5 to 15 dB       | 6          |
| C     | aurora_c          | second     | none                         | 1          |
| D     | aurora_d_<noise>  | second     | as in B, the very same noise | 6          |

`aurora_multi` is the training mixture: half of the utterances through a second microphone, three
quarters of each half in noise of 10 to 20 dB. As in Aurora-4 training and test share the kinds of
noise, and the test goes 5 dB lower. These shares and ratios are the `domains.aurora_*` of
params.yaml. The six are made here (white, pink, brown, mains hum, speech-shaped, babble of
training speakers) where Aurora-4 has recordings of cars, streets and restaurants.

Source: Pearce and Picone 2002 describe the corpus; the shares are those of its training list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOISES = ("white", "pink", "brown", "hum", "speech_shaped", "babble")
MULTI = "aurora_multi"
CHANNEL = "aurora_c"
NOISY = {f"aurora_{group}_{kind}": kind for group in "bd" for kind in NOISES}
TESTS = (*(name for name in NOISY if "_b_" in name), CHANNEL,
         *(name for name in NOISY if "_d_" in name))  # fmt: skip
DOMAINS = (MULTI, *TESTS)


@dataclass(frozen=True)
class AuroraDraw:
    """What is done to an utterance.

    Attributes:
        noise: its kind, "" for none.
        snr_db: over active speech; None without noise.
        second_microphone: whether it is recorded through that one.
    """

    noise: str
    snr_db: float | None
    second_microphone: bool


def draw_training(
    second_microphone: float,
    noisy_share: float,
    range_db: Sequence[float],
    random: np.random.Generator,
) -> AuroraDraw:
    """Draw from the training mixture.

    Args:
        second_microphone: share of it, in [0, 1].
        noisy_share: share of it, with either microphone.
        range_db: smallest and largest ratio.
        random: of this utterance.
    """
    second = bool(random.random() < second_microphone)
    noisy = bool(random.random() < noisy_share)
    kind = NOISES[random.integers(len(NOISES))]
    least_db, most_db = range_db
    ratio_db = float(random.uniform(least_db, most_db))
    return AuroraDraw(kind if noisy else "", ratio_db if noisy else None, second)


def draw_test(domain: str, range_db: Sequence[float], random: np.random.Generator) -> AuroraDraw:
    """Draw the ratio of a test condition; its noise and microphone are in the name."""
    if domain == CHANNEL:
        return AuroraDraw("", None, second_microphone=True)
    least_db, most_db = range_db
    return AuroraDraw(NOISY[domain], float(random.uniform(least_db, most_db)), "_d_" in domain)
