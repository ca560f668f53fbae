"""Write requirements*.lock: every package with the hashes of its files.

    make lock             # or: python .ci/lock.py, where uv is installed

uv resolves requirements*.txt for Linux on x86-64 with Python 3.11 to 3.13, and names the files of
each package as their publisher put them; kept are the hashes of those that serve there. `pip
install --require-hashes` then takes no other file, from wherever it comes.

torch is not in them, nor what its builds for CUDA bring along: the build for a CPU and the one for
a GPU are different files under one version, and which of them an index gives is its owner's choice.
It stays pinned by version in requirements.txt (docs/decisions/0028-untrusted.md).
"""

import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
LISTS: dict[str, tuple[str, ...]] = {  # and what uv is told besides
    "requirements": (),
    "requirements-dev": ("--constraint", "requirements.lock"),
    "requirements-audit": (),  # an environment of its own
    "requirements-listen": ("--no-deps",),  # as it is installed
}
PYTHONS = ((3, 11), (3, 12), (3, 13))
GLIBC = range(5, 40)  # of the machine, 2.x; pip takes what is built for any up to its own
OF_TORCH = ("torch", "triton", "nvidia-", "cuda-")  # how the names of what is left out begin
HEAD = """\
# Written by `make lock`: what {name}.txt asks for{more}, by hash,
# for Linux on x86-64 with Python 3.11 to 3.13, without torch (docs/decisions/0028-untrusted.md).
"""


def resolved(name: str) -> list[dict[str, Any]]:
    """Ask uv for the packages that a list of requirements comes to, with all their files."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "pylock.toml"
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        command += [*LISTS[name], "--format", "pylock.toml", "-o", str(out), f"{name}.txt"]
        subprocess.run(command, check=True, cwd=ROOT)
        packages: list[dict[str, Any]] = tomllib.loads(out.read_text())["packages"]
    return packages


def lines(packages: list[dict[str, Any]]) -> Iterator[str]:
    """Write a package per entry, with its marker where it is not for all, and its hashes."""
    for one in sorted(packages, key=lambda package: str(package["name"])):
        name, needed = str(one["name"]), _pythons(one.get("marker"))
        if name.startswith(OF_TORCH) or not needed:
            continue
        marker = f" ; {one['marker']}" if len(needed) < len(PYTHONS) else ""
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(_hashes(one)))
        yield f"{name}=={one['version']}{marker}{hashes}\n"


def _pythons(marker: str | None) -> list[tuple[int, int]]:
    """Find the versions of Python that a package is for."""
    return [one for one in PYTHONS if marker is None or Marker(marker).evaluate(_place(one))]


def _place(python: tuple[int, int]) -> dict[str, str]:
    version = ".".join(map(str, python))
    place = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    place |= {"os_name": "posix", "platform_python_implementation": "CPython"}
    place |= {"implementation_name": "cpython", "extra": ""}
    return {
        **default_environment(),  # type: ignore[dict-item]
        **place,
        "python_version": version,
        "python_full_version": f"{version}.0",
    }


def _hashes(package: Mapping[str, Any]) -> set[str]:
    """Take the wheels that serve; for a Python that none serves, the source."""
    found: set[str] = set()
    for python in _pythons(package.get("marker")):
        tags = _tags(python)
        own = {
            str(wheel["hashes"]["sha256"])
            for wheel in package.get("wheels", [])
            if tags & parse_wheel_filename(_name(wheel))[3]
        }
        found |= own or {str(package["sdist"]["hashes"]["sha256"])}
    return found


def _name(file: Mapping[str, Any]) -> str:
    return str(file.get("name") or str(file["url"]).rsplit("/", 1)[-1])


def _tags(python: tuple[int, int]) -> set[Tag]:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in GLIBC]
    platforms += [f"manylinux{year}_x86_64" for year in (1, 2010, 2014)] + ["linux_x86_64"]
    return {
        *cpython_tags(python, platforms=platforms),
        *compatible_tags(python, f"cp{python[0]}{python[1]}", platforms),
    }


def main() -> None:
    """Write a file for each list."""
    for name in LISTS:
        path = ROOT / f"{name}.lock"
        more = "" if "--no-deps" in LISTS[name] else " and all that this brings along"
        head = HEAD.format(name=name, more=more)
        path.write_text(head + "".join(lines(resolved(name))), encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
