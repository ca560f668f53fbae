"""The DET curve: false acceptances against false rejections, axes in normal deviates."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.plots.drawing import COLOUR_OF, PINK, new_figure

GREY = "#777777"
COLOURS = {**COLOUR_OF, "ivector": PINK, "untrained": GREY}

POINTS = 200  # of a curve, after thinning
LOWEST, HIGHEST = 1e-5, 1 - 1e-5  # rates beyond have no place on the axes
AXIS = (0.0005, 0.8)
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class DetBand:
    """A pointwise interval of FNR.

    Attributes:
        fpr: `[point]`, where it is known.
        low, high: `[point]`, FNR.
    """

    fpr: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class DetCurve:
    """The error rates of one system.

    Attributes:
        fpr: `[threshold]`, falling from 1 to 0.
        fnr: `[threshold]`, rising from 0 to 1.
        eer: equal error rate, the dot on the curve.
        band: interval of FNR; None where it is not known.
    """

    fpr: np.ndarray
    fnr: np.ndarray
    eer: float
    band: DetBand | None = None


def det_table(curves: Mapping[str, DetCurve]) -> pd.DataFrame:
    """Lay out the DET curves as columns system, fpr, fnr, thinned to `POINTS` rows each."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr"])]
    for system, curve in curves.items():
        kept = thin(curve)
        rates = {"fpr": curve.fpr[kept].round(6), "fnr": curve.fnr[kept].round(6)}
        tables.append(pd.DataFrame({"system": system, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def band_table(curves: Mapping[str, DetCurve]) -> pd.DataFrame:
    """Lay out the bands of the DET curves as columns system, fpr, fnr_low, fnr_high."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])]
    for system, curve in curves.items():
        if curve.band is not None:
            rates = {"fnr_low": curve.band.low.round(6), "fnr_high": curve.band.high.round(6)}
            tables.append(pd.DataFrame({"system": system, "fpr": curve.band.fpr, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def thin(curve: DetCurve) -> np.ndarray:
    """Choose thresholds evenly spread along the drawn curve, both ends kept, `[kept]`."""
    if len(curve.fpr) <= POINTS:
        return np.arange(len(curve.fpr))
    x, y = deviates(curve.fpr), deviates(curve.fnr)
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    travelled = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, travelled[-1], POINTS)
    kept = np.searchsorted(travelled, wanted)
    return np.unique(np.concatenate([[0], kept, [len(travelled) - 1]]))


def deviates(rates: np.ndarray) -> np.ndarray:
    """Turn rates into normal deviates; 0 and 1 become large, not infinite."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rates, LOWEST, HIGHEST)))


def draw_det(path: Path, curves: Mapping[str, DetCurve], title: str) -> None:
    """Draw the DET curves of several systems, the EER of each marked by a dot.

    Curves of the back-end `cos` have their bands behind them; more bands would hide each other.

    Args:
        path: PNG file.
        curves: by system `<vector>.<backend>`; a vector keeps its colour, the
            back-end `cos` is solid and others are dashed.
        title: above the axes.
    """
    with new_figure(path, width=9.2, height=6.0) as figure:
        axes = figure.subplots()
        for system, curve in curves.items():
            vector, _, backend = system.partition(".")
            colour = COLOURS.get(vector, PINK)
            x, y = deviates(curve.fpr), deviates(curve.fnr)
            dashes = "-" if backend in ("", "cos") else "--"
            label = f"{system}   EER {100 * curve.eer:.1f} %"
            axes.plot(x, y, dashes, color=colour, linewidth=1.6, label=label)
            if backend == "cos" and curve.band is not None:
                edges = deviates(curve.band.low), deviates(curve.band.high)
                places = deviates(curve.band.fpr)
                axes.fill_between(places, *edges, color=colour, alpha=0.15, linewidth=0)
            place = deviates(np.array([curve.eer]))
            axes.plot(place, place, "o", color=colour, markersize=5, markeredgecolor="white")
        low, high = deviates(np.array(AXIS))
        axes.plot([low, high], [low, high], color="#AAAAAA", linewidth=0.8, zorder=0)
        places = deviates(np.array(TICKS))
        labels = [f"{100 * tick:g}" for tick in TICKS]
        axes.set_xticks(places, labels)
        axes.set_yticks(places, labels)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=title)
        axes.set_xlabel("false acceptances, % of non-target trials")
        axes.set_ylabel("false rejections, % of target trials")
        axes.grid(True)
        if curves:
            figure.legend(loc="outside right center", title="vector . back-end", alignment="left")
