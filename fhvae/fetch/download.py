"""Public files, by the first mirror that gives them: whole and verified, or not there at all.

`fetch` may be killed at any moment; run again, it goes on where it was. A file is renamed to
its final name once its size and its checksum are right, never before (decision 0011).

A resume asks for `Range: bytes=<held>-` with `If-Range: <validator>`: the rest of the
same file, or all of it if it changed (RFC 9110, sections 13.1.5 and 14). What the server
claims is held against what it sends, and both against the size that is known in advance.

An address may hold a password (`FHVAE_MIRROR`): no message, log or file shows it.
"""

import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from fhvae.addresses import without_secrets
from fhvae.errors import ArtifactError, DownloadError
from fhvae.fetch.remote import RemoteFile, is_there, stamp, transport_problem
from fhvae.files.atomic import file_digest, flush_to_disk, read_json, write_json
from fhvae.files.locks import lock_or_wait
from fhvae.progress import progress_bar

if TYPE_CHECKING:
    from requests import Response

ATTEMPTS = 5  # at a mirror in a row, none of which brings a byte more than those before
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # before an attempt, doubled before each one after
TIMEOUT_S = 60.0  # how long a mirror may be silent
BLOCK = 1 << 16  # bytes
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
HEADERS = {"User-Agent": "fhvae", "Accept-Encoding": "identity"}
REDIRECTS = 10  # in a row; more are a loop
TRY_LATER = (408, 425, 429, 502, 503, 504)  # HTTP statuses of a server that may recover

log = logging.getLogger(__name__)


class MirrorError(Exception):
    """A mirror gave no file; `temporary` if asking it again may help."""

    def __init__(self, reason: str, temporary: bool = False) -> None:
        super().__init__(without_secrets(reason))
        self.temporary = temporary


class Part:
    """What is here of a file: `<name>.part`, and in `<name>.part.json` where it came from.

    Attributes:
        remote: the file; another version of it shares no byte with this one.
        path: of the bytes.
        url: the mirror that sent them, before redirects, without its password; None where there
            are none.
        validator: its strong ETag, else its Last-Modified, else None.
    """

    def __init__(self, remote: RemoteFile, folder: Path) -> None:
        self.remote = remote
        self.path = folder / f"{remote.name}.part"
        self._origin = folder / f"{remote.name}.part.json"
        known: dict[str, Any] = {}
        with suppress(ArtifactError):  # none, or of another format
            known = read_json(self._origin)
        self.url: str | None = known.get("url")
        self.validator: str | None = known.get("validator")
        texts = isinstance(self.url, str) and isinstance(self.validator, str | None)
        if not texts or known.get("file") != remote.describe():
            self.discard()

    @property
    def held(self) -> int:
        """Bytes that are here already."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_whole(self) -> bool:
        """Whether an interrupted run brought all and only lacked the time to rename it."""
        known = self.remote.verified and self.path.exists()
        return known and self.held == self.remote.size and not self.remote.difference(self.path)

    def begin(self, url: str, validator: str | None) -> None:
        """Start from nothing; the origin is written first, so that no byte is without one."""
        self.discard()
        self.url, self.validator = without_secrets(url), validator
        origin = {"file": self.remote.describe(), "url": self.url, "validator": validator}
        write_json(self._origin, origin)

    def is_of(self, url: str) -> bool:
        """Whether the bytes came from this mirror."""
        return self.url == without_secrets(url)

    def discard(self) -> None:
        """Throw away the bytes, then what is known of them."""
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)
        self.url = self.validator = None

    def spoiled(self, reason: str) -> MirrorError:
        """Throw away bytes that cannot be trusted; gives the error to raise."""
        self.discard()
        return MirrorError(reason, temporary=True)


def fetch(remote: RemoteFile, folder: Path) -> Path:
    """Download a public file into a folder, unless it is there; the caller is `alone_in` it.

    Returns:
        The path of the file, whole and, if `remote` has a checksum, verified; beside it lies
        `<name>.verified`.

    Raises:
        DownloadError: another file bears its name, no mirror gives it, or there is no room;
            a part already downloaded stays, and the next call goes on from there.
    """
    path = folder / remote.name
    if is_there(remote, path):
        return path
    part = Part(remote, folder)
    if not part.is_whole:
        _require_network(remote, folder)
        _require_space(folder, (remote.size or 0) - part.held)
        _from_mirrors(part)
    if not is_there(remote, path):  # nobody put it there by hand meanwhile
        _publish(part.path, path)
    part.discard()
    stamp(remote, path)
    return path


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads or unpacks into the folder.

    Not to be nested: who holds the lock and opens the folder again waits for himself.

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
        lock_or_wait(handle, f"another process that downloads into {folder} or unpacks there")
        yield
    finally:
        os.close(handle)


def _require_network(remote: RemoteFile, folder: Path) -> None:
    if os.environ.get("FHVAE_OFFLINE", "0") not in ("", "0"):
        places = without_secrets(" or ".join(remote.urls))
        raise DownloadError(
            f"{folder} must hold {remote.describe()}, it does not and FHVAE_OFFLINE forbids "
            f"downloads; get it from {places} and put it there"
        )


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"{folder} must have {needed} bytes free for a download, {free} are; make room there"
        )


def _publish(part: Path, path: Path) -> None:
    """Give a whole file its name, in a way that a power cut cannot undo by half."""
    flush_to_disk(part)
    os.replace(part, path)
    flush_to_disk(path.parent)


def _from_mirrors(part: Part) -> None:
    """Try the mirrors in turn; after a wrong file once more, from nothing."""
    remote = part.remote
    queue, reasons, wrong = list(remote.urls), [], 0
    with progress_bar(None, f"download {remote.name}", "B", remote.size, part.held) as bar:
        while queue and wrong < 2:
            url = queue.pop(0)
            try:
                _ask_until_whole(url, part, bar)
            except MirrorError as error:
                reasons.append(f"{without_secrets(url)}: {error}")
                continue
            found = remote.difference(part.path)
            if found is None:
                if not remote.verified:
                    digest = file_digest(part.path)
                    log.warning(
                        "%s has no known checksum; what came has sha256 %s", remote.name, digest
                    )
                return
            mixed = part.url is not None and not part.is_of(url)
            part.discard()
            reasons.append(f"{without_secrets(url)}: what it sends has {found}")
            wrong += 1
            # bytes of two mirrors condemn neither of them
            queue = [url] if mixed else queue or [remote.urls[0]]
    again = f"run again to go on after {part.held} bytes" if part.held else "try again later"
    raise DownloadError(
        f"{part.path.parent} must hold {remote.describe()}, and no mirror gave it "
        f"({'; '.join(reasons)}); {again}, or put the file there by hand"
    )


def _ask_until_whole(url: str, part: Part, bar: "tqdm[Any]") -> None:
    """Ask a mirror again as long as it may recover; a new byte and it is asked as often anew."""
    most, failures = part.held, 0
    while True:
        try:
            _transfer(url, part, bar)
            return
        except MirrorError as error:
            failures = 1 if part.held > most else failures + 1
            most = max(most, part.held)
            if not error.temporary or failures >= ATTEMPTS:
                raise
            wait_s = min(FIRST_WAIT_S * 2.0 ** (failures - 1), LONGEST_WAIT_S)
            log.info("%s: %s; next attempt in %g s", without_secrets(url), error, wait_s)
            time.sleep(wait_s)


def _transfer(url: str, part: Part, bar: "tqdm[Any]") -> None:
    """Download what a part still lacks, from one mirror, in one request.

    The part is longer afterwards, also after an error; or shorter, if its start was wrong.
    """
    asked = _range_headers(part, url)
    with _opened(url, asked, part.remote.verified) as response:
        rest = asked and response.status_code in (206, 416)
        total = (_continued if rest else _started)(response, url, part)
        if response.status_code != 416:  # which says that nothing is left to send
            _append(response, part, total, bar)
    if total is not None and part.held < total:
        raise MirrorError(f"the connection ended after {part.held} of {total} bytes", True)


def _range_headers(part: Part, url: str) -> dict[str, str]:
    """Ask for the rest only where the start is known to belong to it.

    A start from another mirror, or without a validator, is no risk where a checksum will judge.
    """
    if part.held == 0:
        return {}
    rest = {"Range": f"bytes={part.held}-"}
    if part.is_of(url) and part.validator:
        return {**rest, "If-Range": part.validator}
    return rest if part.remote.verified else {}


@contextmanager
def _opened(url: str, headers: dict[str, str], checked: bool) -> Iterator["Response"]:
    """Send a GET and give the answer, its body unread; what breaks becomes a MirrorError.

    Redirects are followed by hand: each hop must be as safe as the first address.
    """
    import requests
    import urllib3

    headers = HEADERS | headers
    try:
        for _ in range(REDIRECTS + 1):
            if problem := transport_problem(url, checked):
                raise MirrorError(f"its address {problem}")
            with requests.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=TIMEOUT_S
            ) as response:
                if response.next is None:
                    yield response
                    return
                target = response.next.url or ""
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise MirrorError(f"it redirects from https to {target}")
            url = target
        raise MirrorError(f"it redirects more than {REDIRECTS} times")
    except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
        raise MirrorError(_reason(error)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise MirrorError(_reason(error), temporary=True) from error


def _reason(error: BaseException) -> str:
    """Say what the innermost of nested errors says: the others only wrap it."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    said = error.strerror if isinstance(error, OSError) else None
    return str(said or error or type(error).__name__)


def _started(response: "Response", url: str, part: Part) -> int | None:
    """Empty the part for a whole file; give its length if the server says one."""
    if response.status_code != 200:
        temporary = response.status_code in TRY_LATER
        raise MirrorError(f"{response.status_code} {response.reason}", temporary)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise MirrorError("it sends a web page instead of the file")
    length, size = response.headers.get("Content-Length", ""), part.remote.size
    total = int(length) if length.isdecimal() else size
    if size is not None and total != size:
        raise MirrorError(f"it announces {total} bytes instead of {size}")
    part.begin(url, _validator(response))
    return total


def _continued(response: "Response", url: str, part: Part) -> int | None:
    """Check that a partial answer is the rest of our part; give the whole file's length."""
    said, held, size = response.headers.get("Content-Range"), part.held, part.remote.size
    found = CONTENT_RANGE.fullmatch(said or "")
    total = int(found[3]) if found and found[3] != "*" else size
    if response.status_code == 416:  # the part is whole, or longer than the file it came from
        if held != total:
            raise part.spoiled(f"it has no more than the {held} bytes held of {total}")
        return total
    if found is None or found[1] is None or int(found[1]) != held:
        raise part.spoiled(f"it was asked for the bytes from {held} on and sent {said!r}")
    now = _validator(response)
    if part.is_of(url) and part.validator and now and part.validator != now:
        raise part.spoiled(f"its file changed on the way, from {part.validator} to {now}")
    if size is not None and total != size:
        raise MirrorError(f"it announces {total} bytes instead of {size}")
    return total


def _validator(response: "Response") -> str | None:
    """Find what proves later that the file is still the same; a weak ETag does not."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _append(response: "Response", part: Part, total: int | None, bar: "tqdm[Any]") -> None:
    """Write the body as it is sent: a mirror's `Content-Encoding: gzip` often means the archive."""
    held = part.held
    _require_space(part.path.parent, (total or 0) - held)
    bar.total = total
    bar.update(held - bar.n)
    with part.path.open("ab") as file:
        for block in response.raw.stream(BLOCK, decode_content=False):
            held += len(block)
            if total is not None and held > total:
                raise part.spoiled(f"it sends more than the {total} bytes of the file")
            try:
                file.write(block)
                file.flush()
            except OSError as error:
                raise DownloadError(
                    f"{part.path} must be writable to its end, {error.strerror} after "
                    f"{held - len(block)} bytes; mend that and run again to go on there"
                ) from error
            bar.update(len(block))
