"""Untrusted archives, unpacked: regular files inside one folder, or one sentence.

The members land in a temporary folder, which gets its name when the last of them is written.
Sizes are those of the bytes that come out, not those that are promised; a tar or zip that is
not whole is never taken for one. A name that is harmless on one file system and fatal on
another is refused: a corpus must unpack to the same tree everywhere.
"""

import bz2
import gzip
import io
import logging
import lzma
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from fhvae.errors import CorpusError
from fhvae.files.atomic import new_folder
from fhvae.progress import progress_bar

BLOCK = 1 << 18  # bytes
DRIVE = re.compile(r"[A-Za-z]:")
MAX_BYTES = 500 * 10**9  # that come out of an archive
MAX_HEADER_BYTES = 1 << 20  # of a tar member's extended header, which is read into memory
MAX_MEMBERS = 1_000_000  # files and folders
MAX_NAME_BYTES = 255  # of one part of a path; no common file system takes more
MAX_PATH_BYTES = 1024  # PATH_MAX of macOS, the least of common systems
MAX_RATIO = 200  # of the bytes that come out to the archive's; audio stays below 10, text below 50
SHOWN_NAME = 120  # characters of a name in a message
# Windows gives these to devices whatever follows a point, takes points and blanks off the end of a
# name, and has no name with these characters (learn.microsoft.com, "Naming Files").
DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE
)
NO_NAME_HAS = set('<>:"|?*')
UNJUDGED_BYTES = 1 << 20  # a short text may shrink to any ratio
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a zip member's flags
EXTENDED = (  # types of tar members that tell more of the next one, such as a long name
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
REFUSED_TYPES = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {  # by the first bytes of an archive
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
BROKEN = (  # what the standard library raises on archives that are none any more
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError, struct.error),
    *(lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error),
)

Item = TypeVar("Item")

log = logging.getLogger(__name__)


class RefusedError(Exception):
    """What must hold of an archive and does not; `unpack` adds which archive."""


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


@dataclass(frozen=True)
class Member:
    """What an archive calls a member.

    Attributes:
        name: as it was packed, unchecked.
        is_folder: a folder, else a file.
        problem: why it cannot be unpacked, such as being a link; None if it can.
        pieces: its bytes, read when walked over, before the next member is asked for.
    """

    name: str
    is_folder: bool
    problem: str | None
    pieces: Iterator[bytes]


def _unpack_into(archive: Path, folder: Path) -> None:
    size, tree, found = archive.stat().st_size, Tree(), 0
    with (
        archive.open("rb") as file,
        progress_bar(None, f"unpack {archive.name}", "B", size) as bar,
    ):
        for member in _unless_broken(_members(file, Meter(size))):
            name = plain_name(member.name)
            is_root = name == "" and member.name != "" and member.is_folder
            if problem := member.problem if is_root else _problem(name, member, tree):
                raise RefusedError(f"member {_shown(member.name)} {problem}")
            _write(folder / name, member, lambda: bar.update(file.tell() - bar.n))
            found += 1
    if not found:
        raise RefusedError("it must hold a file or a folder, it holds none")


def _problem(name: str, member: Member, tree: "Tree") -> str | None:
    return name_problem(name) or member.problem or tree.problem_of(name, member.is_folder)


def _write(path: Path, member: Member, advance: Callable[[], object]) -> None:
    """Write one member; its folder may have come before it or not."""
    try:
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            for piece in _unless_broken(member.pieces):
                out.write(piece)
                advance()
    except OSError as error:
        raise RefusedError(f"{path.name} must be writable, {error.strerror}") from error


def _unless_broken(items: Iterator[Item]) -> Iterator[Item]:
    """Walk over what is read from an archive; what is raised there says that it is broken."""
    try:
        yield from items
    except BROKEN as error:
        raise RefusedError(
            "it must be a whole tar or zip, it is broken or cut short "
            f"({error or type(error).__name__})"
        ) from error


def _shown(name: str) -> str:
    """Quote a name, control characters and all, in a length that fits a sentence."""
    return repr(name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}...")


def plain_name(name: str) -> str:
    """Take off what packers add to a name without meaning: `./` in front, `/` at the end."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    name = name.rstrip("/") if name.strip("/") else name
    return "" if name == "." else name


def name_problem(name: str) -> str | None:
    """Say why a plain name cannot be used inside a folder; None if it can."""
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "must be UTF-8"
    parts = name.split("/")
    if name.startswith("/") or DRIVE.match(name):
        return "must be relative"
    if ".." in parts:
        return "must not lead out of its folder"
    if "\\" in name or any(unicodedata.category(character) == "Cc" for character in name):
        return "must have no backslash and no control character"
    if "" in parts or "." in parts:
        return "must have no empty part"
    if any(DEVICE.fullmatch(part) or part[-1] in ". " for part in parts) or NO_NAME_HAS & set(name):
        return 'must be a name on Windows, too: no device, no point or blank at the end, no <>:"|?*'
    longest = max(len(part) for part in encoded.split(b"/"))
    if len(encoded) > MAX_PATH_BYTES or longest > MAX_NAME_BYTES:
        return f"must have at most {MAX_NAME_BYTES} bytes in a part, {MAX_PATH_BYTES} in all"
    return None


def folded(name: str) -> str:
    """Map names that some file system holds for equal to one name."""
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", decomposed)


class Tree:
    """The members so far; tells what a further one collides with."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[str, bool]] = {}  # folded: as spelled, whether a folder

    def problem_of(self, name: str, is_folder: bool) -> str | None:
        """Add a member, or say why it cannot stand beside those before it."""
        parts = name.split("/")
        above = [("/".join(parts[:depth]), True) for depth in range(1, len(parts))]
        for path, folder in [*above, (name, is_folder)]:
            spelled, known_folder = self._members.get(folded(path), (path, None))
            if spelled != path:
                return f"must differ from {spelled!r} in more than case or accents' encoding"
            if folder and known_folder is False:
                return f"needs a folder where {path!r} is a file"
            if not folder and known_folder is not None:
                return "must not also be a folder" if known_folder else "must be there once only"
            self._members[folded(path)] = (path, folder)
        return None


class Meter:
    """Counts what comes out of an archive and stops a bomb."""

    def __init__(self, archive_bytes: int) -> None:
        self._archive_bytes = archive_bytes
        self._members = 0
        self._bytes = 0

    def count_member(self) -> None:
        """Count a file or a folder."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise RefusedError(f"it must hold at most {MAX_MEMBERS} members, more follow")

    def count(self, piece: bytes) -> bytes:
        """Count bytes and hand them on."""
        self._bytes += len(piece)
        if self._bytes > MAX_BYTES:
            raise RefusedError(f"it must unpack to at most {MAX_BYTES} bytes, more follow")
        if self._bytes > max(MAX_RATIO * self._archive_bytes, UNJUDGED_BYTES):
            raise RefusedError(
                f"it must unpack to at most {MAX_RATIO} times its {self._archive_bytes} "
                f"bytes, more follow"
            )
        return piece


def _members(file: IO[bytes], meter: Meter) -> Iterator[Member]:
    """Walk over the members of an archive of any kind."""
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"PK"):
        return _zip_members(file, meter)
    openers = [opener for magic, opener in DECOMPRESSORS.items() if head.startswith(magic)]
    return _tar_members(openers[0](file) if openers else file, meter)


class CountedStream(io.RawIOBase):
    """What a decompressor gives, counted."""

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def read(self, size: int = BLOCK) -> bytes:
        """Read on."""
        return self._meter.count(self._stream.read(size))


class StrictHeader(tarfile.TarInfo):
    """A tar header. `tarfile` takes a broken one for the end, and reads long ones into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Parse a block; raises RefusedError for everything but a header or the end."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the block of zeros that ends an archive
            raise tarfile.ReadError(f"{error} in place of a member or the end") from error
        if header.type in EXTENDED and not 0 <= header.size <= MAX_HEADER_BYTES:
            raise RefusedError(
                f"an extended header must have at most {MAX_HEADER_BYTES} bytes, got {header.size}"
            )
        return header


def _tar_members(stream: IO[bytes], meter: Meter) -> Iterator[Member]:
    counted = CountedStream(stream, meter)
    with tarfile.open(
        fileobj=counted, mode="r|", bufsize=BLOCK, tarinfo=StrictHeader, encoding="utf-8"
    ) as tar:
        for header in tar:
            meter.count_member()
            pieces = _tar_pieces(tar, header)
            yield Member(header.name, header.isdir(), _tar_problem(header), pieces)
    while counted.read(BLOCK):  # the decompressor's checksum comes last
        pass


def _tar_problem(header: tarfile.TarInfo) -> str | None:
    """Refuse what is neither a plain file nor a folder."""
    if header.isdir() or (header.isreg() and header.size >= 0 and not header.issparse()):
        return None
    odd = "a file with holes or of negative size" if header.isreg() else f"of type {header.type!r}"
    return f"must be a regular file or a folder, it is {REFUSED_TYPES.get(header.type, odd)}"


def _tar_pieces(tar: tarfile.TarFile, header: tarfile.TarInfo) -> Iterator[bytes]:
    content = tar.extractfile(header)
    while content is not None and (piece := content.read(BLOCK)):
        yield piece


def _zip_members(file: IO[bytes], meter: Meter) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            meter.count_member()
            pieces = _zip_pieces(archive, entry, meter)
            yield Member(entry.orig_filename, entry.is_dir(), _zip_problem(entry), pieces)


def _zip_problem(entry: zipfile.ZipInfo) -> str | None:
    """Refuse what is neither a plain file nor a folder, or encrypted."""
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the packer knew no Unix
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        odd = "a symbolic link" if kind == stat.S_IFLNK else "a device or a pipe"
        return f"must be a regular file or a folder, it is {odd}"
    return "must not be encrypted" if entry.flag_bits & ENCRYPTED else None


def _zip_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, meter: Meter) -> Iterator[bytes]:
    size = 0
    with archive.open(entry) as content:
        while piece := meter.count(content.read(BLOCK)):
            size += len(piece)
            yield piece
    if size != entry.file_size:
        raise RefusedError(
            f"member {_shown(entry.filename)} must have the {entry.file_size} bytes that are "
            f"promised, it has {size}"
        )
