"""Measure a training's start-up and its peak memory, each in processes of their own.

Start-up: from the start of an interpreter, through all that the stage train imports, to the end
of the first step at the paper's size, the first pass included, on data of a few batches.
Memory: 30 steps at the paper's size on as many frames as TIMIT's, the first pass, an epoch's end
with its look at dev and its checkpoint. The data are made up in place: what it takes to read them
and to draw the curve is not in it (0.15 GB in the stage itself, on files of that size).
Processes have the environment variables that dvc.yaml gives the stage. Linux only.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
import yaml

from benchmarks.process_tree import measure, status_bytes
from benchmarks.sizes import ROOT, sizes
from benchmarks.step import SEQUENCE_FRAMES, made_up_data, medians, new_trainer
from fhvae.environment import describe_machine
from fhvae.files.atomic import write_json
from fhvae.portable import environment

RESULT = Path("benchmarks/results/training_process.json")
FEW_SEQUENCES = 32  # refilling the table of mu2 grows with the corpus, starting up does not
TIMIT_SEQUENCES, TIMIT_DEV_SEQUENCES = 3_696, 400
STEPS = 30
IMPORTS = "import stages.train"
FIRST_STEP = f"{IMPORTS}; from benchmarks.training_process import first_step; first_step()"
WHOLE_RUN = f"{IMPORTS}; from benchmarks.training_process import whole_run; whole_run()"


def first_step() -> None:
    """Take one step at the paper's size, then end the process at once."""
    torch.set_num_threads(1)
    data = made_up_data(FEW_SEQUENCES, SEQUENCE_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        new_trainer(sizes()["paper"], data, data, Path(folder)).train_step()
    os._exit(0)


def whole_run() -> None:
    """Train for one short epoch on as much as TIMIT; print the peak memory of this process."""
    torch.set_num_threads(1)
    paper = sizes()["paper"]
    training = replace(paper.training, epoch_steps=STEPS, max_epochs=1)
    train = made_up_data(TIMIT_SEQUENCES, SEQUENCE_FRAMES)
    dev = made_up_data(TIMIT_DEV_SEQUENCES, SEQUENCE_FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        new_trainer(replace(paper, training=training), train, dev, Path(folder)).run()
    print(json.dumps({"peak": status_bytes("VmHWM"), "frames": train.frame_bytes}))


def stage_variables(stage: str) -> dict[str, str]:
    """Gather the environment variables that a stage has: its own in dvc.yaml, and portable ones."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    own = re.findall(r"\b([A-Z_]+)=(\S+)", pipeline["stages"][stage]["cmd"])
    return {**environment({}), **dict(own)}


def start_up(processes: int) -> dict[str, float]:
    """Time so many processes, in turn with such that only import; medians in seconds."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(processes):
            usages = {
                name: measure(
                    [sys.executable, "-c", program],
                    Path(folder),
                    {**stage_variables("train"), "PYTHONPATH": str(ROOT)},
                )
                for name, program in (("imports", IMPORTS), ("first_step", FIRST_STEP))
            }
            found.append(
                {
                    f"{name}_{kind}_s": seconds
                    for name, usage in usages.items()
                    for kind, seconds in (("cpu", usage.cpu_s), ("wall", usage.wall_s))
                }
            )
    return medians(found)


def in_process(program: str) -> dict[str, float]:
    """Run a program with the stage's environment; what it prints last is what it found."""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **stage_variables("train")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def peak_memory() -> dict[str, float]:
    """Train on as much as TIMIT in a process of its own; in 10^9 bytes."""
    found = in_process(WHOLE_RUN)
    return {
        "peak_rss_gb": round(found["peak"] / 1e9, 3),
        "frames_gb": round(found["frames"] / 1e9, 3),
    }


def main() -> None:
    """Measure and write benchmarks/results/training_process.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    report = {
        "start_up": start_up(options.processes),
        "memory": peak_memory(),
        "machine": describe_machine(),
    }
    print(json.dumps(report, indent=2))
    write_json(options.out, report)


if __name__ == "__main__":
    main()
