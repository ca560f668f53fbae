"""A map of vectors in the plane (t-SNE), colored by speaker and by gender."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fhvae.report.figures.drawing import BLUE, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_POINTS = 4  # different ones; fewer have no neighborhoods
LEGEND_SPEAKERS = 30  # beyond, the legend says only how many
MARKERS = "os^D"
GENDERS = {"F": (ORANGE, "o", "female"), "M": (BLUE, "^", "male"), "": ("#999999", "s", "unknown")}


def tsne_map(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Place vectors in the plane so that neighbors stay neighbors.

    Args:
        vectors: `[point, dimension]`, at least four different points.
        perplexity: effective number of neighbors; fewer where points are few.
        seed: of the descent; the start is the plane of the largest variance.

    Returns:
        `[point, 2]`.
    """
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
    vectors: np.ndarray,
    speakers: Sequence[str],
    genders: Sequence[str],
    title: str,
    perplexity: float,
    seed: int,
) -> None:
    """Draw the t-SNE map of vectors twice: colored by speaker, and by gender.

    Args:
        path: PNG file.
        vectors: `[point, dimension]`; about 2000 points are enough.
        speakers: of each point.
        genders: of each point: "F", "M" or "" where unknown.
        title: above the figure.
        perplexity: as of `tsne_map`.
        seed: equal seeds give equal maps.
    """
    if len(np.unique(vectors, axis=0)) < LEAST_POINTS:
        _draw_nothing(path, title)
        return
    points = tsne_map(vectors, perplexity, seed)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    half = 0.53 * float(np.ptp(points, axis=0).max())  # both panels are squares of one scale
    size = float(np.clip(4000 / len(points), 5, 26))
    with new_figure(path, width=12.0, height=5.4) as figure:
        figure.suptitle(title, x=0.005, ha="left", fontsize=12)
        by_speaker, by_gender = figure.subplots(1, 2)
        _scatter_speakers(by_speaker, points, np.asarray(speakers), size)
        _scatter_genders(by_gender, points, np.asarray(genders), size)
        for axes in (by_speaker, by_gender):
            axes.set(xticks=[], yticks=[], aspect="equal")
            axes.set(xlim=(middle[0] - half, middle[0] + half))
            axes.set(ylim=(middle[1] - half, middle[1] + half))
            axes.spines[:].set(visible=True, color="#CCCCCC")


def _draw_nothing(path: Path, title: str) -> None:
    with new_figure(path, width=6.0, height=1.2) as figure:
        figure.suptitle(title, x=0.005, ha="left", fontsize=12)
        figure.text(0.01, 0.3, f"no map: fewer than {LEAST_POINTS} different points")


def _scatter_speakers(axes: "Axes", points: np.ndarray, speakers: np.ndarray, size: float) -> None:
    names = np.unique(speakers)
    colors = _spread_colors(len(names))
    for place, name in enumerate(names):
        marker = MARKERS[place % len(MARKERS)]
        own = points[speakers == name]
        axes.scatter(
            own[:, 0], own[:, 1], s=size, color=colors[place], marker=marker, lw=0, label=name
        )
    axes.set_title(f"by speaker ({len(names)})")
    if len(names) <= LEGEND_SPEAKERS:
        columns = 1 if len(names) <= 15 else 2
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            ncols=columns,
            fontsize=7,
            markerscale=float(np.sqrt(26 / size)),
            handletextpad=0.2,
            columnspacing=0.8,
        )


def _spread_colors(count: int) -> np.ndarray:
    """Take colors around the wheel, neighbors far apart in brightness, `[color, 3]`."""
    from matplotlib.colors import hsv_to_rgb

    hues = np.arange(count) / max(1, count)
    values = np.where(np.arange(count) % 2 == 0, 0.85, 0.55)
    return np.asarray(hsv_to_rgb(np.stack([hues, np.full(count, 0.8), values], axis=1)))


def _scatter_genders(axes: "Axes", points: np.ndarray, genders: np.ndarray, size: float) -> None:
    for gender, (color, marker, word) in GENDERS.items():
        own = points[genders == gender]
        if len(own):
            label = f"{word} ({len(own)})"
            axes.scatter(
                own[:, 0], own[:, 1], s=size, color=color, marker=marker, lw=0, label=label
            )
    axes.set_title("by gender")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=float(np.sqrt(40 / size)))
