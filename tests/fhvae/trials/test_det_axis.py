"""Rates as normal deviates, from scipy's normal distribution."""

import numpy as np

from fhvae.trials.det_axis import deviates


def test_rates_become_normal_deviates():
    np.testing.assert_allclose(
        deviates(np.array([0.5, 0.15865525393145707, 0.9772498680518208])), [0, -1, 2], atol=1e-9
    )
    assert np.isfinite(deviates(np.array([0.0, 1.0]))).all()
