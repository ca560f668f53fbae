"""Digests of what a stage left: `SHA256SUMS` in the folder, as coreutils writes and checks it.

    cd data/fbank && sha256sum --check SHA256SUMS

DVC takes a file whose size and times are as they were for unchanged. A bit that flipped on the
disk, or came out of a damaged cache, is seen here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from fhvae.errors import ArtifactError
from fhvae.files.atomic import file_digest, new_file, regular

SUMS = "SHA256SUMS"
LINE = re.compile(r"\\?([0-9a-f]{64}) [ *](.+)")  # digest and name, of text or bytes alike


def write_sums(folder: Path) -> None:
    """Write the digests of all files in a folder and below it, sorted by name."""
    lines = [_line(file_digest(folder / name), name) for name in _names(folder)]
    with new_file(folder / SUMS) as partial:
        partial.write_bytes("".join(lines).encode("utf-8", "surrogateescape"))


def check_sums(folder: Path) -> None:
    """Check each folder with digests, this one or below it; one without is taken as it is.

    Raises:
        ArtifactError: a file is not as it was, is gone, or is new.
    """
    for sums in sorted(folder.rglob(SUMS)):
        if wrong := list(differences(sums.parent)):
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise ArtifactError(
                f"{sums.parent} must be as its stage left it, {wrong[0]}{more}; delete "
                f"{sums.parent} and run `dvc repro`, and `make verify` if it happens again"
            )


def check_file(path: Path) -> None:
    """Hold a file against the digests beside it; one that they do not list is taken as it is.

    Raises:
        ArtifactError: it is not as it was, or the digests are not whole.
        OSError: the digests are no regular file, or may not be read.
    """
    sums = path.with_name(SUMS)
    if not (path.is_file() and regular(sums).exists()):
        return
    content, left = sums.read_bytes(), read_sums(sums)
    if not content.endswith(b"\n") or len(left) != content.count(b"\n"):
        raise ArtifactError(
            f"{sums} must have a line of digest and name for each file, all of it is not such; "
            f"copy the folder again, or delete {SUMS} if you changed the file yourself"
        )
    if left.get(escaped(path.name)) not in (None, file_digest(path)):
        raise ArtifactError(
            f"{path} must be as {SUMS} beside it says, it has another SHA-256; copy the folder "
            f"again, or delete {SUMS} if you changed the file yourself"
        )


def differences(folder: Path) -> Iterator[str]:
    """Say of each file in a folder with digests what is not as they say."""
    if not (folder / SUMS).is_file():
        yield f"{SUMS} is gone"
        return
    left = read_sums(folder / SUMS)
    here = {escaped(name): name for name in _names(folder)}
    for name in sorted(left.keys() | here.keys()):
        if name not in here:
            yield f"{name} is gone"
        elif name not in left:
            yield f"{name} is new"
        elif file_digest(folder / here[name]) != left[name]:
            yield f"{name} has another SHA-256"


def read_sums(sums: Path) -> dict[str, str]:
    """Read the digests in a SHA256SUMS by name, as it is escaped there."""
    lines = sums.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
    found = [LINE.fullmatch(line) for line in lines]
    return {one[2]: one[1] for one in found if one}


def _names(folder: Path) -> list[str]:
    """List what is in a folder and below it: not the digests, nor what is hidden."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = (path.as_posix() for path in paths if not any(p.startswith(".") for p in path.parts))
    return sorted(name for name in names if name != SUMS)


def _line(digest: str, name: str) -> str:
    written = escaped(name)
    return f"{digest}  {name}\n" if written == name else f"\\{digest}  {written}\n"


def escaped(name: str) -> str:
    """Write a name in one line, as coreutils does; the line then begins with a backslash."""
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
