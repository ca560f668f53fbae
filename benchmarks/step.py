"""Measure the training step: share of the machine's own sgemm rate, ratio to a plain loop.

Everything runs in one process on one thread, in turn, and is timed in CPU seconds;
medians over rounds of ratios within a round. What is done once a pass (drawing the
segments, refilling the table of mu2) is not in it. Absolute times are of no use on a CPU.
Run it by `make benchmark`, which sets the allocator as the stage train does.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from benchmarks.plain_loop import PlainStep
from benchmarks.sizes import sizes
from fhvae.environment import describe_machine
from fhvae.files.atomic import write_json
from fhvae.files.packed import Packed
from fhvae.params.model import ModelParams
from fhvae.params.whole import Params
from fhvae.progress import progress_bar
from fhvae.segments import gather
from fhvae.training.batches import Sequences, draw_pass, open_sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import CHECK_STEPS, Setting, Trainer

Key = TypeVar("Key")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
MELS = 80
SEQUENCES = 1440
SEQUENCE_FRAMES = 300  # 3 s


def flops_per_segment(params: ModelParams, frames: int, mels: int) -> float:
    """Count the operations of a forward and a backward pass, two per multiply-add.

    Only what training needs: three products per weight, two where the input needs no
    gradient (the frames); recurrent weights are used at every frame, dense ones once.
    124 million for one LSTM layer of 256, 80 mels, 32 + 32, 20 frames.
    """
    cells, layers = params.cells, params.layers
    if params.cell == "dense":
        outputs, times, inputs, summary, states = cells, 1, frames * mels, cells, 0
    else:
        outputs, times, inputs, summary = GATES[params.cell] * cells, frames, mels, layers * cells
        states = 3 * (3 * layers * cells)
    from_frames = 2 * (2 * inputs)
    from_latents = 3 * (params.z2 + params.z1 + params.z2)
    from_lower_layers = 3 * (3 * (layers - 1) * cells)
    body = outputs * times * (states + from_frames + from_latents + from_lower_layers)
    heads = 3 * 2 * (summary * (params.z1 + params.z2) + cells * frames * mels)
    return 2 * (body + heads)


def cpu_seconds(function: Callable[[], object], repeats: int) -> float:
    """Time a function on this thread, per call, after one call that warms the caches."""
    function()
    begun = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begun) / repeats


def made_up_frames(utterances: int, frames: int) -> Packed:
    """Make normalized noise of utterances of equal length."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((utterances * frames, MELS), dtype=np.float32)
    ids = tuple(f"{number:06}" for number in range(utterances))
    lengths = np.full(utterances, frames)
    return Packed(rows, ids, np.arange(utterances) * frames, lengths)


def made_up_data(sequences: int, frames: int) -> Sequences:
    """Make TIMIT-like utterances of noise; its content does not matter for speed."""
    packed = made_up_frames(sequences, frames)
    return open_sequences([packed], dict.fromkeys(packed.utterance_ids, ""), "utterance")


def new_trainer(params: Params, train: Sequences, dev: Sequences, folder: Path) -> Trainer:
    """Set up a run as the stage train does, with its checkpoint below `folder`."""
    setting = Setting(params.alpha, 0, params.segments, params.model, params.training)
    return Trainer(setting, train, dev.load(torch.device("cpu")), Checkpoint({}, folder))


def medians(rounds: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """Take the median of each figure over rounds, to four digits."""
    return {key: float(f"{statistics.median(one[key] for one in rounds):.4g}") for key in rounds[0]}


def measure(params: Params, rounds: int, repeats: int) -> dict[str, float]:
    """Measure one size; returns medians over rounds."""
    torch.set_num_threads(1)
    data = made_up_data(SEQUENCES, SEQUENCE_FRAMES)
    square = torch.randn(2048, 2048)
    left, right = torch.randn(256, 256), torch.randn(256, 1024)
    with tempfile.TemporaryDirectory() as folder:
        trainer = new_trainer(params, data, data, Path(folder))
        frames = data.load(torch.device("cpu")).frames
        plain = PlainStep(MELS, SEQUENCES, params.model, params.training.learning_rate)
        batch = params.training.batch

        def plain_step() -> None:
            starts = torch.randint(len(frames) - params.segments.frames, (batch,))
            segments = gather(frames, starts, params.segments.frames)
            plain(segments, torch.randint(SEQUENCES, (batch,)))

        for _ in range(3):
            trainer.train_step()
            plain_step()
        found = []
        for _ in range(rounds):
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            step = cpu_seconds(trainer.train_step, repeats)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
            other = cpu_seconds(plain_step, repeats)
            big = 2 * 2048**3 / cpu_seconds(lambda: torch.mm(square, square), 2)
            small = 2 * 256 * 256 * 1024 / cpu_seconds(lambda: torch.mm(left, right), 60)
            flops = flops_per_segment(params.model, params.segments.frames, MELS) * batch / step
            found.append(
                {
                    "share_of_sgemm_2048": flops / big,
                    "share_of_sgemm_256x256x1024": flops / small,
                    "step_to_plain_loop": step / other,
                    "page_faults_per_step": faults / (repeats + 1),
                }
            )
    return medians(found)


def data_share(params: Params, rounds: int) -> dict[str, float]:
    """Measure what a step spends on its batch and on its curve, as shares of the step.

    The batch: its share of drawing the pass, and cutting it out of the frames. The curve: adding
    the terms up, the progress bar, its share of the looks at the sums. And the refill: its share of
    inferring the table of mu2 once a pass, a forward pass of one encoder over the corpus.
    """
    torch.set_num_threads(1)
    data = made_up_data(SEQUENCES, SEQUENCE_FRAMES)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = new_trainer(params, data, data, Path(folder))
        trainer.train_step()
        drawn, block = trainer.current, trainer.block
        assert drawn is not None
        assert block is not None
        frames, terms = params.segments.frames, torch.ones(len(trainer.sums))
        bar = progress_bar(None, "made up", "step", 10**9)

        numbers = iter(np.random.default_rng(0).integers(0, len(drawn), 10**6).tolist())

        def cut() -> None:
            batch = next(numbers)  # another one each time: its frames are not in the cache
            gather(block.data.frames, drawn.starts[batch], frames)
            trainer.counts[drawn.sequence[batch]]

        def draw() -> None:
            seed, batch = trainer.setting.seed, params.training.batch
            draw_pass(block, params.segments, batch, seed, 1)

        def note() -> None:
            trainer.sums += terms
            bar.update()

        for _ in range(rounds):
            step = cpu_seconds(trainer.train_step, 20)
            batch = cpu_seconds(cut, 100) + cpu_seconds(draw, 3) / len(drawn)
            curve = cpu_seconds(note, 1000) + cpu_seconds(trainer.check, 20) / CHECK_STEPS
            refill = cpu_seconds(trainer.refill_table, 1) / len(drawn)
            found.append({"batch": batch / step, "curve": curve / step, "refill": refill / step})
        bar.close()
    return medians(found)


def cell_ratios(params: Params, rounds: int, repeats: int) -> dict[str, float]:
    """Measure the step of each cell, and of the second code's dense networks, relative to LSTM's.

    All have the cells of `params`; dense ones two layers of them, or of 512 where so named.
    """
    torch.set_num_threads(1)
    data = made_up_data(SEQUENCES, SEQUENCE_FRAMES)
    models = {cell: replace(params.model, cell=cell) for cell in ("lstm", "gru", "rnn")}
    models["dense"] = replace(params.model, cell="dense", layers=2)
    models["dense512"] = replace(params.model, cell="dense", layers=2, cells=512)
    with tempfile.TemporaryDirectory() as folder:
        trainers = {
            name: new_trainer(replace(params, model=model), data, data, Path(folder))
            for name, model in models.items()
        }
        for trainer in trainers.values():
            for _ in range(3):
                trainer.train_step()
        found = []
        for _ in range(rounds):
            seconds = {
                name: cpu_seconds(trainer.train_step, repeats) for name, trainer in trainers.items()
            }
            found.append({name: value / seconds["lstm"] for name, value in seconds.items()})
    return medians(found)


def main() -> None:
    """Measure both sizes and write benchmarks/results/step.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=8, help="steps per round")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/step.json"))
    options = parser.parse_args()
    report: dict[str, object] = {"machine": describe_machine()}
    for name, params in sizes().items():
        report[name] = measure(params, options.rounds, options.repeats)
        report[f"{name}_data_share"] = data_share(params, options.rounds)
        report[f"{name}_cells"] = cell_ratios(params, options.rounds, options.repeats)
        print(json.dumps({key: report[key] for key in report if name in key}, indent=2), flush=True)
    write_json(options.out, report)


if __name__ == "__main__":
    main()
