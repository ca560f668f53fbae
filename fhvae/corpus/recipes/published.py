"""Published corpora: found unpacked below a folder, or downloaded there and unpacked.

The folder is `corpus.path`, or `corpora/<name>` where that is null: ignored by git and by DVC,
so that neither deletes it. What is there is used as it is; only what is missing is downloaded.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from fhvae.errors import CorpusError, DownloadError
from fhvae.fetch.download import alone_in, fetch
from fhvae.fetch.remote import RemoteFile
from fhvae.fetch.unpack import unpack
from fhvae.files.atomic import regular, remove_leftovers
from fhvae.params.corpus import CorpusParams

CORPORA = Path("corpora")
LEVELS = 2  # of folders between where one looks and the top of an unpacked archive
MIRROR = "FHVAE_MIRROR"
OPENSLR = (  # its server, and the mirrors that openslr.org names
    "https://www.openslr.org/resources",
    "https://openslr.trmal.net/resources",
    "https://openslr.elda.org/resources",
    "https://openslr.magicdatatech.com/resources",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A published archive of a corpus, or of a part of one.

    Attributes:
        remote: the file.
        sign: pattern of the files that tell its unpacked content from other folders, relative
            to its top: `dev-clean/*/*/*.flac`.
    """

    remote: RemoteFile
    sign: str

    def unpacked_in(self, folder: Path) -> Path:
        """Name what the archive becomes in a folder."""
        return folder / self.remote.name.removesuffix(".zip").removesuffix(".tar.gz")


def openslr(resource: int, name: str) -> tuple[str, ...]:
    """Name the addresses of a file of OpenSLR."""
    return tuple(f"{base}/{resource}/{name}" for base in OPENSLR)


def home(params: CorpusParams) -> Path:
    """Name the folder below which a published corpus lies or will lie.

    Raises:
        CorpusError: `corpus.path` is given and is no folder; it may be misspelled, and
            gigabytes would go there.
    """
    if params.path is None:
        return CORPORA / params.name
    folder = Path(params.path)
    if not folder.is_dir():
        raise CorpusError(
            f"corpus.path must name a folder, {folder} is none; make it, or null for "
            f"{CORPORA / params.name}"
        )
    return folder


def obtain(archive: Archive, folder: Path) -> Path:
    """Find an unpacked archive below a folder; else download and unpack it there.

    Of several processes one downloads and unpacks, the others wait and read the same files.

    Returns:
        The top of the unpacked archive, to which its sign is relative.

    Raises:
        DownloadError: nobody gives the archive, or FHVAE_OFFLINE forbids to ask.
        CorpusError: the archive cannot be unpacked, or is another than it should be.
    """
    top = find(archive.sign, folder)
    if top is None:
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder):
            top = find(archive.sign, folder)  # another process may have brought it meanwhile
            if top is None:
                return _bring(archive, folder)
    log.info("read %s in %s", archive.sign.split("/")[0], top)
    return top


def _bring(archive: Archive, folder: Path) -> Path:
    """Download and unpack an archive; the caller is alone in the folder, if it can be locked."""
    remote, unpacked = with_mirror(archive.remote), archive.unpacked_in(folder)
    # first of all, since they may be what fills the disk
    remove_leftovers(unpacked.parent, unpacked.name)
    held = (folder / remote.name).exists()
    log.info(
        "no unpacked %s below %s; %s", remote.name, folder,
        "it is unpacked" if held else f"it is downloaded into it ({_gigabytes(remote)})",
    )  # fmt: skip
    packed = fetch(remote, folder)
    unpack(packed, unpacked)
    top = find(archive.sign, unpacked)
    if top is None:
        raise CorpusError(
            f"{packed} must hold {archive.sign}, nothing in {unpacked} is named so; "
            "move both away and run again"
        )
    return top


def find(sign: str, folder: Path) -> Path | None:
    """Find the folder from which `sign` leads to a file, the topmost first; None without one."""
    level = [folder] if folder.is_dir() else []
    for depth in range(LEVELS + 1):
        if depth:
            level = [inner for place in level for inner in _folders(place)]
        for place in level:
            if next(place.glob(sign), None) is not None:
                return place
    return None


def _folders(place: Path) -> list[Path]:
    """List the visible folders in a folder; none where it may not be read, as in lost+found."""
    try:
        inner = sorted(place.iterdir())
    except PermissionError:
        log.debug("%s cannot be read; nothing is sought in it", place)
        return []
    return [path for path in inner if not path.name.startswith(".") and _is_folder(path)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:  # what a link leads to may be out of reach
        return False


def incomplete(
    archive: Archive, folder: Path, place: Path, what: str, published: int, found: int
) -> CorpusError:
    """Say that an unpacked archive is not what was published, and what to do.

    Args:
        archive: that was published.
        folder: below which it was sought.
        place: the unpacked content.
        what: is counted.
        published, found: how many.
    """
    unpacked = archive.unpacked_in(folder)
    whole = unpacked if place.is_relative_to(unpacked) else place
    return CorpusError(
        f"{place} must hold the {published} {what} that were published, it holds {found}; "
        f"delete {whole} so that it is unpacked again, or move it away; where fewer are wanted, "
        "list them in a manifest.csv (corpus.name manifest)"
    )


def lines_in_any_encoding(path: Path) -> list[str]:
    """Read the lines of a publisher's table, in which names of people and places may be spoilt.

    Raises:
        CorpusError: the file is missing.
    """
    try:
        text = regular(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise CorpusError(f"{path} must be a readable file: {error.strerror}") from error
    return text.split("\n")  # splitlines would also cut at the separators that a name may hold


def with_mirror(remote: RemoteFile) -> RemoteFile:
    """Put the address below FHVAE_MIRROR in front of the publisher's.

    Raises:
        DownloadError: the variable holds no address that can be trusted with this file.
    """
    base = os.environ.get(MIRROR, "").strip().rstrip("/")
    if not base:
        return remote
    try:
        return replace(remote, urls=(f"{base}/{remote.name}", *remote.urls))
    except ValueError as error:
        raise DownloadError(f"{MIRROR} must be the address of a folder: {error}") from error


def _gigabytes(remote: RemoteFile) -> str:
    return "size unknown" if remote.size is None else f"{remote.size / 1e9:.2f} GB"
