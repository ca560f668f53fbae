"""What a run ran on: the make of the machine, versions of libraries, the commit of the code.

For records and reports alone, never for a figure: no stage depends on this module. It imports
nothing that is not imported already, asks no network, and names neither a host nor a person.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fhvae.addresses import without_secrets

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("avx2", "fma", "avx512f", "asimd")  # that libraries of numbers choose their code by
REQUIREMENTS = "requirements.txt"
# What decides the figures of a run; outputs are rewritten while it runs, and do not count.
CODE = ("fhvae", "stages", "dvc.yaml", "params.yaml", REQUIREMENTS)
MEGABYTE = 1_000_000  # bytes
GIT_SECONDS = 5.0  # to wait for it: a disk over the network may hang
# Settings that hold a number, or yes or no; any other may hold a path, a host or a password.
HARMLESS = ("FHVAE_FAST", "FHVAE_OFFLINE", "FHVAE_PORTABLE", "FHVAE_WORKERS")
DASK = "FHVAE_DASK"  # local:4, or the address of a scheduler
NAME_ENDS = r"(?![\w-]|\.\w)"  # /home/ada is neither /home/ada-x nor /home/ada.x


@dataclass(frozen=True)
class Commit:
    """What git says of a clone.

    Attributes:
        hash: of HEAD, 40 hexadecimal digits.
        changed: files of code and params that differ from it.
    """

    hash: str
    changed: list[str]


def describe_machine(threads: int = 1) -> dict[str, object]:
    """Describe the machine, as results of speed do.

    Args:
        threads: that a measured process computed with.
    """
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "torch": installed_versions(["torch"]).get("torch"),
        "threads": threads,
    }


def machine() -> dict[str, object]:
    """Describe the make of this machine, as reports and records of runs do."""
    memory = memory_bytes()
    return {
        "processor": processor_name(),
        "flags": processor_flags(),
        "cores": os.cpu_count(),
        "memory_mb": memory and memory // MEGABYTE,
    }


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Read the model name from what Linux says of the first core; elsewhere, the architecture."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, named), platform.machine())


def processor_flags(cpuinfo: Path = CPUINFO) -> list[str]:
    """List those of `FLAGS` that the first core has; empty where nothing says so."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    told = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return [flag for flag in FLAGS if flag in told.split()]


def memory_bytes() -> int | None:
    """Tell how much memory the machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def accelerator() -> dict[str, object] | None:
    """Describe the GPU that PyTorch, if it is imported, computes on; None if there is none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return {
        "gpu": str(torch.cuda.get_device_name()),
        "count": int(torch.cuda.device_count()),
        "cuda": str(torch.version.cuda),
    }


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Find the versions of packages on `sys.path`, by the names of their metadata folders.

    importlib.metadata reads every file of metadata: 180 ms for thirty packages where this takes 2.

    Returns:
        Version by name as given; packages that are not installed are left out.
    """
    wanted = {_normal(name): name for name in names}
    found: dict[str, str] = {}
    for entry in sys.path:
        folder = Path(entry or ".")
        listed = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        for one in listed:
            stem = re.fullmatch(r"(.+?)-(\d[^-]*)(?:-.*)?\.(?:dist|egg)-info", one)
            if stem and (name := wanted.get(_normal(stem[1]))):
                found.setdefault(name, stem[2])
    return found


def pins(requirements: Path) -> dict[str, str]:
    """Read the exact versions that a file of requirements asks for, by name, in its order."""
    if not requirements.exists():
        return {}
    lines = [line.partition("#")[0] for line in requirements.read_text().splitlines()]
    pairs = [re.match(r"\s*([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", line) for line in lines]
    return {pair[1]: pair[2] for pair in pairs if pair}


def commit_of(root: Path) -> Commit | None:
    """Ask git for the commit of a clone; None outside of one, or without git."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *CODE) or ""
    return Commit(head.strip(), [line[3:] for line in status.splitlines()])


def settings_here() -> dict[str, str]:
    """List the variables of this package that are set: the value of a harmless one, else "set"."""
    ours = sorted(name for name in os.environ if name.startswith("FHVAE_"))
    return {name: _harmless(name, os.environ[name]) for name in ours}


def _harmless(name: str, value: str) -> str:
    if name == DASK:
        return _without_host(value)
    return anonymous(value) if name in HARMLESS else "set"


def _without_host(address: str) -> str:
    """Keep `local:4` as it is; of the address of a scheduler, keep protocol and port."""
    if re.fullmatch(r"local:\d+", address):
        return address
    protocol = re.match(r"\w+://", address)
    port = re.search(r":\d+$", address)
    return f"{protocol[0] if protocol else ''}<host>{port[0] if port else ''}"


def anonymous(text: str) -> str:
    """Take the home folder, the name of the user and the secrets of addresses out of a text."""
    text = without_secrets(text)
    home = Path("~").expanduser()
    names = {home.name, os.environ.get("USER", ""), os.environ.get("LOGNAME", "")} - {""}
    if home.name:  # not of a container whose home is /
        text = re.sub(rf"(?<![\w.]){re.escape(str(home))}{NAME_ENDS}", "~", text)
    users = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    if not users:
        return text
    return re.sub(rf"(?<=/)(?:{users}){NAME_ENDS}|(?<![\w.-])(?:{users})(?=@)", "<user>", text)


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
