"""Measure the training step: share of the machine's own sgemm rate, ratio to a plain loop.

Everything runs in one process on one thread, in turn, and is timed in CPU seconds;
medians over rounds of ratios within a round. What is done once a pass (drawing the
segments, refilling the table of mu2) is not in it. Absolute times are of no use on a CPU.
Run it by `make benchmark`, which sets the allocator as the stage train does.
"""

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.plain_loop import PlainStep
from fhvae.artifacts import Packed, write_json
from fhvae.params import ModelParams, Params, load_params
from fhvae.segments import gather
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.data import Sequences, open_sequences
from fhvae.training.loop import Setting, Trainer

PROFILES = {"default": (None, None), "paper": (256, 256)}  # cells, batch
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
MELS = 80
SEQUENCES = 1440


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


def measure(params: Params, rounds: int, repeats: int) -> dict[str, float]:
    """Measure one profile; returns medians over rounds."""
    torch.set_num_threads(1)
    setting = Setting(params.alpha, 0, params.segments, params.model, params.training)
    data = made_up_data(SEQUENCES, frames=300)
    square = torch.randn(2048, 2048)
    left, right = torch.randn(256, 256), torch.randn(256, 1024)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint({}, Path(folder))
        frames = data.load(torch.device("cpu"))
        trainer = Trainer(setting, data, frames, checkpoint)
        plain = PlainStep(MELS, SEQUENCES, params.model, params.training.learning_rate)
        batch = params.training.batch

        def plain_step() -> None:
            starts = torch.randint(len(frames.frames) - 20, (batch,))
            segments = gather(frames.frames, starts, params.segments.frames)
            plain(segments, torch.randint(SEQUENCES, (batch,)))

        for _ in range(3):
            trainer.train_step()
            plain_step()
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            step = cpu_seconds(trainer.train_step, repeats)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
            other = cpu_seconds(plain_step, repeats)
            big = 2 * 2048**3 / cpu_seconds(lambda: torch.mm(square, square), 2)
            small = 2 * 256 * 256 * 1024 / cpu_seconds(lambda: torch.mm(left, right), 60)
            flops = flops_per_segment(params.model, params.segments.frames, MELS) * batch / step
            for key, value in {
                "share_of_sgemm_2048": flops / big,
                "share_of_sgemm_256x256x1024": flops / small,
                "step_to_plain_loop": step / other,
                "page_faults_per_step": faults / (repeats + 1),
            }.items():
                found.setdefault(key, []).append(value)
    return {key: round(statistics.median(values), 4) for key, values in found.items()}


def main() -> None:
    """Measure both profiles and write benchmarks/results/step.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=8, help="steps per round")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/step.json"))
    options = parser.parse_args()
    params = load_params()
    report: dict[str, object] = {}
    for name, (cells, batch) in PROFILES.items():
        chosen = params
        if cells is not None and batch is not None:
            chosen = replace(
                params,
                model=replace(params.model, cells=cells),
                training=replace(params.training, batch=batch),
            )
        report[name] = measure(chosen, options.rounds, options.repeats)
        print(name, json.dumps(report[name], indent=2), flush=True)
    report["machine"] = {
        "processor": platform.machine(),
        "torch": str(torch.__version__),
        "threads": 1,
    }
    write_json(options.out, report)


if __name__ == "__main__":
    main()
