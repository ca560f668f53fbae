"""Run the pipeline over seeds and settings, and write docs/results.md from what came out.

    python -m experiments.sweep run                          # default corpus
    python -m experiments.sweep run --corpus speechocean762 --data DIR --hand-labels TIMIT
    python -m experiments.sweep table                        # -> docs/results.md, README.md

DIR is an existing folder, into which a public corpus is downloaded where it is not there; one with
manifest.csv is read as that corpus.
`experiments.timit_sample` makes TIMIT. Each run is a clone of this repository's HEAD in which
`dvc exp run` is typed; the clones share one DVC cache, so corpora and features are made once.
A run that has a result file is skipped: interrupt and restart as you like. Wall times depend
on the machine and are kept beside the metrics, never among them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from benchmarks.sizes import ROOT
from fhvae.files.atomic import new_file, write_json
from fhvae.report.at_a_glance import to_cite
from fhvae.report.results import results_page
from fhvae.report.tables import put_between

PLAN = Path(__file__).with_suffix(".yaml")
# what every run passes through; metrics of other stages in a clone are those of the commit
BEFORE_EVALUATION = ("download", "conditions", "fbank", "train", "latents", "baselines",
                     "controls", "ivector")  # fmt: skip
FOLDER = "DIR"  # in a flag: what --data names
RESULTS = Path(__file__).parent / "results" / "sweep"


@dataclass(frozen=True)
class Run:
    """One `dvc exp run`.

    Attributes:
        corpus, setting, seed: its name.
        flags: `key=value` for -S; `DIR` stands for the folder of recordings.
        hand_labels: whether phones that a person has labeled are read with the trained model.
        stages: to run up to; all if there is none.
    """

    corpus: str
    setting: str
    seed: int
    flags: tuple[str, ...]
    hand_labels: bool = False
    stages: tuple[str, ...] = ()

    @property
    def result(self) -> Path:
        """Where its metrics are kept."""
        return RESULTS / self.corpus / f"{self.setting}-seed{self.seed}.json"


def planned(corpus: str) -> Iterator[Run]:
    """Read the runs of a corpus from sweep.yaml, seed by seed."""
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    for seed in plan[corpus].get("seeds", plan["seeds"]):
        for setting, flags in plan[corpus]["runs"].items():
            common = plan[corpus].get("flags", [])
            hand_labels = plan[corpus].get("hand_labels", False)
            stages = tuple(plan[corpus].get("stages", ()))
            yield Run(corpus, setting, seed, (*common, *flags, f"seed={seed}"), hand_labels, stages)


def commit() -> str:
    """Name the commit that the clones are made of."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def execute(run: Run, data: Path | None, hand_labels: Path | None, cache: Path) -> None:
    """Clone, run, keep metrics, commit and wall time.

    Args:
        run: what to run.
        data: where the recordings are, if there are any.
        hand_labels: a corpus with phone times, if one is read.
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
        typed = placed(run.flags, data)
        flags = [part for flag in typed for part in ("-S", flag)]
        begun = time.monotonic()
        _call([*dvc, "exp", "run", *flags, *run.stages], clone, log)
        seconds = round(time.monotonic() - begun)
        if hand_labels is not None and run.hand_labels:
            script = [sys.executable, "-m", "experiments.hand_labels", str(hand_labels.resolve())]
            _call([*script, "--metrics", "metrics/hand_labels.json"], clone, log)
        metrics = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((clone / "metrics").glob("*.json"))
            if not run.stages or path.stem in (*BEFORE_EVALUATION, *run.stages, "hand_labels")
        }
    write_json(
        run.result,
        {
            "commit": commit(),
            "flags": recorded(run.flags, data),
            "metrics": metrics,
            "wall_s": seconds,
        },
    )
    print(f"{run.result.relative_to(ROOT)}: {seconds} s", flush=True)


def placed(flags: Sequence[str], data: Path | None) -> list[str]:
    """Put the folder of recordings into flags; absolute, as the clone is in another folder."""
    if data is None:
        return list(flags)
    return [flag.replace(FOLDER, str(data.resolve())) for flag in recorded(flags, data)]


def recorded(flags: Sequence[str], data: Path | None) -> list[str]:
    """Say what is typed, whatever the folder is called: a manifest in it is read as one."""
    if data is None or not (data / "manifest.csv").is_file():
        return list(flags)
    key_of = {flag: flag.partition("=")[0] for flag in flags}
    return [
        "corpus.name=manifest" if key == "corpus.name" else flag
        for flag, key in key_of.items()
        if not (key.startswith("corpus.") and key.count(".") > 1)  # of a recipe
    ]


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
    """Write docs/results.md, the tables beside it, and the table in README.md, below `root`."""
    readme = root / "README.md"
    page, tables = results_page(RESULTS, PLAN)
    folder = root / "docs" / "results"
    pages = {
        root / "docs" / "results.md": page,
        **{folder / name: text for name, text in tables.items()},
        readme: put_between(
            readme.read_text(encoding="utf-8"),
            "<!-- results: begin -->",
            "<!-- results: end -->",
            to_cite(RESULTS),
        ),
    }
    for old in set(folder.glob("*.csv")) - set(pages):
        old.unlink()
    for path, text in pages.items():
        with new_file(path) as partial:
            partial.write_text(text, encoding="utf-8")


def main() -> None:
    """Run what is missing, or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--corpus", default="default", help="a section of sweep.yaml")
    parser.add_argument("--data", type=Path, help="folder of a recorded corpus")
    parser.add_argument("--hand-labels", type=Path, help="folder with manifest.csv and phones.csv")
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
    if options.data is None and any(FOLDER in flag for run in missing for flag in run.flags):
        parser.error(f"--corpus {options.corpus} needs --data, the folder of its recordings")
    if options.hand_labels is None and any(run.hand_labels for run in missing):
        parser.error(f"--corpus {options.corpus} needs --hand-labels, a folder with phones.csv")
    work = partial(execute, data=options.data, hand_labels=options.hand_labels, cache=options.cache)
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work, missing))


if __name__ == "__main__":
    main()
