"""Measure the stage fbank on hours of made-up audio: memory, CPU time, and how both grow.

The real stage runs in a process of its own on a corpus written by the real writer. CPU
seconds are those of the stage and all of its workers: on a busy machine wall time says
nothing. Ratios are what may be compared; CPU seconds per hour are of one machine.
Memory: benchmarks/process_tree.py says what is counted. Run it by `make benchmark`.
"""

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.drawing import can_draw
from benchmarks.noise_corpus import write_noise_corpus
from benchmarks.process_tree import Usage, measure
from fhvae.environment import describe_machine
from fhvae.features.fbank import log_mel
from fhvae.files.atomic import file_digest, write_json
from fhvae.files.packed import packed_files, read_packed
from fhvae.params.whole import load_params
from fhvae.report.figures.drawing import BLUE, GREEN, ORANGE, new_figure

ROOT = Path(__file__).resolve().parents[1]
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
WORKERS = 2
ALONE_UTTERANCES = 100  # that log_mel is timed on by itself
MEGABYTE = 1_000_000


def run_fbank(folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run the stage on `folder/corpus`; what it wrote before is deleted, as DVC does."""
    shutil.rmtree(folder / "fbank", ignore_errors=True)
    shutil.copy(ROOT / "params.yaml", folder)
    command = [sys.executable, "-m", "stages.fbank", "--corpus", "corpus", "--fbank", "fbank"]
    variables = {**THREADS, "PYTHONPATH": str(ROOT), "FHVAE_CKPT_DIR": "", **environment}
    return measure([*command, "--metrics", "metrics.json"], folder, variables)


def hours_of(folder: Path) -> float:
    """Add up the hours that the stage made frames of."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return float(sum(split["hours"] for split in metrics.values()))


def digest(folder: Path) -> list[str]:
    """Hash what the stage wrote."""
    return [
        file_digest(file)
        for split in ("train", "dev", "test")
        for file in packed_files(folder / "fbank" / split)
    ]


def alone_s_per_hour(folder: Path) -> float:
    """Time `log_mel` by itself, in this process, on some utterances of the corpus."""
    from threadpoolctl import threadpool_limits

    fbank, packed = load_params(ROOT / "params.yaml").fbank, read_packed(folder / "corpus" / "test")
    waveforms = [np.array(packed[place]) for place in range(min(ALONE_UTTERANCES, len(packed)))]
    with threadpool_limits(1):
        log_mel(waveforms[0], fbank)
        begun = time.process_time()
        for samples in waveforms:
            log_mel(samples, fbank)
        seconds = time.process_time() - begun
    return seconds / (sum(map(len, waveforms)) / 16_000 / 3600)


def describe(usage: Usage, hours: float) -> dict[str, float]:
    """Lay out one run."""
    return {
        "hours": round(hours, 3),
        "cpu_s_per_hour": round(usage.cpu_s / hours, 3),
        "times_real_time_per_cpu": round(3600 * hours / usage.cpu_s),
        "peak_rss_mb": round(usage.peak_rss_bytes / MEGABYTE),
        "peak_pss_mb": round(usage.peak_pss_bytes / MEGABYTE),
        "processes": usage.processes,
    }


def growth(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Compare the longest run with the shortest: 1 is what a stream should have."""
    short, long = runs[0], runs[-1]
    marginal = (
        long["cpu_s_per_hour"] * long["hours"] - short["cpu_s_per_hour"] * short["hours"]
    ) / (long["hours"] - short["hours"])
    return {
        "hours": round(long["hours"] / short["hours"], 3),
        "cpu_s_per_hour": round(long["cpu_s_per_hour"] / short["cpu_s_per_hour"], 3),
        "marginal_cpu_s_per_hour": round(marginal, 3),
        "peak_rss": round(long["peak_rss_mb"] / short["peak_rss_mb"], 3),
        "peak_pss": round(long["peak_pss_mb"] / short["peak_pss_mb"], 3),
    }


def measure_growth(folder: Path, hours: Sequence[float]) -> list[dict[str, float]]:
    """Run the stage on corpora of so many hours."""
    runs = []
    for wanted in hours:
        write_noise_corpus(folder / "corpus", wanted)
        usage = run_fbank(folder, {"FHVAE_WORKERS": str(WORKERS)})
        runs.append(describe(usage, hours_of(folder)))
        print(json.dumps(runs[-1]), flush=True)
    return runs


def measure_workers(folder: Path, hours: float) -> dict[str, dict[str, float | bool]]:
    """Run the stage on one corpus with workers of each number and kind, against one."""
    write_noise_corpus(folder / "corpus", hours)
    kinds = {f"loky_{count}": {"FHVAE_WORKERS": str(count)} for count in (1, 2, 4)}
    if importlib.util.find_spec("distributed"):
        kinds["dask_2"] = {"FHVAE_DASK": "local:2"}
    found: dict[str, dict[str, float | bool]] = {}
    alone, bytes_alone = None, None
    for name, variables in kinds.items():
        usage = run_fbank(folder, variables)
        alone, bytes_alone = alone or usage, bytes_alone or digest(folder)
        found[name] = {
            "cpu_to_one_worker": round(usage.cpu_s / alone.cpu_s, 3),
            "wall_to_one_worker": round(usage.wall_s / alone.wall_s, 3),
            "peak_pss_mb": round(usage.peak_pss_bytes / MEGABYTE),
            "equal_bytes": digest(folder) == bytes_alone,
        }
        print(name, json.dumps(found[name]), flush=True)
    return found


def draw(path: Path, runs: Sequence[Mapping[str, float]]) -> None:
    """Draw memory and CPU time per hour against hours of audio."""
    hours = [run["hours"] for run in runs]
    with new_figure(path, 8, 3.4) as figure:
        memory, speed = figure.subplots(1, 2)
        for key, label, color in (
            ("peak_rss_mb", "sum of RSS, shared pages counted twice", ORANGE),
            ("peak_pss_mb", "PSS", BLUE),
        ):
            memory.plot(hours, [run[key] for run in runs], "o-", color=color, label=label)
        memory.set(title="Peak memory, all processes", xlabel="hours of audio", ylabel="MB", ylim=0)
        memory.axhline(1000, color="black", linewidth=0.8, linestyle="--")
        memory.legend(loc="lower right")
        first = runs[0]["cpu_s_per_hour"]
        speed.plot(hours, [run["cpu_s_per_hour"] / first for run in runs], "o-", color=GREEN)
        speed.set(
            title="CPU time per hour of audio",
            xlabel="hours of audio",
            ylabel="relative to the shortest",
            ylim=0,
        )
        for axes in (memory, speed):
            axes.set(xscale="log", xticks=hours, xticklabels=[f"{value:.0f}" for value in hours])
            axes.minorticks_off()
            axes.grid(axis="y")


def main() -> None:
    """Measure and write features.json and, where matplotlib is, features.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--workers-hours", type=float, default=10)
    parser.add_argument("--scratch", type=Path, default=None, help="a folder with 5 GB free")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/features.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        folder = Path(name)
        runs = measure_growth(folder, options.hours)
        compared = growth(runs)
        compared["stage_to_log_mel_alone"] = round(
            compared["marginal_cpu_s_per_hour"] / alone_s_per_hour(folder), 3
        )
        report = {
            "runs": runs,
            "growth": compared,
            "workers": measure_workers(folder, options.workers_hours),
            "machine": {
                **describe_machine(),
                "numpy": np.__version__,
                "workers": WORKERS,
                "note": "other work ran on the cores; CPU time is that of stage and workers",
            },
        }
    write_json(options.out, report)
    if can_draw("matplotlib"):
        draw(options.out.with_suffix(".png"), runs)


if __name__ == "__main__":
    main()
