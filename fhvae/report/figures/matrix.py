"""Heat map of what each code tells about each factor."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fhvae.report.figures.drawing import DARK_TEXT, filled, is_column, new_figure, write_reason
from fhvae.report.shape import CODES, FACTORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOR_MAP = "cividis"  # even steps of brightness, also for color-blind readers
NAMES = {
    "fbank": "fbank frame",
    "pca": "PCA of the segment",
    "untrained": "z1, untrained",
    "snr": "SNR",
    "f0": "mean log F0",
}
DARK = 0.47  # above this share of the scale dark text has more contrast than white
WORST = -1.0  # below, a regression only says that it failed: an R2 has no end downwards
TITLE = "What a linear probe learns from the code of one segment, %"
NOTE = (
    "Large: share of the uncertainty taken away (SNR, F0: variance explained); 0 = nothing, below "
    "0 = worse than saying the mean. Small: 95 % interval over speakers."
)
NOTHING = "no factor could be probed on this corpus"

Cell = Mapping[str, float]
Cells = Mapping[str, Mapping[str, Cell]]


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
            wanted = {f"{name}_low": "low", f"{name}_high": "high", "accuracy": "accuracy"}
            beside = {new: found[old] for old, new in wanted.items() if old in found}
            cells[code][factor] = {"information": found[name], **beside}
    return {code: row for code, row in cells.items() if row}


def draw_matrix(path: Path, cells: Cells) -> None:
    """Draw one row per code and one column per factor.

    Args:
        path: of the file.
        cells: by code and factor: `information`, and `low` and `high` where there is an
            interval; a missing cell stays gray.
    """
    factors = list(dict.fromkeys(factor for row in cells.values() for factor in row))
    if not factors:
        with new_figure(path, width=7.0, height=1.4) as figure:
            write_reason(figure, TITLE, NOTHING)
        return
    width, height = 2.4 + 1.35 * max(3, len(factors)), 1.9 + 0.62 * len(cells)
    with new_figure(path, width, height, column_height=1.1 + 0.3 * len(cells)) as figure:
        axes = figure.subplots()
        axes.set_facecolor("#BBBBBB")
        axes.imshow(_shown(cells, factors), cmap=COLOR_MAP, vmin=0, vmax=1, aspect="auto")
        turned, small = (30, "xx-small") if is_column(path) else (0, "x-small")
        names = [NAMES.get(name, name) for name in factors]
        axes.set_xticks(range(len(factors)), names, rotation=turned)
        axes.set_yticks(range(len(cells)), [NAMES.get(name, name) for name in cells])
        axes.tick_params(length=0, top=False)
        for row, of_code in enumerate(cells.values()):
            for factor, cell in of_code.items():
                _write_cell(axes, (factors.index(factor), row), cell, small)
        title = filled(figure, TITLE, 0.95, "large")
        figure.suptitle(title, x=0.01, ha="left", fontsize="large")
        figure.supxlabel(filled(figure, NOTE, 0.95, "x-small"), fontsize="x-small")


def _shown(cells: Cells, factors: list[str]) -> np.ma.MaskedArray:
    values = np.full((len(cells), len(factors)), np.nan)
    for row, of_code in enumerate(cells.values()):
        for factor, cell in of_code.items():
            values[row, factors.index(factor)] = cell["information"]
    return np.ma.masked_invalid(np.clip(values, 0, 1))


def _write_cell(axes: "Axes", place: tuple[int, int], cell: Cell, small: str) -> None:
    """Write a value above its interval."""
    color = DARK_TEXT if cell["information"] > DARK else "white"
    look: dict[str, Any] = {"textcoords": "offset fontsize", "ha": "center", "color": color}
    axes.annotate(
        percent(cell["information"]), place, (0, -0.1), va="bottom", fontsize="large", **look
    )
    if "low" in cell:
        bounds = f"{percent(cell['low'])} to {percent(cell['high'])}"
        axes.annotate(bounds, place, (0, -0.4), va="top", fontsize=small, **look)


def percent(share: float) -> str:
    """Write a share in percent; of one far below 0, or an end above all, only that it is."""
    if share < WORST:
        return f"<{100 * WORST:.0f}"
    return f"{100 * share:.0f}" if round(share, 2) <= 1 else ">100"
