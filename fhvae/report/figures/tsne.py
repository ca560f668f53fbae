"""A map of vectors in the plane (t-SNE), colored by speaker and by gender."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fhvae.report.figures.drawing import (
    AMBER,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    draws_dots,
    is_column,
    legible,
    new_figure,
    write_reason,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_POINTS = 4  # different ones; fewer have no neighborhoods
LEGEND_SPEAKERS = 30  # beyond, the legend says only how many
# A speaker has one of each: 36 pairs that differ for color-blind readers too.
COLORS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
MARKERS = "os^DvX"
GENDERS = {"F": (ORANGE, "o", "female"), "M": (BLUE, "^", "male"), "": ("#999999", "s", "unknown")}


def tsne_map(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray | None:
    """Place vectors in the plane so that neighbors stay neighbors.

    Args:
        vectors: `[point, dimension]`.
        perplexity: effective number of neighbors; fewer where points are few.
        seed: of the descent; the start is the plane of the largest variance.

    Returns:
        `[point, 2]`; None where fewer than four points are different.
    """
    if len(np.unique(vectors, axis=0)) < LEAST_POINTS:
        return None
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    most = (len(vectors) - 1) / 3  # t-SNE looks at 3 x perplexity neighbors
    tsne = TSNE(perplexity=min(perplexity, most), init="pca", random_state=seed % 2**32, n_jobs=1)
    with threadpool_limits(1):  # sums in another order would move every point
        return np.asarray(tsne.fit_transform(_at_least_flat(vectors.astype(np.float64))))


def _at_least_flat(vectors: np.ndarray) -> np.ndarray:
    """Add a column of zeros to vectors of one dimension: the start of t-SNE is a plane."""
    return vectors if vectors.shape[1] > 1 else np.pad(vectors, ((0, 0), (0, 1)))


def draw_tsne(
    path: Path,
    points: np.ndarray | None,
    speakers: Sequence[str],
    genders: Sequence[str],
    title: str,
) -> None:
    """Draw a map twice: colored by speaker, and by gender.

    Args:
        path: of the file.
        points: `[point, 2]` of `tsne_map`; about 2000 are enough. None: there is no map.
        speakers: of each point.
        genders: of each point: "F", "M" or "" where unknown.
        title: above the figure.
    """
    if points is None:
        with new_figure(path, width=7.0, height=1.4) as figure:
            write_reason(figure, title, f"no map: fewer than {LEAST_POINTS} different points")
        return
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    half = 0.53 * float(np.ptp(points, axis=0).max())  # both panels are squares of one scale
    size = float(np.clip(4000 / len(points), 5, 26)) / (6 if is_column(path) else 1)
    rows, columns = (2, 1) if is_column(path) else (1, 2)
    with new_figure(path, width=12.0, height=5.4, column_height=5.0) as figure:
        figure.suptitle(title, x=0.005, ha="left", fontsize="large")
        by_speaker, by_gender = figure.subplots(rows, columns)
        _scatter_speakers(by_speaker, points, np.asarray(speakers), size)
        _scatter_genders(by_gender, points, np.asarray(genders), size)
        for axes in (by_speaker, by_gender):
            axes.set(xticks=[], yticks=[], aspect="equal")
            axes.set(xlim=(middle[0] - half, middle[0] + half))
            axes.set(ylim=(middle[1] - half, middle[1] + half))
            axes.spines[:].set(visible=True, color="#999999")
            for dots in axes.collections:
                dots.set_rasterized(draws_dots(path, len(points)))


def _scatter_speakers(axes: "Axes", points: np.ndarray, speakers: np.ndarray, size: float) -> None:
    names = np.unique(speakers)
    for place, name in enumerate(names):
        color = COLORS[place % len(COLORS)]
        marker = MARKERS[(place + place // len(COLORS)) % len(MARKERS)]
        own, label = points[speakers == name], legible(str(name))
        axes.scatter(own[:, 0], own[:, 1], s=size, color=color, marker=marker, lw=0, label=label)
    axes.set_title(f"by speaker ({len(names)})")
    if len(names) <= LEGEND_SPEAKERS:
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            ncols=1 if len(names) <= 15 else 2,
            fontsize="x-small",
            markerscale=_as_text(size),
            handletextpad=0.2,
            columnspacing=0.8,
        )


def _as_text(size: float) -> float:
    """Scale markers of a legend so that they are as large as its letters."""
    from matplotlib import rcParams

    return float(np.sqrt(0.35 * rcParams["font.size"] ** 2 / size))


def _scatter_genders(axes: "Axes", points: np.ndarray, genders: np.ndarray, size: float) -> None:
    for gender, (color, marker, word) in GENDERS.items():
        own = points[genders == gender]
        if len(own):
            label = f"{word} ({len(own)})"
            axes.scatter(
                own[:, 0], own[:, 1], s=size, color=color, marker=marker, lw=0, label=label
            )
    axes.set_title("by gender")
    axes.legend(
        loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", markerscale=_as_text(size)
    )
