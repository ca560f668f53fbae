"""Measure training against the number of sequences M: the step, its waiting, and memory.

Hierarchical sampling with blocks of K sequences at M = 10^3 to 10^6, and flat training as far
as is reasonable, each in a process of its own at the default's size. Frames are made up: a file
of float16 frames on disk in which every utterance has 100 to 200 frames at a place of its own;
for large M places overlap, so that a million utterances need no 20 GB. The file is in the page
cache: waiting for a disk is not in it. CPU seconds of the process, the thread that reads blocks
included. Linux only.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.drawing import can_draw
from benchmarks.process_tree import status_bytes
from benchmarks.sizes import sizes
from benchmarks.step import MELS
from benchmarks.training_process import in_process
from fhvae.environment import describe_machine
from fhvae.files.atomic import write_json
from fhvae.files.packed import Packed
from fhvae.files.shards import RowFile, open_rows, shard_path
from fhvae.params.whole import Params
from fhvae.report.figures.drawing import BLUE, ORANGE, new_figure
from fhvae.training.batches import Sequences, open_sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import Setting, Trainer

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
FLAT_COUNTS = (1_000, 10_000)
BLOCK = 500  # K
FILE_FRAMES = 2_500_000  # 400 MB
SHORTEST, LONGEST = 100, 200  # frames of an utterance
BLOCKS = 3  # measured after the first one


def write_frames(stem: Path) -> None:
    """Write the file of frames."""
    random = np.random.default_rng(0)
    with RowFile(shard_path(stem, 0), "float16", (MELS,)) as file:
        for _ in range(FILE_FRAMES // 50_000):
            file.append(random.standard_normal((50_000, MELS), dtype=np.float32))


def made_up_sequences(stem: Path, count: int) -> Sequences:
    """Place utterances in the file."""
    random = np.random.default_rng(1)
    lengths = random.integers(SHORTEST, LONGEST + 1, size=count)
    offsets = random.integers(0, FILE_FRAMES - LONGEST, size=count)
    ids = tuple(f"speaker-chapter-{number:08}" for number in range(count))
    packed = Packed(open_rows([shard_path(stem, 0)]), ids, offsets, lengths)
    return open_sequences([packed], dict.fromkeys(ids, "speaker"), "utterance")


def train(stem: Path, count: int, block: int) -> dict[str, float]:
    """Train over some passes in this process; gives seconds per step and the peak memory."""
    torch.set_num_threads(1)
    params: Params = sizes()["default"]
    training = replace(params.training, block_sequences=block)
    setting = Setting(params.alpha, 0, params.segments, params.model, training)
    before = status_bytes("VmRSS")
    sequences = made_up_sequences(stem, count)
    index = status_bytes("VmRSS") - before
    dev = made_up_sequences(stem, 20).load(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(setting, sequences, dev, Checkpoint({}, Path(folder)))
        trainer.train_step()
        assert trainer.current is not None
        for _ in range(len(trainer.current) - 1):
            trainer.train_step()
        passes = BLOCKS if block else 1
        done, beginning = 0, 0.0
        cpu, wall = time.process_time(), time.monotonic()
        for _ in range(passes):
            begun = time.monotonic()
            trainer.begin_pass()
            beginning += time.monotonic() - begun
            for _ in range(len(trainer.current)):
                trainer.train_step()
                done += 1
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        trainer.blocks.close()
    return {
        "cpu_s_per_step": cpu / done,
        "pass_begin_share": beginning / wall,
        "peak_rss": status_bytes("VmHWM"),
        "index": index,
    }


def train_in_process(stem: Path, count: int, block: int) -> dict[str, float]:
    """Run `train` in a process of its own, with the stage's environment."""
    call = f"print(json.dumps(train(Path({str(stem)!r}), {count}, {block})))"
    imports = "import json\nfrom pathlib import Path\nfrom benchmarks.blocks import train"
    return in_process(f"{imports}\n{call}")


def draw(path: Path, rows: list[dict[str, float]]) -> None:
    """Draw step and memory against M, relative to the smallest corpus and in GB."""
    with new_figure(path, 8, 3.2) as figure:
        left, right = figure.subplots(1, 2)
        for name, color, flat in (("blocks", BLUE, 0), ("flat", ORANGE, 1)):
            own = [row for row in rows if row["flat"] == flat]
            counts = [row["sequences"] for row in own]
            left.plot(counts, [row["step"] for row in own], "o-", color=color, label=name)
            right.plot(counts, [row["peak_rss_gb"] for row in own], "o-", color=color)
        left.set(title="CPU seconds of a step, relative", ylabel="blocks of 500 at 1,000: 1")
        right.set(title="Peak memory", ylabel="GB")
        for axes in (left, right):
            axes.set(xlabel="sequences in the corpus", xscale="log", ylim=(0, None))
            axes.grid(axis="y")
        left.legend(loc="lower left")


def main() -> None:
    """Measure; write blocks.json and, where matplotlib is, blocks.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/blocks.json"))
    options = parser.parse_args()
    cases = [(count, BLOCK) for count in COUNTS] + [(count, 0) for count in FLAT_COUNTS]
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "frames"
        write_frames(stem)
        rounds = [[train_in_process(stem, *case) for case in cases] for _ in range(options.rounds)]
    rows = []
    for place, (count, block) in enumerate(cases):
        own = [one[place] for one in rounds]
        ratios = [one[place]["cpu_s_per_step"] / one[0]["cpu_s_per_step"] for one in rounds]
        rows.append(
            {
                "sequences": count,
                "flat": int(block == 0),
                "step": round(statistics.median(ratios), 3),
                "pass_begin_share": round(
                    statistics.median(run["pass_begin_share"] for run in own), 4
                ),
                "peak_rss_gb": round(statistics.median(run["peak_rss"] for run in own) / 1e9, 3),
                "index_bytes_per_sequence": round(own[0]["index"] / count, 1),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    write_json(options.out, {"block": BLOCK, "rows": rows, "machine": describe_machine()})
    if can_draw("matplotlib"):
        draw(options.out.with_suffix(".png"), rows)


if __name__ == "__main__":
    main()
