"""Heat map of what each code tells about each factor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.report.figures.drawing import new_figure

COLOR_MAP = "cividis"  # even steps of brightness, also for color-blind readers
NAMES = {
    "fbank": "fbank frame",
    "pca": "PCA of the segment",
    "untrained": "z1, untrained",
    "snr": "SNR",
    "f0": "mean log F0",
}
DARK = 0.55  # above this share of the scale the text is black
TITLE = "What a linear probe learns from the code of one segment, %"
NOTE = (
    "Large: share of the uncertainty taken away (SNR, F0: variance explained), 0 = nothing. "
    "Small: 95 % interval over speakers."
)

# Rows and columns, in this order: what stands in the metrics of the stage probe.
CODES = ("fbank", "pca", "untrained", "z1", "z2", "mu2")
FACTORS = ("phone", "speaker", "sex", "snr", "f0", "sentence")

Cells = Mapping[str, Mapping[str, Mapping[str, float]]]


def matrix_cells(metrics: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Take the code x factor matrix out of the metrics of the stage probe.

    Returns:
        By code and factor: `information` (R2 for a regression), with `low` and `high` where
        speakers allow an interval, and `accuracy` where there is one. Factors that are absent
        are left out.
    """
    cells: dict[str, dict[str, dict[str, float]]] = {code: {} for code in CODES}
    for factor in FACTORS:
        for code in CODES:
            found = metrics.get(factor, {}).get(code)
            if found is None:
                continue
            name = "information" if "information" in found else "r2"
            wanted = {name: "information", f"{name}_low": "low", f"{name}_high": "high"}
            wanted["accuracy"] = "accuracy"
            cells[code][factor] = {new: found[old] for old, new in wanted.items() if old in found}
    return {code: row for code, row in cells.items() if row}


def draw_matrix(path: Path, cells: Cells) -> None:
    """Draw one row per code and one column per factor.

    Args:
        path: PNG file.
        cells: by code and factor: `information`, and `low` and `high` where there is an
            interval; a missing cell stays gray.
    """
    codes = list(cells)
    factors = list(dict.fromkeys(factor for row in cells.values() for factor in row))
    values = np.full((max(len(codes), 1), max(len(factors), 1)), np.nan)
    for row, code in enumerate(codes):
        for column, factor in enumerate(factors):
            if factor in cells[code]:
                values[row, column] = cells[code][factor]["information"]
    width, height = 2.4 + 1.35 * values.shape[1], 1.5 + 0.62 * values.shape[0]
    with new_figure(path, width=width, height=height) as figure:
        axes = figure.subplots()
        axes.set_facecolor("#DDDDDD")
        shown = np.ma.masked_invalid(np.clip(values, 0, 1))
        axes.imshow(shown, cmap=COLOR_MAP, vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(factors)), [NAMES.get(name, name) for name in factors])
        axes.set_yticks(range(len(codes)), [NAMES.get(name, name) for name in codes])
        axes.tick_params(length=0, top=False)
        for row, code in enumerate(codes):
            for column, factor in enumerate(factors):
                if factor in cells[code]:
                    cell = cells[code][factor]
                    color = "black" if cell["information"] > DARK else "white"
                    main = f"{100 * cell['information']:.0f}"
                    small = ""
                    if "low" in cell:
                        small = f"{100 * cell['low']:.0f} to {100 * cell['high']:.0f}"
                    axes.annotate(
                        main,
                        (column, row),
                        (0, 5),
                        textcoords="offset points",
                        ha="center",
                        va="center",
                        color=color,
                        fontsize=12,
                    )
                    axes.annotate(
                        small,
                        (column, row),
                        (0, -8),
                        textcoords="offset points",
                        ha="center",
                        va="center",
                        color=color,
                        fontsize=7,
                    )
        axes.set_title(TITLE, fontsize=10)
        figure.supxlabel(NOTE, fontsize=7)
