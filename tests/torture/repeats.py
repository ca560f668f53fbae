"""Run the pipeline again and again under settings that must not matter: one hash."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from fhvae.seeds import generator
from tests.tiny import make_tiny
from tests.tiny_clone import Clone, copy_of_working_tree
from tests.tones import write_tone_corpus
from tests.torture.bench import digests, remove

SPEAKERS = {"train": 8, "dev": 3, "test": 8}
# with a decimal comma, with a dotted capital I, with a dotless one, right to left; and none
LOCALES = ("C", "POSIX", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "ja_JP.UTF-8", "ar_EG.UTF-8")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Niue")
UMASKS = ("022", "077", "002", "000")
MOST_WORKERS = 3
FOLDERS = ("clone", "a clone", "Kopie_äöü", "x" * 100)


@dataclass(frozen=True)
class Setting:
    """What must not matter; `folder` is the name of the clone's."""

    hash_seed: int
    locale: str
    zone: str
    umask: str
    workers: int
    folder: str

    @property
    def variables(self) -> dict[str, str]:
        """The variables that say it."""
        return {"PYTHONHASHSEED": str(self.hash_seed), "LC_ALL": self.locale, "TZ": self.zone}


@dataclass(frozen=True)
class Repeated:
    """A run, its setting, and one hash of all results."""

    corpus: str
    setting: Setting
    hash: str


def settings(seed: int) -> Iterator[Setting]:
    """Draw settings; each value comes before one comes again, where the system has it."""
    random = generator(seed, "repeats")
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout
    there = {name.lower().replace("-", "") for name in listed.split()}
    locales = [name for name in LOCALES if name.lower().replace("-", "") in there]
    for number in count():
        yield Setting(
            hash_seed=int(random.integers(2**32)),
            locale=locales[number % len(locales)],
            zone=ZONES[number % len(ZONES)],
            umask=UMASKS[number % len(UMASKS)],
            workers=1 + number % MOST_WORKERS,
            folder=FOLDERS[number % len(FOLDERS)],
        )


def repeat(top: Path, setting: Setting, corpus: str) -> Repeated:
    """Run the whole pipeline in a new clone, on the corpus `tiny` or `default`."""
    remove(top)
    top.mkdir(parents=True)
    clone = Clone(top / setting.folder)
    copy_of_working_tree(clone.folder)
    if corpus == "tiny":
        tones = write_tone_corpus(top / "tones", SPEAKERS, utterances=4)
        make_tiny(clone.folder / "params.yaml", tones)
    environment = clone.environment(setting.workers) | setting.variables
    for command in (["git", "init", "-q"], ["dvc", "repro"]):
        done = subprocess.run(
            command,
            cwd=clone.folder,
            env=environment,
            umask=int(setting.umask, 8),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"error: {setting} ended with {done.returncode}\n{done.stdout[-2000:]}"
            )
    found = digests(clone.folder)
    remove(top)
    one = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return Repeated(corpus, setting, one)
