"""Measure how long training takes until mu2 tells speakers apart, for several courses of training.

    dvc repro fbank                                                  # the default corpus
    python -m experiments.time_to_quality run --corpus default --data data
    python -m experiments.time_to_quality table                      # -> docs/speed.md

Time is that of the training steps alone, in CPU seconds of one thread; the EER is that of the
utterances of dev, by cosine. A course that has a result file is skipped. Ratios between courses
that ran side by side on one machine mean something, seconds of another machine do not.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.sizes import ROOT, default_values, put
from benchmarks.training_process import stage_variables
from experiments.timed import train_timed
from fhvae.corpus.store import read_corpus
from fhvae.environment import describe_machine
from fhvae.files.atomic import new_file, write_json
from fhvae.files.packed import read_packed
from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params
from fhvae.report.tables import put_between, spread, table
from fhvae.training.batches import open_sequences

PAGE = ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- time to quality -->", "<!-- end of time to quality -->"
PLAN = Path(__file__).with_suffix(".yaml")
RESULTS = Path(__file__).parent / "results" / "time_to_quality"


@dataclass(frozen=True)
class Course:
    """A way of training on a corpus."""

    corpus: str
    name: str
    seed: int
    params: Mapping[str, Any]

    @property
    def result(self) -> Path:
        """Where its curve is kept."""
        return RESULTS / self.corpus / f"{self.name}-seed{self.seed}.json"


def planned(corpus: str, seeds: list[int]) -> Iterator[Course]:
    """Read the plan, seed by seed."""
    plan = read_plan()
    for seed in seeds:
        for name, content in plan["courses"].items():
            own = content.get("params", {}) | content.get("corpora", {}).get(corpus, {})
            yield Course(corpus, name, seed, {**plan["base"], **own, "seed": seed})


def read_plan() -> dict[str, Any]:
    """Read time_to_quality.yaml."""
    plan: dict[str, Any] = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return plan


def params_of(course: Course) -> Params:
    """Apply a course to params.yaml."""
    values = default_values()
    put(values, course.params)
    return from_mapping(Params, values, source=f"course {course.name}")


def train(course: Course, data: Path) -> None:
    """Train and write the curve: CPU seconds, EER of mu2 and bound at each look at dev."""
    torch.set_num_threads(1)
    params = params_of(course)
    speakers = read_corpus(data / "corpus").speaker_of
    sequences, dev = (
        open_sequences([read_packed(data / "fbank" / split)], speakers, "utterance")
        for split in ("train", "dev")
    )
    trained, seconds = train_timed(params, sequences, dev.load(torch.device("cpu")))
    rows = [
        {"cpu_s": round(cpu_s, 2), "step": one.step, "eer_mu2": one.dev.eer_mu2,
         "lower_bound": one.dev.lower_bound}
        for one, cpu_s in zip(trained.curve, seconds, strict=True)
    ]  # fmt: skip
    report = {"params": dict(course.params), "curve": rows, "machine": describe_machine()}
    write_json(course.result, report)


def seconds_to(curve: list[dict[str, float]], percent: float) -> float | None:
    """Find when the EER was first at or below a target, at two looks in a row; None if never."""
    for one, after in pairwise(curve):
        if max(one["eer_mu2"], after["eer_mu2"]) <= percent / 100:
            return one["cpu_s"]
    return None


def tables() -> str:
    """Lay out one table per corpus; no number is typed by hand."""
    plan, parts = read_plan(), []
    for corpus, targets in plan["targets"].items():
        rows = []
        for name, content in plan["courses"].items():
            paths = sorted((RESULTS / corpus).glob(f"{name}-seed*.json"))
            curves = [json.loads(path.read_text(encoding="utf-8"))["curve"] for path in paths]
            if not curves:
                continue
            cells = []
            for target in targets:
                found = [seconds_to(curve, target) for curve in curves]
                known = [value for value in found if value is not None]
                missed = f", not in {len(found) - len(known)}" if len(known) < len(found) else ""
                cells.append(f"{spread(known, 1) or 'never'}{missed if known else ''}")
            last = spread([100 * curve[-1]["eer_mu2"] for curve in curves], 1)
            cpu = spread([curve[-1]["cpu_s"] for curve in curves], 1)
            rows.append([name, content["what"], str(len(curves)), *cells, last, cpu])
        heads = [f"CPU s to {target} %" for target in targets]
        columns = ["course", "what", "seeds", *heads, "EER at the end", "after CPU s"]
        if rows:
            parts.append(f"### {corpus}\n\n{table(columns, rows)}")
    return "\n".join(parts)


def page() -> str:
    """Put the tables into docs/speed.md."""
    return put_between(PAGE.read_text(encoding="utf-8"), BEGIN, END, tables())


def main() -> None:
    """Run what is missing, or write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--corpus", choices=list(read_plan()["targets"]), default="default")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="with corpus and fbank")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--courses", nargs="*", help="only these")
    options = parser.parse_args()
    if options.action == "table":
        with new_file(PAGE) as partial:
            partial.write_text(page(), encoding="utf-8")
        return
    wanted = stage_variables("train")
    if not wanted.items() <= os.environ.items():  # of the allocator: read when a process starts
        command = [sys.executable, "-m", "experiments.time_to_quality", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **wanted})
    for course in planned(options.corpus, options.seeds):
        if not course.result.exists() and course.name in (options.courses or [course.name]):
            train(course, options.data)


if __name__ == "__main__":
    main()
