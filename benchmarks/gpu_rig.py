"""What the measurements of a GPU share: sizes, made-up batches, and the clock."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from benchmarks.step import MELS
from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params, load_params
from fhvae.segments import gather
from fhvae.training.learner import Learner, Step, set_precision
from fhvae.training.world import World

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 400_000  # on the device, over an hour of speech: more than any cache holds
DIFFERENT_BATCHES = 32


@dataclass(frozen=True)
class Amount:
    """How much is measured: steps before the clock runs, and steps with it."""

    warm_up: int = 20
    steps: int = 100


def sized(name: str) -> Params:
    """Give the params of `default`, of `paper` (profiles/paper), or of `tiny`, for trying."""
    if name == "paper":
        values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        words = (ROOT / "profiles" / "paper").read_text(encoding="utf-8").split()
        for flag in words[1::2]:  # -S key=value
            key, text = flag.split("=")
            *sections, last = key.split(".")
            inner = values
            for section in sections:
                inner = inner[section]
            inner[last] = yaml.safe_load(text)
        return from_mapping(Params, values, "profiles/paper")
    params = load_params(ROOT / "params.yaml")
    if name == "tiny":
        model = replace(params.model, cells=6, z1=3, z2=2)
        return replace(params, model=model, training=replace(params.training, batch=8))
    return params


def in_precision(params: Params, precision: str, device: torch.device) -> Params:
    """Set the arithmetic of this process, and the param that says so."""
    changed: dict[str, Any] = {"precision": precision}
    training = replace(params.training, **changed)
    set_precision(training.precision, device)
    return replace(params, training=training)


def free_memory(device: torch.device) -> None:
    """Give back what earlier measurements left, and begin to count anew."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


class Rig:
    """A learner, and batches for it: gathered on the device as in training, without end."""

    def __init__(
        self, params: Params, batch: int, device: torch.device, rows: int, seed: int = 0
    ) -> None:
        """Draw everything; `rows` is the size of the table of mu2."""
        self.learner = Learner(
            MELS,
            rows,
            params.alpha,
            seed,
            params.segments,
            params.model,
            replace(params.training, batch=batch, average=0.0),
            device,
            World(),
        )
        self.length, self.size, self.taken = params.segments.frames, batch, 0
        draw = torch.Generator(device).manual_seed(seed)
        size = (DIFFERENT_BATCHES, batch)
        count = FRAMES if device.type == "cuda" else FRAMES // 100
        self.frames = torch.randn(count, MELS, generator=draw, device=device)
        last = count - self.length
        self.starts = torch.randint(last, size, generator=draw, device=device)
        self.sequence = torch.randint(rows, size, generator=draw, device=device)
        self.counts = torch.full((rows,), 20.0, device=device)
        self.sums = torch.zeros(6, device=device)

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Gather the next batch, as `Trainer.train_step` does."""
        number = self.taken % DIFFERENT_BATCHES
        self.taken += 1
        sequence = self.sequence[number]
        segments = gather(self.frames, self.starts[number], self.length)
        return segments, sequence, self.counts[sequence]

    def take(self, step: Step) -> None:
        """Take a step."""
        self.sums += step(*self.batch())


def wait(device: torch.device) -> None:
    """Wait for what was asked of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(take: Callable[[], object], device: torch.device, amount: Amount) -> float:
    """Time a step: the median over steps that follow each other without a wait."""
    for _ in range(amount.warm_up):
        take()
    wait(device)
    if device.type != "cuda":
        moments = [time.perf_counter()]
        for _ in range(amount.steps):
            take()
            moments.append(time.perf_counter())
        return 1e3 * statistics.median(after - before for before, after in pairwise(moments))
    events = [
        torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        for _ in range(amount.steps + 1)
    ]
    events[0].record()
    for event in events[1:]:
        take()
        event.record()
    torch.cuda.synchronize(device)
    return float(statistics.median(one.elapsed_time(other) for one, other in pairwise(events)))


def seconds(work: Callable[[], object], device: torch.device, rounds: int = 3) -> float:
    """Time what takes long, by the wall: the median of rounds after one that is not counted."""
    found = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        work()
        wait(device)
        found.append(time.perf_counter() - begun)
    return statistics.median(found[1:])


def speed(ms: float, segments: int, device: torch.device) -> dict[str, float]:
    """Lay out the figures of a step over so many segments."""
    found = {"ms": ms, "segments_per_second": 1e3 * segments / ms}
    if device.type == "cuda":
        found["peak_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    return found
