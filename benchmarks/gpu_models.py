"""Several models at once on one GPU: as processes, as streams of one process, as one model."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError

import torch
from torch import Tensor

from benchmarks.batched_models import BatchedModels
from benchmarks.gpu_parts import ROWS, Result, form_of
from benchmarks.gpu_rig import (
    Amount,
    Rig,
    free_memory,
    in_precision,
    milliseconds,
    seconds,
    sized,
    speed,
    wait,
)
from benchmarks.step import MELS
from fhvae.model.network import new_network
from fhvae.training.learner import GraphedStep, Step
from fhvae.training.table import new_table

MPS = "nvidia-cuda-mps-control"
START_SECONDS = 240.0  # for all processes to be ready


def project_form(device: torch.device) -> str:
    """Name the form of the step that training takes on this device (`form_of`)."""
    return "graph" if device.type == "cuda" else "fused"


def measure_processes(
    size: str, models: int, mps: bool, device: torch.device, amount: Amount
) -> Result:
    """Measure processes side by side, each with a model; under NVIDIA's MPS where asked."""
    free_memory(device)
    spawn = get_context("spawn")
    barrier = spawn.Barrier(models)
    with (
        mps_server() if mps else nullcontext(),
        ProcessPoolExecutor(models, spawn, _keep, (barrier,)) as pool,
    ):
        work = partial(_train_alone, size, device=device, amount=amount)
        runs = [pool.submit(work, seed) for seed in range(models)]
        spans = results(runs)
    taken = max(end for _, end in spans) - min(begin for begin, _ in spans)
    segments = models * sized(size).training.batch
    return {
        "ms": 1e3 * taken / amount.steps,
        "segments_per_second": segments * amount.steps / taken,
    }


def results(runs: list[Future[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Wait for all; of the errors raise one that says more than that another one failed."""
    errors = [error for run in runs if (error := run.exception()) is not None]
    for error in sorted(errors, key=lambda one: isinstance(one, BrokenBarrierError)):
        raise error
    return [run.result() for run in runs]


_barrier: Barrier | None = None


def _keep(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _train_alone(size: str, seed: int, device: torch.device, amount: Amount) -> tuple[float, float]:
    """Take steps when all are ready; gives when they began and ended, by the machine's clock."""
    assert _barrier is not None
    try:
        torch.set_num_threads(1)
        params = in_precision(sized(size), "float32", device)
        rig = Rig(params, params.training.batch, device, ROWS, seed)
        step = form_of(rig.learner, project_form(device), device)
        milliseconds(lambda: rig.take(step), device, Amount(amount.warm_up, 1))
        _barrier.wait(START_SECONDS)
    except Exception:
        _barrier.abort()  # nobody need wait for this one
        raise
    begun = time.monotonic()
    for _ in range(amount.steps):
        rig.take(step)
    float(rig.sums[0])  # waits
    return begun, time.monotonic()


@contextmanager
def mps_server() -> Iterator[None]:
    """Start NVIDIA's multi-process service; processes started meanwhile share the GPU by it."""
    names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")
    before = {name: os.environ[name] for name in names if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        try:
            for name in names:
                os.environ[name] = str(Path(folder) / name)
                Path(os.environ[name]).mkdir()
            subprocess.run([MPS, "-d"], check=True, capture_output=True)
            yield
        finally:
            subprocess.run([MPS], input="quit\n", text=True, check=False, capture_output=True)
            for name in names:
                del os.environ[name]
            os.environ.update(before)


def measure_streams(size: str, models: int, device: torch.device, amount: Amount) -> Result:
    """Measure models of one process, each with a graph and a stream of its own."""
    params = in_precision(sized(size), "float32", device)
    free_memory(device)
    rigs = [Rig(params, params.training.batch, device, ROWS, seed) for seed in range(models)]
    steps = [form_of(rig.learner, project_form(device), device) for rig in rigs]
    streams: list[torch.cuda.Stream | None] = [
        torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        for _ in rigs
    ]

    wait(device)  # for what the rigs are made of: it was drawn on another stream

    def take() -> None:
        for rig, step, stream in zip(rigs, steps, streams, strict=True):
            with torch.cuda.stream(stream):
                rig.take(step)

    return speed(round_milliseconds(take, device, amount), models * rigs[0].size, device)


def measure_batched(size: str, models: int, device: torch.device, amount: Amount) -> Result:
    """Measure models whose weights lie side by side, in one graph (`BatchedModels`)."""
    params = in_precision(sized(size), "float32", device)
    free_memory(device)
    batch, training = params.training.batch, params.training
    rig = Rig(params, models * batch, device, ROWS)
    networks = [
        new_network(MELS, params.segments.frames, params.model, seed).to(device)
        for seed in range(models)
    ]
    tables = [new_table(ROWS, params.model, device) for _ in networks]
    batched = BatchedModels(networks, tables, params.alpha)
    optimizer = torch.optim.Adam(
        batched.parameters(),
        training.learning_rate,
        (training.adam_beta1, training.adam_beta2),
        fused=True,
        capturable=device.type == "cuda",
    )
    noise = torch.Generator(device).manual_seed(0)

    def eager(segments: Tensor, sequence: Tensor, counts: Tensor) -> Tensor:
        losses: Tensor = batched(segments, sequence, counts, noise)
        optimizer.zero_grad()
        torch.autograd.backward(losses.sum())
        optimizer.step()
        return losses.detach()

    step: Step = eager
    if device.type == "cuda":
        step = GraphedStep(eager, optimizer, noise)

    def take() -> None:
        segments, sequence, counts = rig.batch()
        apart = (models, batch)
        step(segments.view(-1, *apart, MELS), sequence.view(apart), counts.view(apart))

    return speed(round_milliseconds(take, device, amount), models * batch, device)


def round_milliseconds(take: Callable[[], None], device: torch.device, amount: Amount) -> float:
    """Time a step of all models, by the wall: events of one stream do not see the others."""
    for _ in range(amount.warm_up):
        take()

    def steps() -> None:
        for _ in range(amount.steps):
            take()

    return 1e3 * seconds(steps, device) / amount.steps
