"""The axes of a DET curve: rates as normal deviates."""

import numpy as np

LOWEST, HIGHEST = 1e-5, 1 - 1e-5  # rates beyond have no place on the axes


def deviates(rates: np.ndarray) -> np.ndarray:
    """Turn rates into normal deviates; 0 and 1 become large, not infinite."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rates, LOWEST, HIGHEST)))
