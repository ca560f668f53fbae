"""Archives from strangers, unpacked: regular files inside one folder, or one sentence.

The members land in a temporary folder, which gets its name when the last of them is written.
"""

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tqdm import tqdm

from fhvae.errors import CorpusError
from fhvae.fetch.members import (
    Member,
    Meter,
    RefusedError,
    members_of,
    shown_name,
    unless_broken,
)
from fhvae.fetch.names import Tree, name_problem, plain_name
from fhvae.files.atomic import new_folder
from fhvae.progress import progress_bar

TEMPORARY = "[a-z0-9_]{8}"  # how new_folder ends the name of a folder

log = logging.getLogger(__name__)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or a zip into a new folder.

    Args:
        archive: what it is, is told by its content, not by its name.
        folder: must not exist; appears when the last byte is written. Its files have mode 0644,
            its folders 0755; times and owners are not kept.

    Raises:
        CorpusError: the archive is broken or empty, holds what is no file or folder or a name that
            is not safe everywhere, or becomes larger than an archive may.
    """
    if folder.exists() or folder.is_symlink():
        raise CorpusError(f"{folder} must not exist before {archive} is unpacked; move it away")
    if not archive.is_file():
        raise CorpusError(f"{archive} must be an archive, there is no file; download it again")
    with new_folder(folder) as partial:
        try:
            _unpack_into(archive, partial)
        except RefusedError as error:
            raise CorpusError(f"{archive}: {error}; nothing was unpacked") from error
        if folder.exists():  # new_folder would replace it, and somebody may read it already
            raise CorpusError(
                f"{folder} must not appear while {archive} is unpacked, another process made it; "
                "run again to use it"
            )


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs of `unpack` left beside a folder; none may be at work there."""
    ours = re.compile(rf"\.{re.escape(folder.name)}\.{TEMPORARY}")
    for path in sorted(folder.parent.glob(".*")):
        if ours.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            log.info("remove %s, which a killed run left half unpacked", path)
            shutil.rmtree(path, ignore_errors=True)


def _unpack_into(archive: Path, folder: Path) -> None:
    tree, found, meter = Tree(), 0, Meter(archive.stat().st_size)
    with (
        archive.open("rb") as file,
        progress_bar(None, f"unpack {archive.name}", "B", archive.stat().st_size) as bar,
    ):
        for member in unless_broken(members_of(file, meter)):
            name = _checked_name(member)
            if problem := tree.problem_of(name, member.is_folder) if name else None:
                raise RefusedError(f"member {shown_name(member.name)} {problem}")
            _write(folder / name, member, lambda: _advance(bar, file))
            found += 1
    if not found:
        raise RefusedError("it must hold a file or a folder, it holds none")


def _advance(bar: "tqdm[object]", file: IO[bytes]) -> None:
    bar.update(file.tell() - bar.n)


def _checked_name(member: Member) -> str:
    """Give a member's name inside the folder; empty for the folder itself."""
    name = plain_name(member.name)
    is_root = name == "" and member.name != "" and member.is_folder
    if problem := (None if is_root else name_problem(name)) or member.problem:
        raise RefusedError(f"member {shown_name(member.name)} {problem}")
    return name


def _write(path: Path, member: Member, advance: Callable[[], None]) -> None:
    """Write one member; its folder may have come before it or not."""
    try:
        if member.is_folder:
            _make_folder(path)
            return
        _make_folder(path.parent)
        with path.open("xb") as out:
            for piece in unless_broken(member.pieces):
                out.write(piece)
                advance()
    except OSError as error:
        raise RefusedError(f"{path.name} must be writable, {error.strerror}") from error


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir()
