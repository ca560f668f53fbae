"""What reading a large corpus costs before any sample is touched, by simulation.

Manifests and indices of 10 thousand to a million utterances are written, with shards that
are sparse files: as long as the real ones, without content. Each reader then runs in a
process of its own; its CPU time and the memory that it added are given per utterance, and how
both grow as the exponent e of count ** e (1: linear). `table` writes what follows from them
and from features.json into docs/scaling.md.
"""

import argparse
import gc
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.process_tree import status_bytes
from benchmarks.scale_table import write_tables
from fhvae.corpus.manifest import LOCAL_COLUMNS, PHONE_COLUMNS, SAMPLE_RATE_HZ
from fhvae.corpus.store import read_corpus
from fhvae.environment import describe_machine
from fhvae.features.extraction import select_clips
from fhvae.files.atomic import read_json, write_csv, write_json
from fhvae.files.packed import INDEX_COLUMNS, read_packed, write_index
from fhvae.files.shards import plan_shards, shard_path

RESULT = Path("benchmarks/results/scale.json")
SPLITS = {"train": 0.96, "dev": 0.02, "test": 0.02}
MEAN_S, SPREAD_S = 12.3, 3.0  # as in LibriSpeech
UTTERANCES_PER_SPEAKER = 115
HOP_MS, SEGMENT_FRAMES = 10.0, 20
HASHED_BYTES = 1 << 28


def write_sparse_corpus(folder: Path, count: int) -> None:
    """Write manifest, indices and empty shards of so many utterances."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    tables = []
    for split, share in SPLITS.items():
        own = round(share * count)
        lengths = (random.normal(MEAN_S, SPREAD_S, own).clip(2, 30) * SAMPLE_RATE_HZ).astype(
            np.int64
        )
        names = [
            f"{split}-{place // UTTERANCES_PER_SPEAKER:06d}-{place:08d}" for place in range(own)
        ]
        write_sparse_packed(folder / split, names, lengths)
        tables.append(manifest_of(split, names, lengths / SAMPLE_RATE_HZ))
    write_csv(folder / "manifest.csv", pd.concat(tables))
    write_csv(folder / "phones.csv", pd.DataFrame(columns=list(PHONE_COLUMNS)))


def write_sparse_packed(stem: Path, names: Sequence[str], lengths: np.ndarray) -> None:
    """Write a packed array of int16 whose rows are holes in the files."""
    for number, own in enumerate(plan_shards(lengths.tolist(), row_bytes=2)):
        rows = int(lengths[own.start : own.stop].sum())
        with shard_path(stem, number).open("wb") as file:
            header = {"descr": "<i2", "fortran_order": False, "shape": (rows,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 2 * rows)
    offsets = np.cumsum(lengths) - lengths
    columns = (names, offsets, lengths)
    write_index(stem, pd.DataFrame(dict(zip(INDEX_COLUMNS, columns, strict=True))))


def manifest_of(split: str, names: Sequence[str], seconds: np.ndarray) -> pd.DataFrame:
    """Lay out the manifest of a split, with a text of 30 words each."""
    table = pd.DataFrame("", index=range(len(names)), columns=list(LOCAL_COLUMNS))
    table["utterance_id"] = names
    table["speaker"] = table["utterance_id"].str[:-9]
    table["gender"] = "F"
    table["text"] = "he said that it was so and " * 4
    table["split"] = split
    table["duration_s"] = seconds.round(6)
    return table


READERS: dict[str, Callable[[Path], object]] = {
    "read_packed": lambda folder: read_packed(folder / "train"),
    "read_corpus": read_corpus,
    "select_clips": lambda folder: select_clips(folder / "train", HOP_MS, SEGMENT_FRAMES),
}


def measure_here(reader: str, folder: Path) -> dict[str, float]:
    """Run one reader in this process; memory is how far the peak rose above what was there."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts again from here
    before, begun = status_bytes("VmRSS"), time.process_time()
    kept = READERS[reader](folder)
    seconds = time.process_time() - begun
    del kept
    return {"cpu_s": seconds, "peak_bytes": status_bytes("VmHWM") - before}


def measure(reader: str, folder: Path, count: int) -> dict[str, float]:
    """Run one reader in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "one", reader, str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    return {
        "cpu_us_per_utterance": round(1e6 * found["cpu_s"] / count, 2),
        "peak_bytes_per_utterance": round(found["peak_bytes"] / count),
    }


def exponents(counts: Sequence[int], found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Say how CPU time and memory grow between the two largest counts."""
    scale = math.log(counts[-1] / counts[-2])
    return {
        key.removesuffix("_per_utterance"): round(
            1 + math.log(max(found[-1][key], 1e-9) / max(found[-2][key], 1e-9)) / scale, 2
        )
        for key in found[0]
    }


def hash_seconds_per_gb(name: str) -> float:
    """Time a hash of the standard library, CPU seconds per 10^9 bytes."""
    content = os.urandom(1 << 20)
    digest, begun = hashlib.new(name), time.process_time()
    for _ in range(HASHED_BYTES >> 20):
        digest.update(content)
    return round((time.process_time() - begun) / HASHED_BYTES * 1e9, 2)


def simulate(counts: Sequence[int], scratch: Path | None) -> dict[str, object]:
    """Measure every reader at every count."""
    found: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
    files: dict[str, dict[str, int]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            folder = Path(name) / "corpus"
            write_sparse_corpus(folder, count)
            files[str(count)] = {
                "train_shards": len(list(folder.glob("train*.npy"))),
                "index_bytes_per_utterance": round(_bytes(folder, "[dt]*.csv") / count),
                "manifest_bytes_per_utterance": round(_bytes(folder, "manifest.csv") / count),
            }
            for reader, rows in found.items():
                rows.append(measure(reader, folder, count))
                print(count, reader, json.dumps(rows[-1]), flush=True)
    return {
        "counts": list(counts),
        "files": files,
        "machine": describe_machine(),
        "readers": found,
        "exponents": {reader: exponents(counts, rows) for reader, rows in found.items()},
        "hash_cpu_s_per_gb": {name: hash_seconds_per_gb(name) for name in ("md5", "sha256")},
    }


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def main() -> None:
    """Simulate and write scale.json, or write the tables of docs/scaling.md from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    simulation = commands.add_parser("simulate")
    simulation.add_argument("--counts", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    simulation.add_argument("--scratch", type=Path, default=None)
    commands.add_parser("table")
    one = commands.add_parser("one")
    one.add_argument("reader", choices=READERS)
    one.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "simulate":
        write_json(RESULT, simulate(options.counts, options.scratch))
    elif options.command == "one":
        print(json.dumps(measure_here(options.reader, options.folder)))
    else:
        features = read_json(RESULT.with_name("features.json"))
        write_tables(Path("docs/scaling.md"), read_json(RESULT), features)


if __name__ == "__main__":
    main()
