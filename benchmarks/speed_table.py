"""Write the tables of docs/speed.md from benchmarks/results/; no number is typed by hand.

python -m benchmarks.speed_table
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.sizes import ROOT
from fhvae.files.atomic import new_file
from fhvae.report.tables import put_between, table

RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "speed.md"
NAMES = {"default": "default's size", "paper": "paper's size"}
Report = Mapping[str, Any]


def read(name: str) -> Report:
    """Read a result."""
    report: Report = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return report


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def step_rows() -> list[list[str]]:
    """Lay out the targets of a training step."""
    step, logits = read("step"), read("logits")
    process, extraction = read("training_process"), read("extraction")
    at_4000 = logits["rows"].index(4000)

    def both(cell: Callable[[str], str]) -> list[str]:
        return [cell(size) for size in NAMES]

    start_up, peak = process["start_up"], process["memory"]["peak_rss_gb"]
    rows = [
        ("share of the machine's sgemm rate (2048), the step", "75 %",
         both(lambda size: percent(step[size]["share_of_sgemm_2048"]))),
        ("the same against products of 256 x 256 x 1024", "-",
         both(lambda size: percent(step[size]["share_of_sgemm_256x256x1024"]))),
        ("step / a plain nn.LSTM loop", "1.05",
         both(lambda size: f"{step[size]['step_to_plain_loop']:.2f}")),
        ("page faults a step", "-",
         both(lambda size: f"{step[size]['page_faults_per_step']:.1f}")),
        ("drawing and cutting the batch / step", "1 %, with the next",
         both(lambda size: percent(step[f"{size}_data_share"]["batch"]))),
        ("curve, progress, checks / step", "",
         both(lambda size: percent(step[f"{size}_data_share"]["curve"]))),
        ("filling the table of mu2, once a pass / step", "-",
         both(lambda size: percent(step[f"{size}_data_share"]["refill"]))),
        ("logits of 4,000 sequences / rest of the step", "3 %",
         both(lambda size: percent(logits[size]["share_of_rest_of_step"][at_4000]))),
        ("latents at shift 1: one segment at a time / one call an utterance", "5",
         both(lambda size: f"{extraction[size]['one_at_a_time_to_whole_utterance']:.1f}")),
        ("import and first step, wall s", "6", ["-", f"{start_up['first_step_wall_s']:.1f}"]),
        ("the same, CPU s", "-", ["-", f"{start_up['first_step_cpu_s']:.1f}"]),
        ("peak memory, frames of TIMIT's size, GB", "2", ["-", f"{peak:.2f}"]),
    ]  # fmt: skip
    return [[what, target, *cells] for what, target, cells in rows]


def step_table() -> str:
    """Write what a step costs."""
    machine = read("step")["machine"]
    columns = ["what", "target", *NAMES.values()]
    described = ", ".join(f"{key}: {value}" for key, value in machine.items())
    return f"{table(columns, step_rows())}\n{described}.\n"


def cell_table() -> str:
    """Write what the step of each cell costs."""
    step = read("step")
    columns = ["CPU seconds of a step, relative to LSTM", *NAMES.values()]
    cells = step["default_cells"]
    rows = [[name, *(f"{step[f'{size}_cells'][name]:.2f}" for size in NAMES)] for name in cells]
    return table(columns, rows)


def block_table() -> str:
    """Write how a step grows with the corpus."""
    report = read("blocks")
    columns = ["sequences", "training", "CPU of a step", "share of wall time at the start of "
               "passes", "peak memory, GB", "index, bytes a sequence"]  # fmt: skip
    rows = [
        [
            f"{row['sequences']:,}",
            "flat" if row["flat"] else f"blocks of {report['block']}",
            f"{row['step']:.2f}",
            percent(row["pass_begin_share"]),
            f"{row['peak_rss_gb']:.2f}",
            f"{row['index_bytes_per_sequence']:.0f}" if row["sequences"] >= 100_000 else "-",
        ]
        for row in report["rows"]
    ]
    return table(columns, rows)


def kill_table() -> str:
    """Write where trainings were killed and what came of it."""
    report = read("kills")
    rows = [[phase, str(count)] for phase, count in sorted(report["kills_by_phase"].items())]
    trainings = ", ".join(f"{count} {name}" for name, count in report["trainings"].items())
    head = (
        f"{report['kills']} kills over {sum(report['trainings'].values())} trainings "
        f"({trainings}); "
        f"{len(report['unequal'])} ended otherwise than the undisturbed one.\n\n"
    )
    return head + table(["killed in", "times"], rows)


PARTS = {
    "step": step_table,
    "cells": cell_table,
    "blocks": block_table,
    "kills": kill_table,
}


def page() -> str:
    """Put all tables between their markers."""
    text = PAGE.read_text(encoding="utf-8")
    for name, part in PARTS.items():
        head, rest = text.split(f"<!-- {name} -->", 1)
        inside = put_between(f"<!-- {name} -->{rest}", f"<!-- {name} -->", "<!-- end -->", part())
        text = head + inside
    return text


def main() -> None:
    """Write the page."""
    with new_file(PAGE) as partial:
        partial.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
