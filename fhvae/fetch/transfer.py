"""One GET of a public file into its `.part`, resumed where the server lets us.

A resume asks for `Range: bytes=<held>-` with `If-Range: <validator>`: the rest of the very
same file, or all of it if it changed (RFC 9110, sections 13.1.5 and 14). What the server
claims is held against what it sends, and both against the size that is known beforehand.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from fhvae.errors import ArtifactError, DownloadError
from fhvae.files.atomic import read_json, write_json

if TYPE_CHECKING:
    import requests

BLOCK = 1 << 16  # bytes
HEADERS = {"User-Agent": "fhvae", "Accept-Encoding": "identity"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
REDIRECTS = 10  # in a row; more are a loop
TRY_LATER = (408, 425, 429, 502, 503, 504)  # HTTP statuses of a server that may recover
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")

Moved = Callable[[int, int | None], None]  # bytes held, bytes in all if known


class MirrorError(Exception):
    """A mirror gave no file; `temporary` if asking it again may help."""

    def __init__(self, reason: str, temporary: bool = False) -> None:
        super().__init__(reason)
        self.temporary = temporary


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a part came from.

    Attributes:
        file: what was wanted; a newer version of the file shares no byte with it.
        url: the mirror, before redirects.
        validator: its strong ETag, else its Last-Modified, else nothing.
    """

    file: str
    url: str
    validator: str | None


class Part:
    """A file on its way, `<name>.part`, with its origin beside it in `<name>.part.json`."""

    def __init__(self, target: Path, file: str) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self.origin_path = target.with_name(f"{target.name}.part.json")
        self.file = file
        self.origin = self._read_origin()
        if self.origin is None:
            self.discard()

    def _read_origin(self) -> Origin | None:
        try:
            origin = Origin(**read_json(self.origin_path))
        except (ArtifactError, TypeError):  # none, or of another format
            return None
        return origin if origin.file == self.file else None

    @property
    def held(self) -> int:
        """Bytes that are here already."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, url: str, validator: str | None) -> None:
        """Start from nothing; the origin is written first, so that no byte is without one."""
        self.discard()
        self.origin = Origin(self.file, url, validator)
        write_json(self.origin_path, asdict(self.origin))

    def discard(self) -> None:
        """Throw away the bytes, then what is known of them."""
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)
        self.origin = None


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
    return f"must be https, or http for a file with a checksum, got {url}"


def require_space(folder: Path, needed: int) -> None:
    """Check that a disk has room.

    Raises:
        DownloadError: fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"{folder} must have {needed} bytes free for a download, {free} are; make room there"
        )


def transfer(
    url: str, part: Part, size: int | None, checked: bool, timeout_s: float, moved: Moved
) -> None:
    """Bring what a part still lacks, from one mirror, in one request.

    Args:
        url: the mirror.
        part: is longer afterwards, also after an error; or shorter, if its start was wrong.
        size: bytes of the whole file, if known.
        checked: a checksum will judge the file, so a resume without a validator is no risk.
        timeout_s: how long the server may be silent.
        moved: is told of every block.

    Raises:
        MirrorError: the file is not whole.
        DownloadError: the disk is full.
    """
    headers = _range_headers(part, url, checked)
    with _opened(url, headers, checked, timeout_s) as response:
        if headers and response.status_code == 416:
            _settle_nothing_left(response, part, size)
            return
        if headers and response.status_code == 206:
            total = _continued(response, url, part, size)
        else:
            total = _started(response, url, part, size)
        require_space(part.path.parent, (total or 0) - part.held)
        _append(response, part, total, moved)
    if total is not None and part.held < total:
        raise MirrorError(f"the connection ended after {part.held} of {total} bytes", True)


def _range_headers(part: Part, url: str, checked: bool) -> dict[str, str]:
    """Ask for the rest only where the start is known to belong to it."""
    if part.origin is None or part.held == 0:
        return {}
    rest = {"Range": f"bytes={part.held}-"}
    if part.origin.url == url and part.origin.validator:
        return {**rest, "If-Range": part.origin.validator}
    return rest if checked else {}


@contextmanager
def _opened(
    url: str, headers: dict[str, str], checked: bool, timeout_s: float
) -> Iterator["requests.Response"]:
    """Send a GET and give the answer, its body unread; what breaks becomes a MirrorError."""
    import requests
    import urllib3

    try:
        with (
            requests.Session() as session,
            _followed(session, url, {**HEADERS, **headers}, checked, timeout_s) as response,
        ):
            yield response
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


def _followed(
    session: "requests.Session", url: str, headers: dict[str, str], checked: bool, timeout_s: float
) -> "requests.Response":
    """Follow redirects by hand: each hop must be as safe as the first address."""
    for _ in range(REDIRECTS + 1):
        if problem := transport_problem(url, checked):
            raise MirrorError(f"its address {problem}")
        response = session.get(
            url, headers=headers, stream=True, allow_redirects=False, timeout=timeout_s
        )
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        target = urljoin(url, target)
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise MirrorError(f"it redirects from https to {target}")
        url = target
    raise MirrorError(f"it redirects more than {REDIRECTS} times")


def _started(response: "requests.Response", url: str, part: Part, size: int | None) -> int | None:
    """Empty the part for a whole file; give its length if the server says one."""
    if response.status_code != 200:
        temporary = response.status_code in TRY_LATER
        raise MirrorError(f"{response.status_code} {response.reason}", temporary)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise MirrorError("it sends a web page instead of the file")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if size is not None and total not in (None, size):
        raise MirrorError(f"it announces {total} bytes instead of {size}")
    part.begin(url, _validator(response))
    return size if total is None else total


def _validator(response: "requests.Response") -> str | None:
    """Find what proves later that the file is still the same; a weak ETag does not."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _continued(response: "requests.Response", url: str, part: Part, size: int | None) -> int | None:
    """Check that a partial answer is the rest of our part; give the whole file's length."""
    found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or found[1] is None or int(found[1]) != part.held:
        said, held = response.headers.get("Content-Range"), part.held
        part.discard()
        raise MirrorError(f"it was asked for the bytes from {held} on and sent {said!r}", True)
    known = part.origin.validator if part.origin and part.origin.url == url else None
    now = _validator(response)
    if known and now and known != now:
        part.discard()
        raise MirrorError(f"its file changed on the way, from {known} to {now}", True)
    total = size if found[3] == "*" else int(found[3])
    if size is not None and total != size:
        raise MirrorError(f"it announces {total} bytes instead of {size}")
    return total


def _settle_nothing_left(response: "requests.Response", part: Part, size: int | None) -> None:
    """Tell a part that is whole from one that is longer than the file it came from."""
    found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = int(found[3]) if found and found[3] != "*" else size
    if part.held != total:
        held = part.held
        part.discard()
        raise MirrorError(f"it has no more than the {held} bytes held of {total}", True)


def _append(response: "requests.Response", part: Part, total: int | None, moved: Moved) -> None:
    """Write the body as it is sent: a mirror's `Content-Encoding: gzip` often means the archive."""
    held = part.held
    moved(held, total)
    with part.path.open("ab") as file:
        for block in response.raw.stream(BLOCK, decode_content=False):
            held += len(block)
            if total is not None and held > total:
                part.discard()
                raise MirrorError(f"it sends more than the {total} bytes of the file", True)
            try:
                file.write(block)
                file.flush()
            except OSError as error:
                raise DownloadError(
                    f"{part.path} must be writable to its end, {error.strerror} after "
                    f"{held - len(block)} bytes; mend that and run again to go on there"
                ) from error
            moved(held, total)
