"""The DET curve: false acceptances against false rejections, axes in normal deviates."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fhvae.report.figures.drawing import COLOR_OF, PINK, is_column, new_figure
from fhvae.trials import ErrorCurve, deviates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRAY, GOLD = "#777777", "#B8860B"
COLORS = {**COLOR_OF, "ivector": PINK, "ivector_supervised": GOLD, "untrained": GRAY}

AXIS = (0.0005, 0.8)  # ends of the axes of a DET plot
# Rates with a tick: round numbers.
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def draw_det(
    path: Path, curves: Mapping[str, ErrorCurve], bands: pd.DataFrame, metrics: Mapping[str, Any]
) -> None:
    """Draw the DET curves of several systems, the EER of each marked by a dot.

    Curves of the back-end `cos` have their bands behind them; more bands would hide each other.

    Args:
        path: of the file.
        curves: by system `<vector>.<backend>`; a vector keeps its color, the back-end `cos` is
            solid and others are dashed.
        bands: columns system, fpr, fnr_low, fnr_high; of some of the systems.
        metrics: those of the stage verify: the EERs, and what was compared.
    """
    band_of = dict(list(bands.groupby("system")))
    narrow = is_column(path)
    with new_figure(path, width=10.2, height=6.0, column_height=5.2) as figure:
        axes = figure.subplots()
        for system, curve in curves.items():
            vector, _, backend = system.partition(".")
            color, eer = COLORS.get(vector, PINK), metrics[vector][backend]["eer"]
            x, y = deviates(curve.fpr), deviates(curve.fnr)
            dashes = "-" if backend == "cos" else "--"
            label = f"{system}   EER {100 * eer:.1f} %"
            axes.plot(x, y, dashes, color=color, label=label)
            if backend == "cos" and system in band_of:
                band = band_of[system]
                low, high = (deviates(band[name].to_numpy()) for name in ("fnr_low", "fnr_high"))
                places = deviates(band["fpr"].to_numpy())
                axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
            dot = deviates(np.array([eer]))
            axes.plot(dot, dot, "o", color=color, markeredgecolor="white", markeredgewidth=0.5)
        low, high = deviates(np.array(AXIS))
        axes.plot([low, high], [low, high], color="#AAAAAA", linewidth=0.8, zorder=0)
        places = deviates(np.array(TICKS))
        labels = [f"{100 * tick:g}" for tick in TICKS]
        axes.set_xticks(places, labels, fontsize="small" if narrow else None)
        axes.set_yticks(places, labels, fontsize="small" if narrow else None)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=_title(metrics))
        axes.set_xlabel("false acceptances, % of non-target trials")
        axes.set_ylabel("false rejections, % of target trials")
        axes.grid(True)
        if curves and narrow:
            _name_systems(figure, loc="outside lower center", fontsize="small")
        elif curves:
            _name_systems(figure, loc="outside right center")


def _name_systems(figure: "Figure", **where: Any) -> None:
    figure.legend(title="vector . back-end", alignment="left", **where)


def _title(metrics: Mapping[str, Any]) -> str:
    trials = metrics["trials"]["target"] + metrics["trials"]["nontarget"]
    return f"Test split: {metrics['speakers']} speakers, {trials} trials"
