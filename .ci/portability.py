"""Hash what each stage writes, on this processor and on emulated ones, and print a table.

    python .ci/portability.py --work DIR [--processors Haswell EPYC]
    python .ci/portability.py --work DIR --whole --processors free        what portability costs

A small corpus of the embedded synthesizer goes through the whole pipeline here, natively, with
the default's networks and 20 training steps. Then each stage runs again on every processor
named, on the *native* outputs of the stages before it, so that a stage which differs is named
and not all that follow. `free` is this processor without its caps (`FHVAE_FAST=1`): where it
shows the same hash, nothing in the stage depends on the instruction set. CPU seconds stand
behind the hashes; `--whole` takes the default corpus, for which alone they mean something.

Names are those of `qemu-x86_64 -cpu help`. Debian's package qemu-user of version 8 and later;
7.2 computes oneDNN's recurrent kernel wrong or crashes in it. An emulated stage takes 20 to 150
times its native time; what `DIR` holds of an earlier call is not computed again.

Exit code 0 if every processor gives the hashes of this one, 1 if not.
"""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fhvae.portable import FAST, environment  # noqa: E402

NATIVE, FREE = "native", "free"
EMULATOR = "qemu-x86_64"
EMULATED = ("Haswell", "Skylake-Server", "EPYC")
EMULATOR_MAJOR = 8
KINDS = ("outs", "metrics", "plots")
SMALL = {
    "corpus.espeak.train_speakers": 6,
    "corpus.espeak.train_utterances": 3,
    "corpus.espeak.dev_speakers": 3,
    "corpus.espeak.dev_utterances": 2,
    "corpus.espeak.test_speakers": 8,
    "corpus.espeak.test_utterances": 2,
    "corpus.espeak.parallel_speakers": 2,
    "corpus.espeak.parallel_utterances": 1,
    "domains.test": ["noise10", "telephone", "room"],
    "domains.babble_voices": 2,
    "training.epoch_steps": 20,
    "training.max_epochs": 1,
    "latents.tsne_points": 60,
    "ivector.gaussians": [4],
    "ivector.ranks": [3],
    "verification.bootstrap": 20,
    "probes.mlp_epochs": 5,
    "recognition.headline.steps": 6,
    "recognition.headline.looks": 1,
}


def stages() -> dict[str, dict[str, object]]:
    """Read the stages of dvc.yaml, in order."""
    found: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return found


def outputs(stage: dict[str, object]) -> list[str]:
    """List what a stage writes, as dvc.yaml names it."""
    items = [item for kind in KINDS for item in stage.get(kind, [])]  # type: ignore[attr-defined]
    return [next(iter(item)) if isinstance(item, dict) else item for item in items]


def options(stage: dict[str, object], read: Path, write: Path) -> list[str]:
    """Take the options of a stage's command; what it writes lies below `write`."""
    made = outputs(stage)
    found = []
    for name, path in re.findall(r"(--[a-z0-9-]+) (\S+)", str(stage["cmd"])):
        own = any(out == path or out.startswith(f"{path}/") for out in made)
        found += [name, str((write if own else read) / path)]
    return found


def params_with(folder: Path, changes: dict[str, object]) -> None:
    """Write params.yaml with other values into a folder."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        *sections, last = key.split(".")
        inner = params
        for section in sections:
            inner = inner[section]
        if last not in inner:
            raise KeyError(f"params.yaml has no {key}")
        inner[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


@dataclass(frozen=True)
class Ran:
    """What a stage did: the hash of what it wrote, and its CPU seconds."""

    digest: str
    cpu_s: float


def run_stage(
    processor: str, name: str, stage: dict[str, object], work: Path, changes: dict[str, object]
) -> Ran:
    """Run one stage on one processor, unless done before."""
    read = work / NATIVE
    write = read if processor == NATIVE else work / processor / name
    record = work / f"{processor}.{name}.json"
    if record.exists():
        return Ran(**json.loads(record.read_text()))
    if processor != NATIVE:
        shutil.rmtree(write, ignore_errors=True)
    write.mkdir(parents=True, exist_ok=True)
    params_with(write, changes)
    variables = environment({**os.environ, FAST: "1" if processor == FREE else "0"})
    variables |= {"PYTHONPATH": str(ROOT), "FHVAE_CKPT_DIR": str(write / "checkpoints")}
    variables["FHVAE_WORKERS"] = "1"  # the emulator does not follow into other processes
    variables |= dict(re.findall(r"\b([A-Z_]+)=(\S+)", str(stage["cmd"])))
    start = [] if processor in (NATIVE, FREE) else [EMULATOR, "-cpu", processor]
    before = cpu_seconds()
    done = subprocess.run(
        [*start, sys.executable, "-m", f"stages.{name}", *options(stage, read, write)],
        cwd=write,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"error: stage {name} on {processor} failed\n{done.stderr[-3000:]}")
    ran = Ran(digest([write / out for out in outputs(stage)], write), cpu_seconds() - before)
    record.write_text(json.dumps(vars(ran)))
    return ran


def cpu_seconds() -> float:
    """Sum what the processes that this one has started and waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def digest(paths: list[Path], folder: Path) -> str:
    """Hash files and folders, with their names below `folder`, in 10 hexadecimal digits.

    Metrics are read first: that they are of one processor alone is no figure.
    """
    whole = hashlib.sha256()
    files = [
        file
        for path in sorted(paths)
        for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if file.is_file()
    ]
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".json" and file.parent.name == "metrics":
            metrics = json.loads(content)
            metrics.pop("arithmetic", None)
            content = json.dumps(metrics, sort_keys=True).encode()
        whole.update(f"{file.relative_to(folder)} {hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()[:10]


def emulator_problem() -> str | None:
    """Say why stages cannot be emulated here; None if they can."""
    if shutil.which(EMULATOR) is None:
        return f"{EMULATOR} must be on PATH (Debian's package qemu-user), it is not"
    shown = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.", shown.stdout)
    if version is None or int(version[1]) < EMULATOR_MAJOR:
        first = shown.stdout.splitlines()[:1]
        return f"{EMULATOR} must be of version {EMULATOR_MAJOR} or later, found {first}"
    return None


def main() -> int:
    """Print the table and return the exit code."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for what stages write")
    parser.add_argument("--processors", nargs="*", default=EMULATED, metavar="NAME")
    parser.add_argument("--whole", action="store_true", help="the default corpus and training")
    given = parser.parse_args()
    emulated = [name for name in given.processors if name != FREE]
    if emulated and (problem := emulator_problem()):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    work, changes = given.work.resolve(), {} if given.whole else SMALL
    columns = [NATIVE, *given.processors]
    print(f"| stage | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}", flush=True)
    equal = True
    for name, stage in stages().items():
        ran = {one: run_stage(one, name, stage, work, changes) for one in columns}
        equal &= len({found.digest for one, found in ran.items() if one != FREE}) == 1
        cells = [f"{found.digest} ({found.cpu_s:.0f} s)" for found in ran.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
