"""Public files, by the first mirror that gives them: whole and verified, or not there at all.

`fetch` may be killed at any moment; run again, it goes on where it was. A file is renamed to
its final name once its size and its checksum are right, never before (decision 0011).
"""

import hashlib
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fhvae.errors import ArtifactError, DownloadError
from fhvae.fetch.transfer import (
    MirrorError,
    Moved,
    Part,
    require_space,
    transfer,
    transport_problem,
)
from fhvae.files.atomic import read_json, write_json
from fhvae.files.locks import lock_or_wait
from fhvae.progress import progress_bar

DIGEST = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}
READ_BLOCK = 1 << 20  # bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A file that somebody publishes.

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


@dataclass(frozen=True)
class Patience:
    """How long a slow or broken mirror is borne with.

    Attributes:
        attempts: how often it may fail in a row without a byte more than before.
        first_wait_s: seconds before the second attempt, doubled before each one after.
        longest_wait_s: where the doubling ends.
        timeout_s: how long it may be silent.
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    timeout_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self.first_wait_s * 2.0 ** max(failures - 1, 0), self.longest_wait_s)


PATIENCE = Patience()


def fetch(remote: RemoteFile, folder: Path, *, patience: Patience = PATIENCE) -> Path:
    """Bring a public file into a folder, unless it is there; the caller is `alone_in` the folder.

    Args:
        remote: the file.
        folder: `<name>.part`, `<name>.part.json` and `<name>.verified` beside the file are ours.
        patience: with its mirrors.

    Returns:
        The path of the file, whole and, if `remote` has a checksum, verified.

    Raises:
        DownloadError: another file bears its name, no mirror gives it, or there is no room;
            a part already brought stays, and the next call goes on from there.
    """
    path = folder / remote.name
    if is_there(remote, path):
        return path
    part = Part(path, remote.describe())
    if not _is_whole(remote, part):
        _require_network(remote, folder)
        require_space(folder, (remote.size or 0) - part.held)
        _from_mirrors(remote, folder, part, patience)
    if not is_there(remote, path):  # nobody put it there by hand meanwhile
        _publish(part, path)
    part.discard()
    _stamp(remote, path)
    return path


def is_there(remote: RemoteFile, path: Path) -> bool:
    """Tell whether a public file lies at `path`; its checksum is computed once.

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
    if _is_stamped(remote, path):
        return True
    if found := difference(remote, path):
        raise DownloadError(
            f"{path} must be {remote.describe()}, it has {found}; move it away and run again"
        )
    _stamp(remote, path)
    return True


def difference(remote: RemoteFile, path: Path) -> str | None:
    """Say what a file has that is not as promised; None if all is."""
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        return f"{size} bytes instead of {remote.size}"
    if size > READ_BLOCK and remote.verified:
        log.info("check %s", path.name)
    found = digests(path, tuple(remote.checksums))
    for algorithm, digest in remote.checksums.items():
        if found[algorithm] != digest:
            return f"{algorithm} {found[algorithm]} instead of {digest}"
    return None


def digests(path: Path, algorithms: tuple[str, ...]) -> dict[str, str]:
    """Compute checksums of a file in one reading; none without algorithms."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    if hashes:
        with path.open("rb") as file:
            while block := file.read(READ_BLOCK):
                for item in hashes.values():
                    item.update(block)
    return {name: item.hexdigest() for name, item in hashes.items()}


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _stamp_of(remote: RemoteFile, path: Path) -> dict[str, object]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, **remote.checksums}


def _is_stamped(remote: RemoteFile, path: Path) -> bool:
    """Tell whether just these checksums were found right, and the file not touched since."""
    if not remote.verified:
        return False
    try:
        return read_json(_stamp_path(path)) == _stamp_of(remote, path)
    except ArtifactError:
        return False


def _stamp(remote: RemoteFile, path: Path) -> None:
    if not remote.verified:
        return
    try:
        write_json(_stamp_path(path), _stamp_of(remote, path))
    except OSError:  # a folder that others own: the checksum is then computed every time
        log.debug("%s cannot be written", _stamp_path(path))


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Wait until no other process downloads or unpacks into the folder.

    Not to be nested: who holds the lock and opens the folder again waits for himself.

    Yields:
        Whether the folder is locked; some network file systems have no locks.

    Raises:
        DownloadError: the folder cannot be opened.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DownloadError(
            f"{folder} must be a readable folder to download into: {error.strerror}; "
            "mend that or name another"
        ) from error
    try:
        # without a lock checksums catch a mixture, and `unpack` replaces nothing
        yield lock_or_wait(handle, f"another process that downloads into {folder} or unpacks there")
    finally:
        os.close(handle)


def _is_whole(remote: RemoteFile, part: Part) -> bool:
    """Tell whether an interrupted run brought all and only lacked the time to rename it."""
    known = remote.verified and part.path.exists()
    return known and part.held == remote.size and difference(remote, part.path) is None


def _require_network(remote: RemoteFile, folder: Path) -> None:
    if os.environ.get("FHVAE_OFFLINE", "0") not in ("", "0"):
        raise DownloadError(
            f"{folder} must hold {remote.describe()}, it does not and FHVAE_OFFLINE forbids "
            f"downloads; get it from {' or '.join(remote.urls)} and put it there"
        )


def _from_mirrors(remote: RemoteFile, folder: Path, part: Part, patience: Patience) -> None:
    """Try the mirrors in turn; after a wrong file once more, from nothing."""
    queue, reasons, wrong = list(remote.urls), [], 0
    with progress_bar(None, f"download {remote.name}", "B", remote.size, part.held) as bar:

        def moved(held: int, total: int | None) -> None:
            bar.total = total
            bar.update(held - bar.n)

        while queue and wrong < 2:
            url = queue.pop(0)
            try:
                _bear_with(url, remote, part, patience, moved)
            except MirrorError as error:
                reasons.append(f"{url}: {error}")
                continue
            found = difference(remote, part.path)
            if found is None:
                _tell_checksum(remote, part.path)
                return
            mixed = part.origin is not None and part.origin.url != url
            part.discard()
            reasons.append(f"{url}: what it sends has {found}")
            wrong += 1
            # bytes of two mirrors condemn neither of them
            queue = [url] if mixed else queue or [remote.urls[0]]
    raise DownloadError(_nobody_gave(remote, folder, part, reasons))


def _tell_checksum(remote: RemoteFile, path: Path) -> None:
    """Let the reader see what came where nothing was known to hold it against."""
    if not remote.verified:
        found = digests(path, ("sha256",))["sha256"]
        log.warning("%s has no known checksum; what came has sha256 %s", remote.name, found)


def _nobody_gave(remote: RemoteFile, folder: Path, part: Part, reasons: list[str]) -> str:
    again = f"run again to go on after {part.held} bytes" if part.held else "try again later"
    return (
        f"{folder} must hold {remote.describe()}, and no mirror gave it ({'; '.join(reasons)}); "
        f"{again}, or put the file there by hand"
    )


def _bear_with(url: str, remote: RemoteFile, part: Part, patience: Patience, moved: Moved) -> None:
    """Ask a mirror again as long as it may recover; every new byte renews the patience."""
    most, failures = part.held, 0
    while True:
        try:
            transfer(url, part, remote.size, remote.verified, patience.timeout_s, moved)
            return
        except MirrorError as error:
            failures = 1 if part.held > most else failures + 1
            most = max(most, part.held)
            if not error.temporary or failures >= patience.attempts:
                raise
            wait_s = patience.wait_s(failures)
            log.info("%s: %s; next attempt in %g s", url, error, wait_s)
            time.sleep(wait_s)


def _publish(part: Part, path: Path) -> None:
    """Give a whole file its name, in a way that a power cut cannot undo by half."""
    _flush_to_disk(part.path)
    os.replace(part.path, path)
    _flush_to_disk(path.parent)


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
