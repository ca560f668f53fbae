"""What a report of a bug needs to say of where it happened: the command `fhvae doctor`.

It names no person and no host; the home folder is written as ~.
"""

import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from fhvae.environment import (
    REQUIREMENTS,
    accelerator,
    anonymous,
    commit_of,
    installed_versions,
    machine,
    pins,
    settings_here,
)
from fhvae.portable import can_be_portable

GIGABYTE = 1e9  # bytes
MOST_SHOWN = 4  # of a list, such as changed files, where people read it; --json has all
CLONE = Path(__file__).resolve().parents[1]  # or site-packages
LISTEN = ("onnxruntime", "distillmos", "hama", "pocketsphinx", "resemblyzer")  # of the extra


def examine(clone: Path = CLONE) -> dict[str, Any]:
    """Gather all of it; what cannot be known is None.

    Args:
        clone: where the code lies; git, DVC and pins are asked there if it is a clone.
    """
    import torch  # noqa: F401  (accelerator() asks it)

    in_clone = (clone / "pyproject.toml").exists()
    return {
        "fhvae": _version(clone),
        "code": anonymous(str(clone)),
        "commit": vars(found) if in_clone and (found := commit_of(clone)) else None,
        "python": f"{platform.python_version()}, {anonymous(sys.executable)}",
        "system": platform.platform(),
        "machine": machine(),
        "gpu": accelerator(),
        "portable_arithmetic": can_be_portable(),
        "disk_free_gb": round(shutil.disk_usage(Path()).free / GIGABYTE, 1),
        "packages": packages(clone),
        "listen": installed_versions(LISTEN),
        "dvc": dvc_cache(clone) if in_clone else None,
        "settings": settings_here(),
    }


def _version(clone: Path) -> str | None:
    project = clone / "pyproject.toml"
    if project.exists():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    try:
        return metadata.version("fhvae")
    except metadata.PackageNotFoundError:
        return None


def packages(clone: Path) -> dict[str, dict[str, str | None]]:
    """Compare what is installed with the pins of a clone, or the bounds of an installed package.

    Returns:
        By name: the version that is installed, None for none, and what is wanted, such as ==2.4.6.
    """
    wanted = {name: f"=={version}" for name, version in pins(clone / REQUIREMENTS).items()}
    if not wanted:
        wanted = _bounds()
    found = installed_versions(wanted)
    return {name: {"installed": found.get(name), "wanted": wanted[name]} for name in wanted}


def _bounds() -> dict[str, str]:
    try:
        lines = metadata.requires("fhvae") or []
    except metadata.PackageNotFoundError:
        return {}
    own = [re.match(r"([\w.-]+)\s*([^;]*)", line) for line in lines if "extra ==" not in line]
    return {found[1]: found[2].strip() for found in own if found}


def differing(found: Mapping[str, Mapping[str, str | None]]) -> dict[str, str]:
    """Say of each package that is not as pinned what it is; bounds are pip's to check.

    A build of its own, 2.13.0+cpu, is of the version that is pinned.
    """
    return {
        name: f"{one['installed'] or 'not installed'}, wanted {one['wanted']}"
        for name, one in found.items()
        if not _is_as_wanted(one["installed"], one["wanted"] or "")
    }


def _is_as_wanted(installed: str | None, wanted: str) -> bool:
    if installed is None:
        return False
    return not wanted.startswith("==") or installed.partition("+")[0] == wanted.removeprefix("==")


def dvc_cache(clone: Path) -> dict[str, Any] | str:
    """Describe where DVC keeps outputs, or name the kind of error that keeps it from saying.

    The words of the error stay out of a report: they quote the line of a config, or an address.
    """
    try:
        from dvc.repo import Repo
    except ImportError:
        return "dvc is not installed"
    try:
        with Repo(str(clone)) as repo:
            folder, kinds = Path(repo.cache.local.path), repo.config["cache"].get("type")
    except Exception as error:  # of DVC, dulwich, a broken config: the doctor goes on
        return type(error).__name__
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return {
        "cache": anonymous(str(folder)),
        "exists": folder.exists(),
        "writable": os.access(there, os.W_OK),
        "links": kinds,
        "same_disk": there.stat().st_dev == clone.stat().st_dev,
        "disk_free_gb": round(shutil.disk_usage(there).free / GIGABYTE, 1),
    }


def told(found: Mapping[str, Any]) -> list[str]:
    """Lay out for people, a line per fact; what is as it should be is told in a word."""
    packages = found["packages"]
    wrong = differing(packages)
    lines = {name: _flat(value) for name, value in found.items() if name != "packages"}
    as_wanted = f"{len(packages) - len(wrong)} of {len(packages)} as wanted"
    told = [f"{name:20} {value}" for name, value in lines.items()]
    told += [f"{'packages':20} {as_wanted}", *(f"  {name:18} {why}" for name, why in wrong.items())]
    versions = [f"{name} {packages[name]['installed']}" for name in packages if name not in wrong]
    return [*told, *(f"  {', '.join(versions[at : at + 6])}" for at in range(0, len(versions), 6))]


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        more = f" and {len(value) - MOST_SHOWN} more" if len(value) > MOST_SHOWN else ""
        return " ".join(map(str, value[:MOST_SHOWN])) + more or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
