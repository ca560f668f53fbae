"""Segments decoded from the z1 of one utterance and the z2 of another."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fhvae.report.figures.drawing import (
    BLUE,
    color_bar,
    filled,
    is_column,
    legible,
    new_figure,
)
from fhvae.report.figures.panels import UNIT, look_of, mark_frequencies, mark_times, show_segment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Row: z1, what is said. Column: z2, who says it. Framed: both of one segment."
COLUMN_SEGMENTS = 3  # that a narrow drawing has room for
NAME_LETTERS = 10  # that stand above a panel


def draw_factor_grid(
    path: Path,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    grid: np.ndarray,
    names: Sequence[str],
    hop_ms: float,
) -> None:
    """Draw originals, reconstructions, and every pairing of one's z1 with another's z2.

    Along a row of the grid the words should stay and the voice change; down a column the
    voice should stay.

    Args:
        path: of the file; a narrow drawing holds the first three segments.
        originals, reconstructions: `[segment, frame, mel]`, log-mel, nats.
        grid: `[segment giving z1, segment giving z2, frame, mel]`.
        names: of the segments, such as their utterances.
        hop_ms: between two frames.
    """
    if not (len(reconstructions) == len(grid) == len(grid[0]) == len(names) == len(originals)):
        raise ValueError(
            f"{len(originals)} originals need as many reconstructions, names, rows and columns"
        )
    count = min(len(originals), COLUMN_SEGMENTS) if is_column(path) else len(originals)
    look, shown = (
        look_of(originals, hop_ms),
        [legible(name, NAME_LETTERS) for name in names[:count]],
    )
    width, height = 1.9 + 1.3 * (count + 2), 1.3 + 1.3 * count
    with new_figure(path, width, height, column_height=0.7 + 0.6 * count) as figure:
        widths = [1.0, 1.0, 0.08, *[1.0] * count]  # the third column is a gap
        panels = figure.subplots(count, 3 + count, squeeze=False, width_ratios=widths)
        for row, name in enumerate(shown):
            show_segment(panels[row, 0], originals[row], look)
            show_segment(panels[row, 1], reconstructions[row], look)
            panels[row, 2].set_axis_off()
            for column in range(count):
                show_segment(panels[row, 3 + column], grid[row, column], look)
            _frame(panels[row, 3 + row])
            mark_frequencies(panels[row, 0], originals.shape[-1])
            panels[row, 0].set_ylabel(name, fontsize="small")
            panels[row, 3].set_ylabel(f"z1 of {name}", fontsize="small")
        for axes in panels[-1, [0, 1, *range(3, 3 + count)]]:
            mark_times(axes, originals.shape[1], hop_ms)
        _name_columns(panels[0], shown)
        color_bar(figure, panels[0, 0].images[0], panels, UNIT)
        figure.suptitle(filled(figure, TITLE), x=0.01, ha="left", fontsize="medium")


def _frame(axes: "Axes") -> None:
    """Mark a pairing of a segment with itself: its plain reconstruction."""
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=1.8, edgecolor=BLUE)


def _name_columns(panels: np.ndarray, names: Sequence[str]) -> None:
    titles = ["original", "recon-\nstruction", "", *[f"z2 of\n{name}" for name in names]]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize="small", loc="center")
