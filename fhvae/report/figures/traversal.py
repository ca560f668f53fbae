"""One segment decoded again and again while one dimension of a latent moves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fhvae.report.figures.drawing import color_bar, filled, is_column, new_figure
from fhvae.report.figures.panels import UNIT, look_of, mark_frequencies, mark_times, show_segment

TITLE = (
    "One segment, decoded while one dimension moves. mu2 (so every z2) should change the voice, "
    "z1 what is said."
)


def draw_traversals(
    path: Path,
    decoded: np.ndarray,
    names: Sequence[str],
    steps: Sequence[float],
    hop_ms: float,
) -> None:
    """Draw a row per dimension and a column per step.

    Args:
        path: of the file.
        decoded: `[dimension, step, frame, mel]`, log-mel, nats.
        names: of the dimensions.
        steps: in standard deviations of that dimension over the test split.
        hop_ms: between two frames.
    """
    rows, columns, frames, mels = decoded.shape
    look, narrow = look_of(decoded, hop_ms), is_column(path)
    width, height = 2.2 + 1.3 * columns, 1.2 + 1.0 * rows
    with new_figure(path, width, height, column_height=0.7 + 0.5 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False)
        for row, name in enumerate(names):
            for column in range(columns):
                show_segment(panels[row, column], decoded[row, column], look)
            mark_frequencies(panels[row, 0], mels)
            label = name.replace(" ", "\n", 1) if narrow else name
            panels[row, 0].set_ylabel(label, fontsize="small")
        for axes, step in zip(panels[0], steps, strict=True):
            title = f"{step:+g} sd" if step else "as it is"
            axes.set_title(title, fontsize="small", loc="center")
        for axes in panels[-1]:
            mark_times(axes, frames, hop_ms)
        color_bar(figure, panels[0, 0].images[0], panels, UNIT)
        figure.suptitle(filled(figure, TITLE), x=0.01, ha="left", fontsize="medium")
