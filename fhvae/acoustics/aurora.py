"""Conditions after the pattern of Aurora-4: two microphones, six noises, four groups of tests.

| group | domain            | microphone | noise                        | conditions |
|-------|-------------------|------------|------------------------------|------------|
| A     | the corpus itself | first      | none                         | 1          |
| B     | aurora_b_<noise>  | first      | one of six, 5 to 15 dB       | 6          |
| C     | aurora_c          | second     | none                         | 1          |
| D     | aurora_d_<noise>  | second     | as in B, the very same noise | 6          |

`aurora_multi` is the training mixture: half of the utterances through a second microphone, three
quarters of each half in noise of 10 to 20 dB. As in Aurora-4 training and test share the kinds of
noise, and the test goes 5 dB lower. The six are made here (white, pink, brown, mains hum,
speech-shaped, babble of training speakers) where Aurora-4 has recordings of cars, streets and
restaurants.

Source: Pearce and Picone 2002 describe the corpus; the shares are those of its training list.
"""

from dataclasses import dataclass

import numpy as np

NOISES = ("white", "pink", "brown", "hum", "speech_shaped", "babble")
MULTI = "aurora_multi"
CHANNEL = "aurora_c"
NOISY = {f"aurora_{group}_{kind}": kind for group in "bd" for kind in NOISES}
TESTS = (*(name for name in NOISY if "_b_" in name), CHANNEL,
         *(name for name in NOISY if "_d_" in name))  # fmt: skip
DOMAINS = (MULTI, *TESTS)
TRAIN_DB, TEST_DB = (10.0, 20.0), (5.0, 15.0)
SECOND_MICROPHONE_SHARE, NOISY_SHARE = 0.5, 0.75


@dataclass(frozen=True)
class AuroraDraw:
    """What an utterance meets.

    Attributes:
        noise: its kind, "" for none.
        snr_db: over active speech; None without noise.
        second_microphone: whether it is heard through another one.
    """

    noise: str
    snr_db: float | None
    second_microphone: bool


def draw_training(random: np.random.Generator) -> AuroraDraw:
    """Draw from the training mixture."""
    second = bool(random.random() < SECOND_MICROPHONE_SHARE)
    noisy = bool(random.random() < NOISY_SHARE)
    kind = NOISES[random.integers(len(NOISES))]
    ratio_db = float(random.uniform(*TRAIN_DB))
    return AuroraDraw(kind if noisy else "", ratio_db if noisy else None, second)


def draw_test(domain: str, random: np.random.Generator) -> AuroraDraw:
    """Draw the ratio of a test condition; its noise and microphone are in the name."""
    if domain == CHANNEL:
        return AuroraDraw("", None, second_microphone=True)
    return AuroraDraw(NOISY[domain], float(random.uniform(*TEST_DB)), "_d_" in domain)
