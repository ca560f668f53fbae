"""Measure training and latents on a GPU, and write benchmarks/results/gpu.json.

    python -m benchmarks.gpu                         # all that is missing
    python -m benchmarks.gpu --parts step logits     # some of it
    python -m benchmarks.gpu --device cpu --quick    # tries the script, without a GPU

step         of training: operation by operation, or as one CUDA graph; x precision x batch
logits       of the discriminative term, forward and backward, by number of sequences
extraction   latents for every frame
models       several trainings at once, a process each

What has been measured on this GPU is kept: interrupt and call again as you like. Every case has
a process of its own, as after a CUDA error a process is of no use any more; what fails (out of
memory) is noted by its sentence, and tried again by the next call.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import torch

from benchmarks.logits import logits
from benchmarks.sizes import sizes
from benchmarks.step import MELS, made_up_frames
from fhvae.environment import describe_machine
from fhvae.files.atomic import read_json, write_json
from fhvae.inference import infer_latents
from fhvae.model.network import new_network
from fhvae.model.weights import TrainedModel
from fhvae.params.whole import Params
from fhvae.report.tables import table
from fhvae.segments import gather
from fhvae.training.learner import Learner, set_precision
from fhvae.training.world import World

RESULT = Path("benchmarks/results/gpu.json")
FRAMES = 400_000  # on the device, over an hour of speech: more than any cache holds
FRAMES_PER_SECOND = 100
ROWS = 5_000  # of the table of mu2, where it is not what is measured
DIFFERENT_BATCHES = 32
START_SECONDS = 240.0  # for all processes of a case to be ready

Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        sizes: names of `sized`.
        batches, precisions: of the step.
        rows: of the table of mu2, for the logits.
        utterances: of 3 s, for latents.
        models: how many at once.
        warm_up, steps: before the clock runs, and with it.
    """

    sizes: tuple[str, ...] = ("default", "paper")
    batches: tuple[int, ...] = (256, 1024, 4096, 16384)
    precisions: tuple[str, ...] = ("float32", "tf32", "bf16")
    rows: tuple[int, ...] = (200, 5_000, 28_000, 280_000)
    utterances: int = 300
    models: tuple[int, ...] = (1, 4, 8)
    warm_up: int = 20
    steps: int = 100


QUICK = Plan(("tiny",), (8,), ("float32",), (20, 50), utterances=3, models=(2,), warm_up=2, steps=3)


@dataclass(frozen=True)
class Case:
    """What is measured at a time.

    Attributes:
        part, name: where the figures stand in the report.
        work: gives them; picklable.
        processes: that do this work at the same time.
    """

    part: str
    name: str
    work: Callable[[], Result]
    processes: int = 1


def cases(plan: Plan, device: torch.device) -> Iterator[Case]:
    """Yield all that is to be measured."""
    for size, precision, batch in product(plan.sizes, plan.precisions, plan.batches):
        for form in ("eager", "graph"):
            work = partial(measure_step, size, batch, precision, form, device, plan)
            yield Case("step", f"{size}, {precision}, batch {batch}, {form}", work)
    for size, rows in product(plan.sizes, plan.rows):
        work = partial(measure_logits, size, rows, device, plan)
        yield Case("logits", f"{size}, {rows} sequences", work)
    for size, precision in product(plan.sizes, plan.precisions[:2]):
        work = partial(measure_extraction, size, precision, device, plan)
        yield Case("extraction", f"{size}, {precision}", work)
    for size, models in product(plan.sizes, plan.models):
        batch = sized(size).training.batch
        work = partial(measure_step, size, batch, "float32", "graph", device, plan)
        yield Case("models", f"{size}, {models} at once", work, models)


def sized(name: str) -> Params:
    """Give the params of `default`, of `paper` (profiles/paper), or of `tiny`, for trying."""
    if name != "tiny":
        return sizes()[name]
    params = sizes()["default"]
    model = replace(params.model, cells=6, z1=3, z2=2)
    return replace(params, model=model, training=replace(params.training, batch=8))


def measure_step(
    size: str, batch: int, precision: str, form: str, device: torch.device, plan: Plan
) -> Result:
    """Measure the training step on batches that are gathered on the device, as in training."""
    params = sized(size)
    changed: dict[str, Any] = {"precision": precision, "batch": batch, "average": 0.0}
    training = replace(params.training, **changed)
    set_precision(training.precision, device)
    learner = Learner(
        MELS, ROWS, params.alpha, 0, params.segments, params.model, training, device, World()
    )
    draw, length = torch.Generator(device).manual_seed(0), params.segments.frames
    shape = (DIFFERENT_BATCHES, batch)
    frames = torch.randn(FRAMES, MELS, generator=draw, device=device)
    starts = torch.randint(FRAMES - length, shape, generator=draw, device=device)
    sequence = torch.randint(ROWS, shape, generator=draw, device=device)
    counts = torch.full((ROWS,), 20.0, device=device)
    step = learner.step if form == "graph" else learner.eager_step
    taken = 0

    def take() -> None:
        nonlocal taken
        number, taken = taken % DIFFERENT_BATCHES, taken + 1
        segments = gather(frames, starts[number], length)
        step(segments, sequence[number], counts[sequence[number]])

    ms = milliseconds(take, device, plan)
    return {"ms": ms, "segments_per_second": 1e3 * batch / ms, **peak(device)}


def measure_logits(size: str, rows: int, device: torch.device, plan: Plan) -> Result:
    """Measure log q of a batch over so many sequences, with its gradients, by itself."""
    ms = milliseconds(logits(sized(size), rows, device), device, plan)
    return {"ms": ms, **peak(device)}


def measure_extraction(size: str, precision: str, device: torch.device, plan: Plan) -> Result:
    """Measure latents for every frame of utterances of 3 s; the first of two runs is not timed."""
    params = sized(size)
    changed: dict[str, Any] = {"precision": precision}
    set_precision(replace(params.training, **changed).precision, device)
    network = new_network(MELS, params.segments.frames, params.model, seed=0).to(device)
    trained = TrainedModel(network.eval().requires_grad_(False), params.segments, params.fbank)
    packed = made_up_frames(plan.utterances, 3 * FRAMES_PER_SECOND)
    for _ in range(2):
        begun = time.perf_counter()
        infer_latents(trained, packed, shift=1)
        rate = len(packed.rows) / (time.perf_counter() - begun)
    return {"frames_per_second": rate, "times_real_time": rate / FRAMES_PER_SECOND, **peak(device)}


def milliseconds(take: Callable[[], object], device: torch.device, plan: Plan) -> float:
    """Time a step: the mean over steps that follow each other without a wait.

    The clock runs when all processes of the case are warm.
    """
    wait: Callable[[], None] = (lambda: None) if device.type == "cpu" else torch.cuda.synchronize
    for _ in range(plan.warm_up):
        take()
    wait()
    if _barrier is not None:
        _barrier.wait(START_SECONDS)
    begun = time.perf_counter()
    for _ in range(plan.steps):
        take()
    wait()
    return 1e3 * (time.perf_counter() - begun) / plan.steps


def peak(device: torch.device) -> Result:
    """Give the memory that was taken on the device at most."""
    if device.type != "cuda":
        return {}
    return {"peak_mb": torch.cuda.max_memory_allocated(device) / 1e6}


_barrier: Barrier | None = None  # of the processes of a case


def _keep(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(1)


def _guarded(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except BaseException:
        assert _barrier is not None
        _barrier.abort()  # nobody need wait for this one
        raise


def run(case: Case) -> Result:
    """Measure a case in processes of its own; {"error": why not} where one of them fails.

    Of several, the rates add up, and so does the memory; the slowest gives the time of a step.
    """
    spawn = get_context("spawn")
    barrier = spawn.Barrier(case.processes)
    with ProcessPoolExecutor(case.processes, spawn, _keep, (barrier,)) as pool:
        runs = [pool.submit(_guarded, case.work) for _ in range(case.processes)]
        errors = [error for one in runs if (error := one.exception()) is not None]
    if errors:  # of them one that says more than that another one failed
        error = min(errors, key=lambda one: isinstance(one, BrokenBarrierError))
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]}
    found = [one.result() for one in runs]
    return {
        key: float(f"{(max if key == 'ms' else sum)(one[key] for one in found):.4g}")
        for key in found[0]
    }


def machine(device: torch.device) -> Result:
    """Describe what is measured."""
    if device.type != "cuda":
        return describe_machine()
    memory_gb = round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1)
    gpu = {"gpu": torch.cuda.get_device_name(device), "memory_gb": memory_gb}
    return {**describe_machine(), **gpu, "cuda": str(torch.version.cuda)}


def measure(chosen: Sequence[Case], found: Result, out: Path) -> Result:
    """Measure what the report in `out` lacks of this machine; it is written after each case."""
    report = read_json(out) if out.exists() else {}
    if report.get("machine") != found:
        report = {"machine": found, "results": {}}
    for case in chosen:
        known = report["results"].setdefault(case.part, {})
        if "error" in known.get(case.name, {"error": "not measured"}):
            known[case.name] = run(case)
            print(f"{case.part}: {case.name}: {known[case.name].get('error', 'done')}", flush=True)
            write_json(out, report)
    return report


COLUMNS = {"ms": "ms", "segments_per_second": "segments/s", "frames_per_second": "frames/s"}
COLUMNS |= {"times_real_time": "times real time", "peak_mb": "peak MB", "error": "failed"}


def lay_out(report: Result) -> str:
    """Lay all figures out as one table in Markdown."""
    rows = []
    for part, results in report["results"].items():
        for name, one in results.items():
            cells = [one.get(key, "") for key in COLUMNS]
            shown = [cell if isinstance(cell, str) else f"{cell:,g}" for cell in cells]
            rows.append([part, name, *shown])
    return table(["part", "case", *COLUMNS.values()], rows)


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("step", "logits", "extraction", "models")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("needs a GPU with CUDA; --device cpu --quick --out FILE tries the script")
    if options.device == "cpu" and not options.quick:
        parser.error("--device cpu only tries the script: give --quick, and --out FILE")
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu")
    plan = QUICK if options.quick else Plan()
    chosen = [case for case in cases(plan, device) if case.part in options.parts]
    print(f"\n{lay_out(measure(chosen, machine(device), options.out))}")


if __name__ == "__main__":
    main()
