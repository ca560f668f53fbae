"""Measure training and latents on a GPU, and write benchmarks/results/gpu.json.

    python -m benchmarks.gpu                                  # all that is missing
    python -m benchmarks.gpu --parts step --minutes 9         # some of it; call it again for more
    python -m benchmarks.gpu --device cpu --quick             # tries the script, without a GPU

Parts: step (forms of the training step x precision x batch), logits (of the discriminative
term, by number of sequences), loss (each precision against the CPU), models (several at
once), extraction (latents for every frame), blocks (read beside the training), validation.

What has been measured on this GPU is kept: interrupt and call again as you like. What fails
(out of memory, a form that does not compile) is noted by its sentence and tried again by the
next call; the rest goes on.
"""

import argparse
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_models import MPS, measure_batched, measure_processes, measure_streams
from benchmarks.gpu_parts import (
    machine,
    measure_blocks,
    measure_extraction,
    measure_logits,
    measure_loss,
    measure_step,
    measure_validation,
)
from benchmarks.gpu_rig import Amount
from benchmarks.worker import Work, Worker
from fhvae.artifacts import read_json, write_json
from fhvae.report.tables import table

RESULT = Path("benchmarks/results/gpu.json")
CASE_SECONDS = 400.0  # beyond, it is given up
PASSES = 3  # over a block
PARTS = ("step", "logits", "loss", "models", "extraction", "blocks", "validation")
FORMS = ("eager", "fused", "graph", "compile", "reduce-overhead")


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        sizes: names of `sized`.
        batches, forms, precisions: of the step.
        cells: for the loss.
        rows: of the table of mu2, for the logits.
        models: how many at once.
        utterances: of 3 s, for latents and validation.
        block: sequences and their frames; 5,000 of 12 s are about 1 GB.
        amount: of steps.
    """

    sizes: tuple[str, ...] = ("default", "paper")
    batches: tuple[int, ...] = (256, 1024, 4096, 16384)
    forms: tuple[str, ...] = FORMS
    precisions: tuple[str, ...] = ("float32", "tf32", "bf16")
    cells: tuple[str, ...] = ("lstm", "gru", "rnn", "dense")
    rows: tuple[int, ...] = (200, 5_000, 28_000, 280_000)
    models: tuple[int, ...] = (1, 4, 8)
    utterances: int = 1200
    block: tuple[int, int] = (5_000, 1_200)
    amount: Amount = field(default_factory=Amount)


QUICK = Plan(
    sizes=("tiny",),
    batches=(8,),
    forms=("eager", "fused", "compile"),
    precisions=("float32",),
    rows=(20, 50),
    models=(2,),
    utterances=4,
    block=(9, 60),
    amount=Amount(2, 3),
)
Case = tuple[str, Work]


def step_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield the forms of the training step."""
    for size, precision, batch, form in product(
        plan.sizes, plan.precisions, plan.batches, plan.forms
    ):
        work = partial(measure_step, size, batch, precision, form, device, plan.amount)
        yield f"{size}, {precision}, batch {batch}, {form}", work


def logits_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield log q by number of sequences."""
    for rows in plan.rows:
        work = partial(measure_logits, plan.sizes[-1], rows, device, plan.amount)
        yield f"{plan.sizes[-1]}, {rows} sequences", work


def loss_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield loss and gradient against the CPU's."""
    for cell, precision in product(plan.cells, plan.precisions):
        work = partial(measure_loss, plan.sizes[-1], cell, precision, device)
        yield f"{plan.sizes[-1]}, {cell}, {precision}", work


def models_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield several models at once."""
    for size, models in product(plan.sizes, plan.models):
        name, rest = f"{size}, {models} models as", (device, plan.amount)
        yield f"{name} processes", partial(measure_processes, size, models, False, *rest)
        if device.type == "cuda" and shutil.which(MPS):
            yield f"{name} processes, MPS", partial(measure_processes, size, models, True, *rest)
        yield f"{name} streams", partial(measure_streams, size, models, *rest)
        yield f"{name} one batched model", partial(measure_batched, size, models, *rest)


def extraction_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield latents for every frame."""
    for size, precision in product(plan.sizes, plan.precisions[:2]):
        work = partial(measure_extraction, size, precision, plan.utterances // 4, device)
        yield f"{size}, {precision}", work


def blocks_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield the training on blocks."""
    for size in plan.sizes:
        work = partial(measure_blocks, size, *plan.block, PASSES, device)
        yield f"{size}, {plan.block[0]} sequences", work


def validation_cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield looks at dev."""
    for size, precision in product(plan.sizes, plan.precisions[:2]):
        work = partial(measure_validation, size, precision, plan.utterances, device)
        yield f"{size}, {precision}", work


CASES: dict[str, Callable[[Plan, torch.device], Iterator[Case]]] = {
    "step": step_cases,
    "logits": logits_cases,
    "loss": loss_cases,
    "models": models_cases,
    "extraction": extraction_cases,
    "blocks": blocks_cases,
    "validation": validation_cases,
}


def begin(out: Path | None, found: dict[str, Any], again: bool) -> dict[str, Any]:
    """Take up the report of earlier calls on this machine, or begin a new one."""
    if out is not None and out.exists() and not again:
        before = read_json(out)
        if before["machine"] == found:
            return before
    return {"machine": found, "results": {}}


def measure(
    report: dict[str, Any],
    cases: Sequence[tuple[str, str, Work]],
    worker: Worker,
    out: Path | None,
    until: float,
) -> bool:
    """Measure what is missing, and write the report after each case.

    Args:
        report: what is known; it grows.
        cases: part, name and work of each.
        worker: does the work.
        out: where the report is written, if anywhere.
        until: when no further case is begun, by `time.monotonic`.

    Returns:
        Whether all is measured.
    """
    for part, name, work in cases:
        known = report["results"].setdefault(part, {})
        if name in known and "error" not in known[name]:
            continue
        if time.monotonic() > until:
            return False
        known[name] = {key: rounded(value) for key, value in worker.run(work, CASE_SECONDS).items()}
        print(f"{part}: {name}: {known[name].get('error', 'done')}", flush=True)
        if out is not None:
            write_json(out, report)
    return True


def rounded(value: object) -> object:
    """Keep four digits of a figure."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


COLUMNS = {"ms": "ms", "segments_per_second": "segments/s", "peak_mb": "peak MB"}


def lay_out(report: dict[str, Any], plan: Plan, device: torch.device) -> str:
    """Lay all figures out as one table in Markdown, in the order of the plan."""
    rows = []
    order = [(part, name) for part in PARTS for name, _ in CASES[part](plan, device)]
    for part, name in order:
        found = report["results"].get(part, {}).get(name, {})
        cells = [f"{found[key]:,g}" if key in found else "" for key in COLUMNS]
        rest = [
            f"{key.replace('_', ' ')} {value:,g}" if isinstance(value, float) else str(value)
            for key, value in found.items()
            if key not in COLUMNS
        ]
        if found:
            rows.append([part, name, *cells, ", ".join(rest)])
    return table(["part", "case", *COLUMNS.values(), "other"], rows)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then begin no case")
    parser.add_argument("--out", type=Path, help=f"default: {RESULT}; none with --quick")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "benchmarks.gpu needs a GPU with CUDA, PyTorch finds none; "
            "--device cpu --quick tries the script"
        )
    if options.device == "cpu" and not options.quick:
        raise SystemExit("--device cpu only tries the script: give --quick too")
    until = time.monotonic() + 60 * options.minutes
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu")
    plan, out = (QUICK, options.out) if options.quick else (Plan(), options.out or RESULT)
    cases = [(part, *case) for part in options.parts for case in CASES[part](plan, device)]
    worker = Worker()
    try:
        found = worker.run(partial(machine, device), CASE_SECONDS)
        if "error" in found:
            raise SystemExit(f"the device must be usable, it is not ({found['error']})")
        report = begin(out, found, options.again)
        complete = measure(report, cases, worker, out, until)
    finally:
        worker.end()
    print(f"\n{lay_out(report, plan, device)}")
    if not complete:
        print("not all is measured yet: call it again")


if __name__ == "__main__":
    main()
