"""The tables of the DET curves: false acceptances against false rejections."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fhvae.trials.det_axis import deviates
from fhvae.trials.error_rates import ErrorCurve
from fhvae.verification.systems import Curve

POINTS = 200  # of a curve, after thinning


def det_table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    """Lay out the DET curves as columns system, fpr, fnr, thinned to `POINTS` rows each."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr"])]
    for system, curve in curves.items():
        kept = thin(curve.points)
        rates = {"fpr": curve.points.fpr[kept].round(6), "fnr": curve.points.fnr[kept].round(6)}
        tables.append(pd.DataFrame({"system": system, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def band_table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    """Lay out what bands the DET curves have as columns system, fpr, fnr_low, fnr_high."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])]
    for system, band in ((system, curve.band) for system, curve in curves.items()):
        if band is not None:
            rates = {"fnr_low": band.low.round(6), "fnr_high": band.high.round(6)}
            tables.append(pd.DataFrame({"system": system, "fpr": band.fpr, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def thin(points: ErrorCurve) -> np.ndarray:
    """Choose thresholds evenly spread along the drawn curve, both ends kept, `[kept]`."""
    if len(points.fpr) <= POINTS:
        return np.arange(len(points.fpr))
    x, y = deviates(points.fpr), deviates(points.fnr)
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    travelled = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, travelled[-1], POINTS)
    kept = np.searchsorted(travelled, wanted)
    return np.unique(np.concatenate([[0], kept, [len(travelled) - 1]]))
