"""Phone error rates of every input, matched and mismatched, and by the number of speakers."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhvae.params.domain_names import by_noise
from fhvae.report.figures.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    is_column,
    new_figure,
    write_reason,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rates = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
# input: its label and color
INPUTS = {
    "fbank": ("FBANK", GREEN),
    "stacked": ("FBANK, whole segment", "#66C2A5"),
    "pca": ("PCA", "#777777"),
    "untrained": ("z1, untrained", PINK),
    "z1": ("z1", ORANGE),
    "z1mu2": ("z1 and mu2", BLUE),
}
CLEAN, FEW = "clean", "few"
SHARE = re.compile(rf"{FEW}(?P<share>\d+(\.\d+)?)")  # percent of the speakers
WIDTH = 0.7  # share of a side's place that its points take


def draw_mismatch(path: Path, baselines: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Draw one place per pair of sides, one point, with its interval if any, per input.

    Args:
        path: of the file.
        baselines: metrics of the stage recognize_baselines.
        metrics: those of recognize; without `per` the reason in its `absent` is drawn.
    """
    if "per" not in metrics:
        with new_figure(path, width=7.0, height=1.4) as figure:
            write_reason(figure, "phone recognition: not computed", metrics["absent"]["per"])
        return
    rates: Rates = {"fbank": baselines["per"]["fbank"], **baselines["per"], **metrics["per"]}
    with new_figure(path, width=11.0, height=4.6, column_height=4.8) as figure:
        if is_column(path):
            matrix, budget = figure.subplots(2, 1, height_ratios=[3, 2])
            _draw_matrix(matrix, rates)
            matrix.tick_params(axis="x", labelrotation=90)
        else:
            matrix, budget = figure.subplots(1, 2, width_ratios=[3, 1])
            _draw_matrix(matrix, rates)
        _draw_budget(budget, rates)


def shown_pairs(rates: Rates) -> list[tuple[str, str]]:
    """Choose (train, test) sides: matched first, then sexes, then clean in every domain.

    Domains go from little noise to much, whatever their order in the metrics.
    """
    cells = {(train, test) for one in rates.values() for train in one for test in one[train]}
    tests = rates["fbank"][CLEAN].keys() - {CLEAN, "male", "female"}
    wanted = [(CLEAN, CLEAN), ("male", "male"), ("male", "female")]
    wanted += [("female", "female"), ("female", "male")]
    wanted += [(CLEAN, domain) for domain in sorted(tests, key=by_noise)]
    return [pair for pair in wanted if pair in cells]


def _shown_inputs(names: Iterable[str]) -> list[str]:
    found = set(names)
    return [name for name in INPUTS if name in found]


def _draw_matrix(axes: "Axes", rates: Rates) -> None:
    pairs, names = shown_pairs(rates), _shown_inputs(rates)
    for place, name in enumerate(names):
        label, color = INPUTS[name]
        shift = WIDTH * ((place + 0.5) / len(names) - 0.5)
        cells = [rates[name][train][test] for train, test in pairs]
        _draw_points(axes, [x + shift for x in range(len(pairs))], cells, color, label)
    axes.set_xticks(range(len(pairs)), [f"{train}\nto {test}" for train, test in pairs])
    axes.tick_params(axis="x", labelsize="small")
    axes.set(title="Trained on, tested on", ylabel="phone error rate, %", ylim=(0, None))
    axes.grid(True, axis="y")
    axes.legend(fontsize="small", loc="upper left")


def _draw_points(
    axes: "Axes",
    places: list[float],
    cells: list[Mapping[str, float]],
    color: str,
    label: str | None,
    line: str = "none",
) -> None:
    values = [100 * cell["per"] for cell in cells]
    axes.plot(places, values, marker="o", linestyle=line, color=color, label=label)
    for place, cell in zip(places, cells, strict=True):
        if "per_low" in cell:
            ends = [100 * cell["per_low"], 100 * cell["per_high"]]
            axes.plot([place, place], ends, color=color)


def _draw_budget(axes: "Axes", rates: Rates) -> None:
    names = _shown_inputs(rates)
    for place, name in enumerate(names):
        few = map(SHARE.fullmatch, rates[name])
        shares = sorted(float(found["share"]) for found in few if found)
        cells = [rates[name][f"{FEW}{share:g}"][CLEAN] for share in shares]
        places = [share * 1.04 ** (place - len(names) / 2) for share in (*shares, 100.0)]
        _draw_points(axes, places, [*cells, rates[name][CLEAN][CLEAN]], INPUTS[name][1], None, "-")
    axes.set_xscale("log")
    axes.set_xticks([10, 30, 100], ["10", "30", "100"])
    axes.minorticks_off()
    axes.set(title="Fewer labels", xlabel="speakers with labels, %", ylim=(0, None))
    axes.grid(True, axis="y")
