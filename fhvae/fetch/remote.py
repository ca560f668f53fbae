"""A published file: what identifies it, and whether it is here."""

import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fhvae.addresses import without_secrets
from fhvae.errors import ArtifactError, DownloadError
from fhvae.files.atomic import file_digest, read_json, write_json

DIGEST = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
QUICKLY_READ = 1 << 20  # bytes of a file whose check needs no word in the log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Attributes:
        name: what it is called on disk.
        urls: where it can be had, the best first.
        size: in bytes, if known.
        sha256, md5: lower-case hexadecimal; md5 for publishers that give nothing better.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None

    def __post_init__(self) -> None:
        """Refuse slips of the one who lists the file."""
        if not self.name or self.name != Path(self.name).name:
            raise ValueError(f"name must be that of a file, got {self.name!r}")
        if not self.urls:
            raise ValueError(f"{self.name} must have an address")
        for algorithm, digest in self.checksums.items():
            if not DIGEST[algorithm].fullmatch(digest):
                raise ValueError(f"{algorithm} of {self.name} must be lower-case hex: {digest!r}")
        for url in self.urls:
            if problem := transport_problem(url, self.verified):
                raise ValueError(f"an address of {self.name} {problem}")

    @property
    def verified(self) -> bool:
        """Whether a checksum tells the right file from a wrong one."""
        return bool(self.checksums)

    @property
    def checksums(self) -> dict[str, str]:
        """The known checksums by algorithm."""
        known = {"sha256": self.sha256, "md5": self.md5}
        return {algorithm: digest for algorithm, digest in known.items() if digest is not None}

    def describe(self) -> str:
        """Name the file with all that identifies it."""
        size = [] if self.size is None else [f"{self.size} bytes"]
        sums = [f"{algorithm} {digest}" for algorithm, digest in self.checksums.items()]
        return f"{self.name} ({', '.join(size + sums) or 'no size and no checksum known'})"

    def difference(self, path: Path) -> str | None:
        """Say what a file on disk has that is not as promised; None if all is."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"{size} bytes instead of {self.size}"
        if size > QUICKLY_READ and self.verified:
            log.info("check %s", path.name)
        for algorithm, digest in self.checksums.items():
            if (found := file_digest(path, algorithm)) != digest:
                return f"{algorithm} {found} instead of {digest}"
        return None


def transport_problem(url: str, checked: bool) -> str | None:
    """Say why an address is not to be trusted; None if it is.

    Args:
        url: of a file.
        checked: the file has a checksum, which tells whether somebody changed it on its way.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return None
    if parts.scheme == "http" and (checked or parts.hostname in LOOPBACK):
        return None
    return f"must be https, or http for a file with a checksum, got {without_secrets(url)}"


def is_there(remote: RemoteFile, path: Path) -> bool:
    """Tell whether the file lies at `path`; its checksum is computed once.

    Raises:
        DownloadError: something else lies there, which is neither used nor overwritten.
    """
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        raise DownloadError(
            f"{path} must be a file or not be there, it is a folder, a broken link or a device; "
            "move it away"
        )
    if not _is_stamped(remote, path):
        if found := remote.difference(path):
            raise DownloadError(
                f"{path} must be {remote.describe()}, it has {found}; move it away and run again"
            )
        stamp(remote, path)
    return True


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _stamp_of(remote: RemoteFile, path: Path) -> dict[str, object]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, **remote.checksums}


def _is_stamped(remote: RemoteFile, path: Path) -> bool:
    """Tell whether just these checksums were found right, and the file not touched since."""
    try:
        return remote.verified and read_json(_stamp_path(path)) == _stamp_of(remote, path)
    except ArtifactError:
        return False


def stamp(remote: RemoteFile, path: Path) -> None:
    """Note that the checksums of a file were found right."""
    if remote.verified:
        with suppress(OSError):  # a folder that others own: the check is then made every time
            write_json(_stamp_path(path), _stamp_of(remote, path))
