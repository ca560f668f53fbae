"""Names of domains: what a recording may be heard in, in which order, and kinds of noise."""

import typing
from typing import Literal

Domain = Literal["noise20", "noise10", "noise5", "noise0", "telephone", "room",
    "aurora_multi", "aurora_c",
    "aurora_b_white", "aurora_b_pink", "aurora_b_brown", "aurora_b_hum",
    "aurora_b_speech_shaped", "aurora_b_babble",
    "aurora_d_white", "aurora_d_pink", "aurora_d_brown", "aurora_d_hum",
    "aurora_d_speech_shaped", "aurora_d_babble"]  # fmt: skip
DomainOrSet = Literal[Domain, "aurora4"]
Condition = Literal[Domain, "clean"]
AURORA_SET = "aurora4"  # in a list of domains: all of Aurora-4's pattern
AURORA_TRAIN: tuple[Domain, ...] = ("aurora_multi",)
AURORA_TEST: tuple[Domain, ...] = tuple(
    name for name in typing.get_args(Domain) if name.startswith("aurora") and name != "aurora_multi"
)

Noise = Literal["white", "pink", "speech_shaped", "babble", "folder"]


def by_noise(domain: str) -> tuple[str, int]:
    """Sort noise20, noise10, noise5: the number is a signal-to-noise ratio in dB."""
    letters = domain.rstrip("0123456789")
    return letters, -int(domain[len(letters) :] or 0)
