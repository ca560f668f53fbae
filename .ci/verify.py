"""Hash anew what DVC keeps: its cache, and this tree's outputs against dvc.lock.

    make verify
    python .ci/verify.py --outputs     # these alone, as `make reproduce` ends

DVC takes a file for unchanged while its size and times are; a bit that flipped on the disk goes
unseen, and comes back with `dvc checkout`. Here every byte is read. Exit code 1 if a file is
damaged: it is named, with what to do; 2 if dvc.lock cannot tell.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from fhvae.commandline import EXIT_BAD_INPUT  # noqa: E402
from fhvae.errors import FhvaeError, one_line  # noqa: E402
from fhvae.files.sums import SUMS, escaped, read_sums  # noqa: E402
from fhvae.params.reading import read_yaml  # noqa: E402

FOLDER = ".dir"  # ends the MD5 of a folder, which is that of the list of its files
MD5 = re.compile(rf"[0-9a-f]{{32}}({FOLDER})?")
OBJECT = re.compile(rf"([0-9a-f]{{2}})/([0-9a-f]{{30}}({FOLDER})?)")  # a file of the cache
ADVICE = (
    "damaged files must be replaced: delete them, then `dvc checkout` brings back what is whole "
    "in the cache, `git restore metrics plots` what is in git, and `dvc repro` makes the rest again"
)
INDENT = "  "  # before what is named
LOCK_ADVICE = "it does not; `git restore dvc.lock` brings back the one of the last commit"


def cache_folder() -> Path:
    """Ask DVC where its cache is: another disk, or one that several people share."""
    told = subprocess.run(["dvc", "cache", "dir"], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip()) / "files" / "md5"


def outputs(lock: Mapping[str, Any], cache: Path) -> Iterator[tuple[Path, str]]:
    """Walk over all outputs in dvc.lock, folders and the files in them: path and MD5.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: dvc.lock does not say them.
    """
    for stage in lock["stages"].values():
        for one in (*stage.get("deps", []), *stage.get("outs", [])):
            if one["hash"] != "md5" or not MD5.fullmatch(one["md5"]):
                raise ValueError(f"{one['path']} has no MD5")
        for out in stage.get("outs", []):
            path, digest = Path(out["path"]), out["md5"]
            yield path, digest
            if digest.endswith(FOLDER):
                yield from ((path / one["relpath"], one["md5"]) for one in _listed(cache, digest))


def _listed(cache: Path, digest: str) -> list[dict[str, str]]:
    """Read what a folder holds: nothing, if its list is not in the cache or is damaged."""
    try:
        found = json.loads((cache / digest[:2] / digest[2:]).read_bytes())
    except (FileNotFoundError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    return found if all(map(_is_entry, found)) else []


def _is_entry(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(k), str) for k in ("relpath", "md5"))


def unlisted(known: Mapping[Path, str], cache: Path) -> list[Path]:
    """Name the folders here whose list is not in the cache: nobody can tell what they held."""
    found = ((path, digest) for path, digest in known.items() if digest.endswith(FOLDER))
    return [path for path, digest in found if path.is_dir() and not _listed(cache, digest)]


def renamed(known: Mapping[Path, str], cache: Path) -> Iterator[tuple[Path, Path]]:
    """Find the folders whose list names other files than their stage left; the list and the folder.

    A bit that flipped in a list leaves a list; DVC makes the folder by it, and a new list of that.
    """
    for path, digest in known.items():
        listed = _listed(cache, digest) if digest.endswith(FOLDER) else []
        if listed and (path / SUMS).is_file():
            left = {SUMS, *read_sums(path / SUMS)}
            if left != {escaped(one["relpath"]) for one in listed}:
                yield cache / digest[:2] / digest[2:], path


def shared(here: Mapping[Path, str], cache: Path) -> list[Path]:
    """Name the outputs that are one file with their copy in the cache, by a link of any kind."""
    objects = {path: cache / digest[:2] / digest[2:] for path, digest in here.items()}
    return [path for path, own in objects.items() if own.exists() and path.samefile(own)]


def objects(cache: Path) -> Iterator[tuple[Path, str]]:
    """Walk over the files of the cache, which are named after the MD5 that they must have."""
    for path in sorted(cache.rglob("*")):
        if named := OBJECT.fullmatch(path.relative_to(cache).as_posix()):
            yield path, named[1] + named[2]


def damaged(wanted: Mapping[Path, str]) -> list[Path]:
    """Hash files; name those that are not what they must be."""
    with ThreadPoolExecutor() as pool:  # while one hashes, others may
        found = zip(wanted, pool.map(_md5, wanted), strict=True)
        return [path for path, own in found if own != wanted[path].removesuffix(FOLDER)]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def main() -> int:
    """Hash and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--outputs", action="store_true", help="leave the cache out")
    only_outputs = parser.parse_args().outputs
    cache = cache_folder()
    try:
        known = dict(outputs(read_yaml(Path("dvc.lock")), cache))
    except (FhvaeError, AttributeError, KeyError, TypeError, ValueError) as error:
        told = one_line(f"error: dvc.lock must name every output, {LOCK_ADVICE} ({error})")
        print(told, file=sys.stderr)
        return EXIT_BAD_INPUT
    name_of = {digest: path for path, digest in known.items()}
    kept = {} if only_outputs else {f"cache {cache}": dict(objects(cache))}
    here = {path: digest for path, digest in known.items() if path.is_file()}
    wrong = 0
    for title, wanted in (kept | {"outputs in this tree": here}).items():
        found = damaged(wanted)
        size = sum(path.stat().st_size for path in wanted) / 1e6
        print(f"{title}: {len(wanted)} files, {size:.0f} MB, {len(found)} damaged")
        for path in found:
            of = name_of.get(wanted[path], "of another commit")
            print(INDENT + one_line(f"{path} ({of})"))
        wrong += len(found)
    for path in (gone := unlisted(known, cache)):
        print(INDENT + one_line(f"{path} (the list of its files is not in the cache)"))
    for listing, path in (made := list(renamed(known, cache))):
        print(INDENT + one_line(f"{listing} (it lists other files than {path / SUMS})"))
        print(INDENT + one_line(f"{path} (made by that list)"))
    if linked := shared(here, cache):
        print(
            f"{len(linked)} outputs, {linked[0]} among them, are links to the cache: damage to one "
            "damages both; `dvc checkout --relink` makes copies where cache.type says so"
        )
    wrong += len(gone) + len(made)
    if wrong:
        print(f"error: {ADVICE}", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
