"""The tables of docs/scaling.md, from the results of the benchmarks scale and features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.files.atomic import new_file
from fhvae.files.shards import SHARD_BYTES

HOURS = (100, 960, 50_000)
UTTERANCE_S = 12.3
FRAMES_PER_SECOND, MELS = 100, 80
GIGABYTE = 1e9


def number(value: float) -> str:
    """Write a number with two digits that count, thousands apart: 0.053, 5.3, 53, 14,000."""
    if value >= 100:
        digits = len(str(round(value))) - 2
        return f"{round(value, -digits):,.0f}"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def costs(hours: float, scale: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, float]:
    """Work out what a corpus of so many hours costs, by what it is called in the table."""
    seconds = 3600 * hours
    utterances = seconds / UTTERANCE_S
    samples = 2 * SAMPLE_RATE_HZ * seconds
    frames = FRAMES_PER_SECOND * MELS * seconds
    largest = {name: rows[-1] for name, rows in scale["readers"].items()}
    files = scale["files"][str(scale["counts"][-1])]
    hashed = (samples + 4 * frames) / GIGABYTE
    per_utterance = files["index_bytes_per_utterance"] + files["manifest_bytes_per_utterance"]
    return {
        "utterances": utterances,
        "samples, int16, GB": samples / GIGABYTE,
        "frames, float32, GB": 4 * frames / GIGABYTE,
        "frames, float16, GB": 2 * frames / GIGABYTE,
        "shards of samples": -(-samples // SHARD_BYTES),
        "shards of frames, float32": -(-4 * frames // SHARD_BYTES),
        "most disk while `fbank` runs, GB": (samples + 4 * frames + SHARD_BYTES) / GIGABYTE,
        "`fbank`, CPU hours": features["growth"]["marginal_cpu_s_per_hour"] * hours / 3600,
        "hashing by DVC (md5) of samples and frames, CPU hours": hashed
        * scale["hash_cpu_s_per_gb"]["md5"]
        / 3600,
        "manifest and index, GB": per_utterance * utterances / GIGABYTE,
        **{
            f"`{name}`, memory, GB": row["peak_bytes_per_utterance"] * utterances / GIGABYTE
            for name, row in largest.items()
        },
        **{
            f"`{name}`, CPU seconds": row["cpu_us_per_utterance"] * utterances / 1e6
            for name, row in largest.items()
        },
    }


def cost_table(scale: Mapping[str, Any], features: Mapping[str, Any]) -> str:
    """Set the costs of several sizes side by side."""
    columns = [costs(hours, scale, features) for hours in HOURS]
    rows = [[name, *(number(column[name]) for column in columns)] for name in columns[0]]
    return table(["", *(f"{hours:,} h" for hours in HOURS)], rows)


def reader_table(scale: Mapping[str, Any]) -> str:
    """Show what each reader took per utterance, and how it grew."""
    rows = []
    for name, found in scale["readers"].items():
        grown = scale["exponents"][name]
        for key, label in (
            ("cpu_us_per_utterance", "CPU, µs per utterance"),
            ("peak_bytes_per_utterance", "memory, bytes per utterance"),
        ):
            exponent = grown[key.removesuffix("_per_utterance")]
            rows.append(
                [f"`{name}`", label, *(number(row[key]) for row in found), f"{exponent:.2f}"]
            )
    counts = [f"{count:,}" for count in scale["counts"]]
    return table(["reader", "", *counts, "exponent"], rows)


def stage_table(features: Mapping[str, Any]) -> str:
    """Show memory and CPU time of the stage fbank against hours of audio."""
    first = features["runs"][0]["cpu_s_per_hour"]
    rows = [
        [
            f"{run['hours']:.0f}",
            f"{run['peak_rss_mb']:.0f}",
            f"{run['peak_pss_mb']:.0f}",
            f"{run['cpu_s_per_hour'] / first:.2f}",
        ]
        for run in features["runs"]
    ]
    header = ["hours", "peak RSS, MB", "peak PSS, MB", "CPU per hour of audio, to the first"]
    return table(header, rows)


def worker_table(features: Mapping[str, Any]) -> str:
    """Show what the number and the kind of workers change."""
    rows = [
        [
            name.replace("_", ", "),
            f"{run['wall_to_one_worker']:.2f}",
            f"{run['cpu_to_one_worker']:.2f}",
            f"{run['peak_pss_mb']:.0f}",
            "yes" if run["equal_bytes"] else "NO",
        ]
        for name, run in features["workers"].items()
    ]
    return table(["workers", "wall time", "CPU time", "peak PSS, MB", "equal bytes"], rows)


def tables(scale: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, str]:
    """Make every table of the page, by the name of its place."""
    return {
        "costs": cost_table(scale, features),
        "readers": reader_table(scale),
        "stage": stage_table(features),
        "workers": worker_table(features),
    }


def filled(page: str, made: Mapping[str, str]) -> str:
    """Put tables into their places, `<!-- name -->` to `<!-- end -->`."""
    for name, text in made.items():
        before, rest = page.split(f"<!-- {name} -->\n", maxsplit=1)
        _, after = rest.split("<!-- end -->", maxsplit=1)
        page = f"{before}<!-- {name} -->\n{text}\n<!-- end -->{after}"
    return page


def write_tables(path: Path, scale: Mapping[str, Any], features: Mapping[str, Any]) -> None:
    """Write the tables into the page."""
    page = filled(path.read_text(encoding="utf-8"), tables(scale, features))
    with new_file(path) as partial:
        partial.write_text(page, encoding="utf-8")
