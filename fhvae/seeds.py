"""One seed, independent named streams.

`generator(seed, "trials")` never changes when another purpose draws more numbers,
so adding a draw in one place moves no result elsewhere.
"""

import hashlib

import numpy as np


def stream_seed(seed: int, *names: str | int) -> int:
    """Derive the 64-bit seed of the stream `names` from the run's seed."""
    key = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Make the NumPy generator of the stream `names`; equal arguments, equal draws."""
    return np.random.Generator(np.random.PCG64(stream_seed(seed, *names)))
