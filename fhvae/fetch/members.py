"""What an archive from a stranger holds, member by member, as far as it may be believed.

Sizes are those of the bytes that come out, not those that are promised; a tar or zip that is
not whole is never taken for one.
"""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Self, TypeVar

BLOCK = 1 << 18  # bytes
BROKEN = (  # what the standard library raises on archives that are none any more
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of a zip member's flags
EXTENDED = (  # types of tar members that tell more of the next one, such as a long name
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
MAX_MEMBERS = 1_000_000  # files and folders
MAX_BYTES = 500 * 10**9  # that come out of an archive
MAX_RATIO = 200  # of them to the bytes of the archive; audio stays below 10, text below 50
MAX_HEADER_BYTES = 1 << 20  # of a tar member's extended header, which is read into memory
SHOWN_NAME = 120  # characters of a name in a message
UNJUDGED_BYTES = 1 << 20  # a short text may shrink to any ratio

Item = TypeVar("Item")
Readable = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile


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


class RefusedError(Exception):
    """What must hold of an archive and does not; `unpack` adds which archive."""


class Meter:
    """Counts the bytes that come out of an archive and stops a bomb."""

    def __init__(self, archive_bytes: int) -> None:
        self._archive_bytes = archive_bytes
        self._members = 0
        self._bytes = 0

    def count_member(self) -> None:
        """Count a member, selected or not."""
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise RefusedError(f"it must hold at most {MAX_MEMBERS} members, more follow")

    def count(self, number: int) -> None:
        """Count bytes."""
        self._bytes += number
        if self._bytes > MAX_BYTES:
            raise RefusedError(f"it must unpack to at most {MAX_BYTES} bytes, more follow")
        allowed = max(MAX_RATIO * self._archive_bytes, UNJUDGED_BYTES)
        if self._bytes > allowed:
            raise RefusedError(
                f"it must unpack to at most {MAX_RATIO} times its {self._archive_bytes} "
                f"bytes, more follow"
            )


def members_of(file: IO[bytes], meter: Meter) -> Iterator[Member]:
    """Walk over the members of an archive of any kind."""
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"PK"):
        return _zip_members(file, meter)
    return _tar_members(_decompressed(file, head), meter)


def _decompressed(file: IO[bytes], head: bytes) -> Readable:
    """Open a tar by the first bytes of its compression."""
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file)
    return file


class CountedStream(io.RawIOBase):
    """What a decompressor gives, counted."""

    def __init__(self, stream: Readable, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    def read(self, size: int = BLOCK) -> bytes:
        """Read on."""
        piece = self._stream.read(size)
        self._meter.count(len(piece))
        return piece


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


def _tar_members(stream: Readable, meter: Meter) -> Iterator[Member]:
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
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a pipe",
    }
    odd = "a file with holes or of negative size" if header.isreg() else f"of type {header.type!r}"
    return f"must be a regular file or a folder, it is {kinds.get(header.type, odd)}"


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
        while piece := content.read(BLOCK):
            size += len(piece)
            meter.count(len(piece))
            yield piece
    if size != entry.file_size:
        raise RefusedError(
            f"member {shown_name(entry.filename)} must have the {entry.file_size} bytes that are "
            f"promised, it has {size}"
        )


def unless_broken(items: Iterator[Item]) -> Iterator[Item]:
    """Walk over what is read from an archive; what is raised there says that it is broken."""
    try:
        yield from items
    except BROKEN as error:
        raise RefusedError(
            "it must be a whole tar or zip, it is broken or cut short "
            f"({error or type(error).__name__})"
        ) from error


def shown_name(name: str) -> str:
    """Quote a name, control characters and all, in a length that fits a sentence."""
    return repr(name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}...")
