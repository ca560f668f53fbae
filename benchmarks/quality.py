"""Run the pipeline over seeds and settings, and write docs/results.md from what came out.

    python -m benchmarks.quality run                          # default corpus
    python -m benchmarks.quality run --corpus speechocean762 --data ../shared/data/speechocean762
    python -m benchmarks.quality table                        # -> docs/results.md, README.md

Each run is a clone of this repository's HEAD in which `dvc exp run` is typed; the clones
share one DVC cache, so corpora and features are made once. A run that has a result file
is skipped: interrupt and restart as you like. Wall times depend on the machine and are
kept beside the metrics, never among them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.quality_table import put_between, results_page, summary
from fhvae.artifacts import new_file, write_json

ROOT = Path(__file__).parent.parent
PLAN = Path(__file__).with_name("quality.yaml")
# what every run passes through; metrics of other stages in a clone are those of the commit
BEFORE_EVALUATION = ("download", "conditions", "fbank", "train", "latents", "controls", "ivector")
RESULTS = Path(__file__).parent / "results" / "quality"


@dataclass(frozen=True)
class Run:
    """One `dvc exp run`.

    Attributes:
        corpus, setting, seed: its name.
        flags: `key=value` for -S, as typed in a clone beside the folder `shared`.
        hand_labels: a corpus with phone times to read with the trained model, or "".
        stages: to run up to; all if there is none.
    """

    corpus: str
    setting: str
    seed: int
    flags: tuple[str, ...]
    hand_labels: str = ""
    stages: tuple[str, ...] = ()

    @property
    def result(self) -> Path:
        """Where its metrics are kept."""
        return RESULTS / self.corpus / f"{self.setting}-seed{self.seed}.json"


def planned(corpus: str) -> Iterator[Run]:
    """Read the runs of a corpus from quality.yaml, seed by seed."""
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    for seed in plan[corpus].get("seeds", plan["seeds"]):
        for setting, flags in plan[corpus]["runs"].items():
            common = plan[corpus].get("flags", [])
            hand_labels = plan[corpus].get("hand_labels", "")
            stages = tuple(plan[corpus].get("stages", ()))
            yield Run(corpus, setting, seed, (*common, *flags, f"seed={seed}"), hand_labels, stages)


def commit() -> str:
    """Name the commit that the clones are made of."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def execute(run: Run, data: Path | None, cache: Path) -> None:
    """Clone, run, keep metrics, commit and wall time.

    Args:
        run: what to run.
        data: where the recordings are, if not where quality.yaml says.
        cache: of DVC, shared by the clones.
    """
    with tempfile.TemporaryDirectory(prefix="fhvae-run-") as folder:
        clone = Path(folder) / "clone"
        log = Path(folder) / "log"
        _call(["git", "clone", "-q", str(ROOT), str(clone)], ROOT, log)
        # it names data that this cache may never have held, and DVC trips over them
        (clone / "dvc.lock").unlink(missing_ok=True)
        dvc = [sys.executable, "-m", "dvc"]
        _call([*dvc, "cache", "dir", "--local", str(cache.resolve())], clone, log)
        flags = [part for flag in run.flags for part in ("-S", _placed(flag, data))]
        begun = time.monotonic()
        _call([*dvc, "exp", "run", *flags, *run.stages], clone, log)
        seconds = round(time.monotonic() - begun)
        if run.hand_labels:
            labels, found = str((ROOT / run.hand_labels).resolve()), "metrics/hand_labels.json"
            script = [sys.executable, "-m", "benchmarks.hand_labels", labels, "--metrics", found]
            _call(script, clone, log)
        metrics = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((clone / "metrics").glob("*.json"))
            if not run.stages or path.stem in (*BEFORE_EVALUATION, *run.stages, "hand_labels")
        }
    write_json(
        run.result,
        {"commit": commit(), "flags": list(run.flags), "metrics": metrics, "wall_s": seconds},
    )
    print(f"{run.result.relative_to(ROOT)}: {seconds} s", flush=True)


def _placed(flag: str, data: Path | None) -> str:
    """Make a path of recordings absolute: the clone is in another folder."""
    key, value = flag.split("=", 1)
    if key != "corpus.path":
        return flag
    return f"{key}={(data or ROOT / value).resolve()}"


def _call(command: list[str], folder: Path, log: Path) -> None:
    """Run a command quietly; show its output if it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("ab") as file:
        code = subprocess.run(
            command, cwd=folder, stdout=file, stderr=file, env={**os.environ, "PATH": path}
        ).returncode
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace")[-4000:]
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{tail}")


def write_pages(root: Path) -> None:
    """Write docs/results.md, and the table in README.md, below `root`."""
    readme = root / "README.md"
    pages = {
        root / "docs" / "results.md": results_page(RESULTS, PLAN),
        readme: put_between(
            readme.read_text(encoding="utf-8"),
            "<!-- results: begin -->",
            "<!-- results: end -->",
            summary(RESULTS),
        ),
    }
    for page, text in pages.items():
        with new_file(page) as partial:
            partial.write_text(text, encoding="utf-8")


def main() -> None:
    """Run what is missing, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--corpus", default="default", help="a section of quality.yaml")
    parser.add_argument("--data", type=Path, help="folder of a recorded corpus")
    parser.add_argument("--settings", nargs="*", help="only these settings")
    parser.add_argument("--seeds", type=int, nargs="*", help="only these seeds")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--cache", type=Path, default=ROOT / ".dvc" / "cache")
    options = parser.parse_args()
    if options.action == "table":
        write_pages(ROOT)
        return
    missing = [run for run in planned(options.corpus) if not run.result.exists()]
    if options.settings:
        missing = [run for run in missing if run.setting in options.settings]
    if options.seeds:
        missing = [run for run in missing if run.seed in options.seeds]
    with ThreadPoolExecutor(options.jobs) as pool:
        for _ in pool.map(lambda run: execute(run, options.data, options.cache), missing):
            pass


if __name__ == "__main__":
    main()
