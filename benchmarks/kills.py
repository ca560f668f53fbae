"""Kill a training at random moments, resume it, and compare its weights with an undisturbed one's.

    python -m benchmarks.kills --kills 200        # -> benchmarks/results/kills.json

Each attempt is the stage train in a process forked from this one, on a corpus of tones. It sends
itself SIGKILL at a call drawn at random: first a phase (a step, a look at dev, a checkpoint, the
log, resuming, the files at the end, or between them), then one of the calls that a run which
resumes half-way makes there, in this package and in whatever writes files, of Python and of C
functions alike. So it may be in the middle of writing a file, or between a written one and its
renaming.
"""

import argparse
import hashlib
import importlib
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fhvae.files.atomic import file_digest, write_json
from fhvae.progress import progress_bar
from fhvae.seeds import generator
from fhvae.training.record import LOG
from stages import download, fbank, train
from tests.tiny import make_tiny, set_params
from tests.tones import write_tone_corpus

ROOT = Path(__file__).parent.parent
COURSES: dict[str, dict[str, object]] = {
    "flat": {},
    "hierarchical": {"training.block_sequences": 5},
    "early stopping": {"training.patience": 0, "training.learning_rate": 0.05},
}
WRITTEN = ("model/model.safetensors", "train.json", "plots/learning_curve.csv")


@dataclass(frozen=True)
class Stage:
    """A stage and the options that name its files, in a folder of its own."""

    main: Callable[[], None]
    options: tuple[str, ...]

    def run_forked(self, folder: Path, before: Callable[[], None] = lambda: None) -> int:
        """Run it in a child; gives what `os.waitpid` says of its end."""
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1]
        try:  # the child never returns from here
            os.chdir(folder)
            with (folder / "log").open("a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            name = self.main.__module__.rsplit(".", 1)[-1]
            paths = [part for option in self.options for part in (f"--{option}", option)]
            sys.argv = [name, *paths, "--metrics", f"{name}.json"]
            before()
            self.main()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)


DOWNLOAD = Stage(download.main, ("corpus",))
FBANK = Stage(fbank.main, ("corpus", "fbank"))
TRAIN = Stage(train.main, ("corpus", "fbank", "domains", "model", "plots"))


OWN = (str(ROOT / "fhvae"), str(ROOT / "stages"))
WATCHED = (*OWN, "/torch/serialization.py", "/tempfile.py", "/formats/csvs.py")
HALF_WAY_LOG_CALLS = 60  # of Python and C functions in writing the log: in its third epoch


class Counted:
    """Counts the calls of this process in watched files, and kills it at one of them."""

    def __init__(self, fatal: tuple[str, int] | None, report: Path) -> None:
        """Kill at the n-th call of a phase, or never; the phase goes to the file `report`."""
        self.fatal, self.report = fatal, report
        self.calls: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        sys.setprofile(self)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Take note of an event of the interpreter."""
        if event not in ("call", "c_call"):
            return
        if not any(name in frame.f_code.co_filename for name in WATCHED):
            return
        now = phase(frame)
        self.calls[now] += 1
        if (now, self.calls[now]) == self.fatal:
            sys.setprofile(None)
            self.report.write_text(now)
            os.kill(os.getpid(), signal.SIGKILL)

    def finish(self) -> None:
        """Write how many calls there were in each phase."""
        sys.setprofile(None)
        self.report.write_text(json.dumps(self.calls))


PHASES = {
    "_save": "checkpoint",
    "add": "log",
    "evaluate_dev": "dev",
    "train_step": "step",
    "_resume": "resume",
    "write_model": "model",
    "write_csv": "plots",
    "write_metrics": "metrics",
    "clear": "end",
}


def phase(frame: FrameType | None) -> str:
    """Say what of the training a call belongs to."""
    while frame is not None:
        if frame.f_code.co_name in PHASES and frame.f_code.co_filename.startswith(OWN):
            return PHASES[frame.f_code.co_name]
        frame = frame.f_back
    return "between"


def prepare(folder: Path, course: dict[str, object]) -> None:
    """Make params, corpus and frames."""
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    corpus = write_tone_corpus(folder / "tones")
    make_tiny(folder / "params.yaml", corpus)
    set_params(folder / "params.yaml", course)
    for stage in (DOWNLOAD, FBANK):
        if stage.run_forked(folder) != 0:
            raise SystemExit((folder / "log").read_text())


def calls_of(folder: Path) -> dict[str, int]:
    """Count the calls by phase of a run that resumes from the checkpoint of an earlier kill."""
    half_way = Counted(("log", HALF_WAY_LOG_CALLS), folder / "phase")
    status = Stage(_counted_main(half_way), TRAIN.options).run_forked(folder)
    if not os.WIFSIGNALED(status):
        raise SystemExit((folder / "log").read_text())
    counted = Counted(None, folder / "calls")
    if Stage(_counted_main(counted), TRAIN.options).run_forked(folder) != 0:
        raise SystemExit((folder / "log").read_text())
    calls: dict[str, int] = json.loads((folder / "calls").read_text())
    return calls


def _counted_main(counted: Counted) -> Callable[[], None]:
    def main() -> None:
        counted.start()
        train.main()
        counted.finish()

    main.__module__ = train.__name__
    return main


def digests(folder: Path) -> dict[str, str]:
    """Hash what the training wrote, and its log without the speed."""
    (log,) = folder.glob(f"checkpoints/*/{LOG}")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    told = [{**line, "segments_per_second": None} for line in lines]
    written = {name: file_digest(folder / name) for name in WRITTEN}
    return {**written, LOG: hashlib.sha256(json.dumps(told).encode()).hexdigest()}


def survive(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill trainings until there were so many kills; compare each with the undisturbed one.

    Raises:
        SystemExit: an attempt ended otherwise than by its kill or well.
    """
    for name in ("torch._dynamo", "matplotlib.pyplot", "safetensors.torch"):
        importlib.import_module(name)  # once, here, instead of in every child
    random, bar = generator(seed, "kills"), progress_bar(None, "kills", "kill", kills)
    found: Counter[str] = Counter()
    lives: Counter[str] = Counter()
    unequal: list[str] = []
    wanted: dict[str, dict[str, str]] = {}
    calls: dict[str, dict[str, int]] = {}
    for name, course in COURSES.items():
        prepare(folder / name, course)
        if TRAIN.run_forked(folder / name) != 0:
            raise SystemExit((folder / name / "log").read_text())
        wanted[name] = digests(folder / name)
        calls[name] = calls_of(folder / name)
    while found.total() < kills:
        name = list(COURSES)[lives.total() % len(COURSES)]
        own = folder / name
        for path in WRITTEN:
            (own / path).unlink()
        while True:
            phase_name = str(random.choice(sorted(calls[name])))
            fatal = phase_name, int(random.integers(1, calls[name][phase_name] + 1))
            counted = Counted(fatal if found.total() < kills else None, own / "phase")
            status = Stage(_counted_main(counted), TRAIN.options).run_forked(own)
            if status == 0:
                break
            if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
                raise SystemExit((own / "log").read_text())
            found[(own / "phase").read_text()] += 1
            bar.update()
        lives[name] += 1
        if digests(own) != wanted[name]:
            unequal.append(f"{name}, life {lives[name]}")
    bar.close()
    return {
        "kills": found.total(),
        "kills_by_phase": dict(found),
        "trainings": dict(lives),
        "unequal": unequal,
        "calls_of_a_resumed_run": calls,
    }


def main() -> None:
    """Kill, resume, compare, and write benchmarks/results/kills.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kills.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = survive(Path(folder) / "runs", options.kills, options.seed)
    print(json.dumps(report, indent=2))
    write_json(options.out, report)
    if report["unequal"]:
        raise SystemExit("error: a resumed training ended in other weights")


if __name__ == "__main__":
    main()
