"""A web server on the loopback that serves files well, or as badly as it is told.

with hostile_server() as server:
    url = server.serve("/corpus.tar.gz", content)                       # a good server
    url = server.serve("/corpus.tar.gz", content, Answer(cut_after=9))  # bad once, then good
    ...
    server.log  # what was asked and what was sent, in order
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 4096  # bytes


@dataclass(frozen=True)
class Answer:
    """How one request is answered; the default is what a good server does.

    Attributes:
        status: instead of the file, such as 404.
        redirect: the address it is redirected to.
        cut_after: bytes of the body after which the connection ends.
        announce: added to the true Content-Length.
        chunked: send the body in chunks, without a Content-Length.
        ranges: whether Range is honoured.
        ignore_if_range: send the rest also of a file that changed.
        shift: added to the start of the range that is sent and to what is said of it.
        total: what Content-Range calls the whole length, instead of the truth.
        flip: position of the byte that is sent wrong.
        pause_s: wait so long before each block of 4096 bytes.
        headers: further ones, instead of ours where the names are equal.
    """

    status: int | None = None
    redirect: str | None = None
    cut_after: int | None = None
    announce: int = 0
    chunked: bool = False
    ranges: bool = True
    ignore_if_range: bool = False
    shift: int = 0
    total: str | None = None
    flip: int | None = None
    pause_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


GOOD = Answer()


@dataclass
class Served:
    """A file, and how the next requests for it are answered: one `first` each, then `then`."""

    content: bytes
    etag: str | None
    modified: str | None
    first: list[Answer]
    then: Answer


@dataclass
class Asked:
    """One request and what became of it; `sent` counts bytes of the body."""

    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("range")

    @property
    def if_range(self) -> str | None:
        return self.headers.get("if-range")


class HostileServer:
    """Files by path; `log` lists the requests."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.files: dict[str, Served] = {}
        self.log: list[Asked] = []

    def serve(
        self,
        path: str,
        content: bytes,
        *first: Answer,
        then: Answer = GOOD,
        etag: str | None = '"v1"',
        modified: str | None = "Mon, 02 Mar 2020 10:00:00 GMT",
    ) -> str:
        """Serve a file, or replace it; returns its address."""
        self.files[path] = Served(content, etag, modified, list(first), then)
        return self.address + path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hostile: HostileServer

    def log_message(self, *arguments: object) -> None:
        """Say nothing on stderr."""

    def do_GET(self) -> None:
        self.close_connection = True
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()})
        self.hostile.log.append(asked)
        served = self.hostile.files.get(self.path)
        if served is None:
            self.begin(asked, 404, {"Content-Length": "0"})
            return
        answer = served.first.pop(0) if served.first else served.then
        with suppress(ConnectionError):  # the client may go at any time
            self.answer(asked, served, answer)

    def begin(self, asked: Asked, status: int, headers: dict[str, str]) -> None:
        asked.status = status
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, asked: Asked, served: Served, answer: Answer) -> None:
        if answer.redirect is not None:
            self.begin(asked, 302, {"Location": answer.redirect, "Content-Length": "0"})
        elif answer.status is not None:
            self.begin(asked, answer.status, {"Content-Length": "0", **answer.headers})
        else:
            self.send_file(asked, served, answer)

    def send_file(self, asked: Asked, served: Served, answer: Answer) -> None:
        whole, start = len(served.content), self.wanted_start(asked, served, answer)
        headers = {"Content-Type": "application/octet-stream"}
        headers |= {"ETag": served.etag} if served.etag else {}
        headers |= {"Last-Modified": served.modified} if served.modified else {}
        if start is not None and start >= whole:
            self.begin(asked, 416, {"Content-Range": f"bytes */{whole}", "Content-Length": "0"})
            return
        if start is not None:
            start += answer.shift
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{answer.total or whole}"
        body = bytearray(served.content)
        if answer.flip is not None:
            body[answer.flip] ^= 1
        body = body[start or 0 :]
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body) + answer.announce)
        self.begin(asked, 200 if start is None else 206, headers | answer.headers)
        self.send_body(asked, bytes(body), answer)

    def wanted_start(self, asked: Asked, served: Served, answer: Answer) -> int | None:
        """Find where to start; None where the whole file is to be sent."""
        found = re.fullmatch(r"bytes=(\d+)-", asked.range or "")
        if found is None or not answer.ranges:
            return None
        same = asked.if_range in (None, served.etag, served.modified)
        return int(found[1]) if same or answer.ignore_if_range else None

    def send_body(self, asked: Asked, body: bytes, answer: Answer) -> None:
        for position in range(0, len(body[: answer.cut_after]), BLOCK):
            time.sleep(answer.pause_s)
            block = body[: answer.cut_after][position : position + BLOCK]
            head, tail = (f"{len(block):x}\r\n".encode(), b"\r\n") if answer.chunked else (b"", b"")
            self.wfile.write(head + block + tail)
            asked.sent += len(block)
        if answer.chunked and answer.cut_after is None:
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Serve on a free port of the loopback until the block ends."""
    handler = type("OwnHandler", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    handler.hostile = HostileServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield handler.hostile
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
