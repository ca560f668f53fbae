"""Segments decoded from the z1 of one utterance and the z2 of another."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fhvae.report.figures.drawing import BLUE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOR_MAP = "magma"
TITLE = "Row: z1, what is said.   Column: z2, who says it.   Framed: both of one segment."
CONTRAST_PERCENT = 1.0  # cut off both ends of the values before coloring


def draw_factor_grid(
    path: Path,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    grid: np.ndarray,
    names: Sequence[str],
) -> None:
    """Draw originals, reconstructions, and every pairing of one's z1 with another's z2.

    Along a row of the grid the words should stay and the voice change; down a column the
    voice should stay.

    Args:
        path: PNG file.
        originals, reconstructions: `[segment, frame, mel]`, log-mel, nats.
        grid: `[segment giving z1, segment giving z2, frame, mel]`.
        names: of the segments, such as their utterances.
    """
    count = len(originals)
    if not (len(reconstructions) == len(grid) == len(grid[0]) == len(names) == count):
        raise ValueError(f"{count} originals need as many reconstructions, names, rows and columns")
    low, high = np.percentile(originals, [CONTRAST_PERCENT, 100 - CONTRAST_PERCENT])
    look = {"cmap": COLOR_MAP, "vmin": low, "vmax": high}
    with new_figure(path, width=1.9 + 1.3 * (count + 2), height=1.2 + 1.3 * count) as figure:
        widths = [1.0, 1.0, 0.08, *[1.0] * count]  # the third column is a gap
        panels = figure.subplots(count, 3 + count, squeeze=False, width_ratios=widths)
        for row, name in enumerate(names):
            _show(panels[row, 0], originals[row], look)
            _show(panels[row, 1], reconstructions[row], look)
            panels[row, 2].set_axis_off()
            for column in range(count):
                _show(panels[row, 3 + column], grid[row, column], look)
            _frame(panels[row, 3 + row])
            panels[row, 0].set_ylabel(name, fontsize=8)
            panels[row, 3].set_ylabel(f"z1 of {name}", fontsize=8)
        _name_columns(panels[0], names)
        _label_axes(panels[-1, 0], *originals.shape[1:])
        bar = figure.colorbar(panels[0, 0].images[0], ax=panels, fraction=0.03, pad=0.02)
        bar.set_label("log-mel, nats", fontsize=8)
        bar.ax.tick_params(labelsize=8)
        figure.suptitle(TITLE, fontsize=10)


def _show(axes: "Axes", segment: np.ndarray, look: dict[str, Any]) -> None:
    """Draw one segment `[frame, mel]`: time to the right, frequency upwards."""
    axes.imshow(segment.T, origin="lower", aspect="auto", interpolation="nearest", **look)
    axes.set(xticks=[], yticks=[])


def _frame(axes: "Axes") -> None:
    """Mark a pairing of a segment with itself: its plain reconstruction."""
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=1.8, edgecolor=BLUE)


def _name_columns(panels: np.ndarray, names: Sequence[str]) -> None:
    titles = ["original", "reconstruction", "", *[f"z2 of {name}" for name in names]]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=8, loc="center")


def _label_axes(axes: "Axes", frames: int, mels: int) -> None:
    axes.set_xlabel(f"{frames} frames, {mels} mel bands", fontsize=7, loc="left")
