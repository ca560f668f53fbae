"""A git clone of the working tree with the tiny params, and commands in it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tiny import make_tiny
from tests.tones import write_tone_corpus

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ("dvc.lock", "metrics/", "plots/")
PATIENCE_S = 1200  # for the first checkpoint, on a busy machine


@dataclass(frozen=True)
class Clone:
    """A git clone with this interpreter first on PATH."""

    folder: Path

    def environment(self, workers: int) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
        kept.pop("FHVAE_CKPT_DIR", None)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "FHVAE_WORKERS": str(workers)}

    def run(self, *command: str, workers: int = 2, expect: int | None = 0) -> str:
        """Run a command; give its whole output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(workers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"{' '.join(command)}\n{done.stdout}"
        else:
            assert done.returncode != 0, f"{' '.join(command)} must fail\n{done.stdout}"
        return done.stdout

    def kill_at_first_checkpoint(self, *command: str) -> None:
        """Start a command and end it, with all it started, as a power cut would."""
        with (self.folder.parent / "killed.log").open("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment(workers=2),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            deadline = time.monotonic() + PATIENCE_S
            while not any(self.folder.glob("checkpoints/*/last.pt")):
                ended = process.poll() is not None or time.monotonic() > deadline
                assert not ended, f"no checkpoint came\n{Path(log.name).read_text()}"
                time.sleep(0.005)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def results(self) -> dict[str, bytes]:
        """Read dvc.lock, metrics and plots."""
        paths = [self.folder / "dvc.lock"]
        for name in ("metrics", "plots"):
            paths += [
                path for path in (self.folder / name).iterdir() if path.suffix != ".gitignore"
            ]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def copy_of_working_tree(folder: Path) -> None:
    """Copy what git tracks or would track, but no results."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name and not name.startswith(RESULTS) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def tiny_clone(top: Path) -> Clone:
    """Make the made-up corpus and a repository of one commit that has run nothing."""
    corpus = write_tone_corpus(top / "tones", {"train": 8, "dev": 3, "test": 8}, utterances=4)
    clone = Clone(top / "clone")
    copy_of_working_tree(clone.folder)
    make_tiny(clone.folder / "params.yaml", corpus)
    clone.run("git", "init", "-q", "-b", "main")
    clone.run("git", "config", "user.name", "tester")
    clone.run("git", "config", "user.email", "tester@example.org")
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-q", "-m", "Tiny")
    return clone
