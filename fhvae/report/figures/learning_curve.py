"""The learning curve: bounds, their parts and the dev EER, epoch by epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fhvae.report.figures.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    filled,
    is_column,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What each panel shows: title, and label, color and dashes of each column.
PANELS: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "lower bound, nats per segment": {
        "train_lower_bound": ("train", BLUE, "--"),
        "dev_lower_bound": ("dev", BLUE, "-"),
    },
    "log p(x | z1, z2), nats per segment": {
        "train_log_px": ("train", GREEN, "--"),
        "dev_log_px": ("dev", GREEN, "-"),
    },
    "KL, nats per segment": {
        "train_kl_z1": ("z1 train", ORANGE, "--"),
        "dev_kl_z1": ("z1 dev", ORANGE, "-"),
        "train_kl_z2": ("z2 train", BLUE, "--"),
        "dev_kl_z2": ("z2 dev", BLUE, "-"),
    },
    "log q(sequence | z2), nats": {
        "train_log_q": ("train", BLUE, "--"),
        "log_q_of_chance": ("chance: z2 knows nothing", ORANGE, ":"),
    },
    "EER on dev, %": {
        "dev_eer_mu2": ("mu2 (should fall)", BLUE, "-"),
        "dev_eer_mu1": ("mu1 (should stay near 50)", ORANGE, "-"),
    },
    "variance of posterior means, dev": {
        "z2_mean_variance": ("z2", BLUE, "-"),
        "z1_mean_variance": ("z1", ORANGE, "-"),
    },
}
DRAWN = tuple(name for columns in PANELS.values() for name in columns)
IN_PERCENT = ("dev_eer_mu2", "dev_eer_mu1")


def draw_learning_curve(path: Path, curve: pd.DataFrame) -> None:
    """Draw all columns of the learning curve; a line marks the epoch of the best dev bound.

    Args:
        path: of the file.
        curve: one row per epoch, with the columns `epoch` and `DRAWN`; cells may be NaN where a
            measure has no value.
    """
    best = best_epoch(curve)
    rows, columns_of_panels = (3, 2) if is_column(path) else (2, 3)
    with new_figure(path, width=12.0, height=6.6, column_height=4.8) as figure:
        panels = figure.subplots(rows, columns_of_panels, sharex=True)
        for axes, (title, columns) in zip(panels.flat, PANELS.items(), strict=True):
            _draw_panel(axes, curve, columns, "x-small" if is_column(path) else "small")
            axes.set_title(filled(figure, title, 0.9 / columns_of_panels, "large"))
            if IN_PERCENT[0] in columns:
                axes.set_ylim(bottom=0)
            if best is not None:
                axes.axvline(best, color="#999999", linestyle=":", zorder=0)
        for axes in panels[-1]:
            axes.set_xlabel("epoch")
        if best is not None:
            text = f"dotted: best dev lower bound, epoch {best}"
            figure.suptitle(text, x=0.01, ha="left", fontsize="medium")


def best_epoch(curve: pd.DataFrame) -> int | None:
    """Find the epoch of the highest dev lower bound, the first of several; None without one."""
    bounds = curve["dev_lower_bound"].dropna()
    return None if bounds.empty else int(curve.loc[bounds.idxmax(), "epoch"])


def _draw_panel(
    axes: "Axes", curve: pd.DataFrame, columns: Mapping[str, tuple[str, str, str]], size: str
) -> None:
    from matplotlib.ticker import MaxNLocator

    for column, (label, color, dashes) in columns.items():
        values = curve[column].astype(float) * (100 if column in IN_PERCENT else 1)
        if values.notna().any():
            marker = "o" if len(curve) <= 30 else ""
            axes.plot(
                curve["epoch"],
                values,
                dashes,
                color=color,
                marker=marker,
                label=label,
            )
    if axes.lines:
        axes.legend(fontsize=size)
    else:
        axes.text(0.5, 0.5, "no value", ha="center", va="center", transform=axes.transAxes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(True)
