"""Bars of probe accuracies with their intervals, and a line at chance."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhvae.report.figures.drawing import COLOR_OF, PINK, filled, is_column, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TASKS = ("phone", "speaker")
INPUTS = {
    "z1": "z1",
    "z2": "z2",
    "mu2": "mu2",
    "fbank": "fbank\nframe",
    "pca": "PCA",
    "untrained": "z1, un-\ntrained",
}
BOUNDS = ("accuracy_low", "accuracy_high")  # absent where speakers are few
COLORS = COLOR_OF | {"pca": PINK, "untrained": "#999999"}


def draw_probes(path: Path, metrics: Mapping[str, Any]) -> None:
    """Draw one panel per task, one bar per input.

    Args:
        path: of the file.
        metrics: those of the stage probe; a task in `absent` gets its reason for a panel.
    """
    rows, columns = (len(TASKS), 1) if is_column(path) else (1, len(TASKS))
    with new_figure(path, width=9.6, height=4.2, column_height=4.2) as figure:
        for axes, task in zip(figure.subplots(rows, columns), TASKS, strict=True):
            if task in metrics:
                _draw_task(axes, task, metrics[task])
            else:
                reason = filled(figure, metrics["absent"][task], 0.85 / columns)
                _draw_reason(axes, task, reason)


def _draw_task(axes: "Axes", task: str, results: Mapping[str, Any]) -> None:
    classes = results["classes"] if task == "phone" else results["speakers"]
    names = [name for name in INPUTS if name in results]
    for place, name in enumerate(names):
        accuracy = 100 * results[name]["accuracy"]
        bounds = [100 * results[name][end] for end in BOUNDS if end in results[name]]
        axes.bar(place, accuracy, width=0.62, color=COLORS[name])
        axes.plot([place] * len(bounds), bounds, color="black")
        top = max([accuracy, *bounds])
        axes.annotate(
            f"{accuracy:.1f}", (place, top), (0, 4), textcoords="offset points", ha="center"
        )
    chance = 100 * results["chance"]
    axes.axhline(chance, color="black", linestyle="--", linewidth=1)
    axes.set_title(f"- - chance {chance:.1f}", loc="right", fontsize="small")
    axes.set_xticks(range(len(names)), [INPUTS[name] for name in names], fontsize="small")
    axes.set(ylim=(0, 108), xlim=(-0.6, len(names) - 0.4), title=f"{task}, {classes} classes")
    axes.set_ylabel("accuracy, %")
    axes.grid(True, axis="y")


def _draw_reason(axes: "Axes", task: str, reason: str) -> None:
    axes.set_title(f"{task}: not computed")
    axes.text(0.5, 0.5, reason, ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
