"""Measure what the discriminative logits cost, forward and backward, as the table of mu2 grows.

CPU seconds of one thread, in turn with the training step within one process; medians over
rounds of shares within a round. The logits are those of `log_q_sequence` by itself, on a batch
and a table as training has them, against the rest of a step: the step less its own logits.
Run it by `make benchmark`, which sets the allocator as the stage train does.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from benchmarks.drawing import can_draw
from benchmarks.sizes import sizes
from benchmarks.step import SEQUENCE_FRAMES, cpu_seconds, made_up_data, medians, new_trainer
from fhvae.environment import describe_machine
from fhvae.files.atomic import write_json
from fhvae.model.objective import log_q_sequence
from fhvae.params.whole import Params
from fhvae.report.figures.drawing import BLUE, ORANGE, new_figure

ROWS = (250, 1_000, 4_000, 16_000, 64_000)
SEQUENCES = 1_000  # of the run that the step is taken from; one of ROWS
TARGET_ROWS, TARGET_SHARE = 4_000, 0.03  # at the paper's size
PERCENTS = (0.1, 1, 10, 100)  # marked on the axis


def logits(params: Params, rows: int, device: torch.device) -> Callable[[], None]:
    """Set up log q of a batch against so many rows of a table, with its gradients."""
    model, batch = params.model, params.training.batch
    z2_mean = nn.Parameter(torch.randn(batch, model.z2, device=device))
    table = nn.Parameter(model.mu2_std * torch.randn(rows, model.z2, device=device))
    sequence = torch.randint(rows, (batch,), device=device)

    def forward_and_backward() -> None:
        z2_mean.grad = table.grad = None
        log_q = log_q_sequence(z2_mean, table, sequence, model.z2_std)
        (-params.alpha * log_q.mean()).backward()  # type: ignore[no-untyped-call]

    return forward_and_backward


def shares(seconds: Mapping[int, float], step: float, sequences: int) -> dict[int, float]:
    """Divide the seconds of logits, by rows, by those of the rest of a step.

    Args:
        seconds: of the logits, by number of rows.
        step: seconds of a whole step.
        sequences: rows of the logits in that step.
    """
    rest = step - seconds[sequences]
    return {rows: one / rest for rows, one in seconds.items()}


def exponent(share_of: Mapping[int, float]) -> float:
    """Say how the cost grows between the two largest tables: 1 is linear."""
    (fewer, less), (more, most) = sorted(share_of.items())[-2:]
    return round(math.log(most / less) / math.log(more / fewer), 2)


def measure(params: Params, rounds: int, repeats: int) -> dict[int, float]:
    """Measure one size: the share of the rest of the step by number of rows."""
    torch.set_num_threads(1)
    data = made_up_data(SEQUENCES, SEQUENCE_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        trainer = new_trainer(params, data, data, Path(folder))
        alone = {rows: logits(params, rows, torch.device("cpu")) for rows in ROWS}
        trainer.train_step()  # begins a pass, which is not measured
        found = []
        for _ in range(rounds):
            step = cpu_seconds(trainer.train_step, repeats)
            seconds = {rows: cpu_seconds(function, repeats) for rows, function in alone.items()}
            found.append(shares(seconds, step, SEQUENCES))
    return medians(found)


def draw(path: Path, measured: Mapping[str, Mapping[int, float]]) -> None:
    """Draw the share against the rows, one line per size, with the target."""
    with new_figure(path, 6, 3.6) as figure:
        axes = figure.subplots()
        for (name, share_of), color in zip(measured.items(), (ORANGE, BLUE), strict=True):
            percent = [100 * share for share in share_of.values()]
            axes.plot(list(share_of), percent, "o-", color=color, label=f"{name} size")
        axes.axhline(100 * TARGET_SHARE, color="black", linewidth=0.8, linestyle="--")
        label = f"target at {TARGET_ROWS:,} rows"
        axes.text(ROWS[-1], 90 * TARGET_SHARE, label, ha="right", va="top")
        axes.set(
            title="Discriminative logits, forward and backward",
            xlabel="rows of the table of mu2",
            ylabel="% of the rest of the step",
            xscale="log",
            yscale="log",
            xticks=ROWS,
            xticklabels=[f"{rows:,}" for rows in ROWS],
            yticks=PERCENTS,
            yticklabels=[f"{percent:g}" for percent in PERCENTS],
        )
        axes.minorticks_off()
        axes.grid(axis="y")
        axes.legend(loc="upper left")


def main() -> None:
    """Measure both sizes; write logits.json and, where matplotlib is, logits.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=4, help="steps per round")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/logits.json"))
    options = parser.parse_args()
    measured = {
        name: measure(params, options.rounds, options.repeats) for name, params in sizes().items()
    }
    report: dict[str, object] = {
        name: {"share_of_rest_of_step": list(share_of.values()), "exponent": exponent(share_of)}
        for name, share_of in measured.items()
    }
    report |= {"rows": list(ROWS), "machine": describe_machine()}
    print(json.dumps(report, indent=2))
    write_json(options.out, report)
    if can_draw("matplotlib"):
        draw(options.out.with_suffix(".png"), measured)


if __name__ == "__main__":
    main()
