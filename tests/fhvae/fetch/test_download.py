"""Downloads end in the right file or in one sentence, and a restart completes them."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from fhvae.errors import DownloadError
from fhvae.fetch import download
from fhvae.fetch import remote as remotes
from fhvae.fetch.download import alone_in, fetch
from fhvae.fetch.remote import RemoteFile
from fhvae.progress import progress_bar
from tests.hostile_server import BLOCK, GOOD, Answer, hostile_server

ROOT = Path(__file__).resolve().parents[3]
CONTENT = bytes(range(251)) * 401  # 100,651 bytes, no power of two in sight
SIZE = len(CONTENT)
NAME = "corpus.tar.gz"
CUT = Answer(cut_after=40_000)
GONE = Answer(status=404)
REST = "bytes=40000-"
DATE = "Mon, 02 Mar 2020 10:00:00 GMT"
WHOLE = (None, None, 200)  # a request for all: range, validator, status of the answer
RESUMED = (REST, '"v1"', 206)


@pytest.fixture(autouse=True)
def no_proxy_no_long_wait(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FHVAE_OFFLINE", raising=False)
    for name, value in (("ATTEMPTS", 3), ("FIRST_WAIT_S", 0.001), ("TIMEOUT_S", 5.0)):
        monkeypatch.setattr(download, name, value)


@pytest.fixture(scope="module")
def running():
    with hostile_server() as server:
        yield server


@pytest.fixture
def server(running):
    running.files.clear()
    running.log.clear()
    return running


def remote(*urls, content=CONTENT, **known):
    known = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} | known
    return RemoteFile(NAME, urls, **known)


def unknown(*urls):
    """Neither size nor checksum are known."""
    return RemoteFile(NAME, urls)


def bring(wanted, folder):
    """Do as `fhvae.corpus.recipes.published.obtain` does."""
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        return fetch(wanted, folder)


def asked(server):
    return [(one.range, one.if_range, one.status) for one in server.log]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def sentence(wanted, folder):
    """Say how a download ends that must fail; nothing may bear the final name."""
    with pytest.raises(DownloadError) as caught:
        bring(wanted, folder)
    assert not (folder / NAME).exists()
    assert "\n" not in str(caught.value)
    return caught.value.args[0]  # all of it; what is shown leaves out the middle of a long one


def completes(server, wanted, folder):
    """Serve well from now on, run again, and expect the right file and nothing half."""
    for served in server.files.values():
        served.content, served.first, served.then = CONTENT, [], GOOD
    assert bring(wanted, folder).read_bytes() == CONTENT
    assert names_in(folder) == [NAME] + [f"{NAME}.verified"] * bool(wanted.checksums)


def test_a_file_comes_whole_and_is_not_asked_for_twice(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT))
    path = bring(wanted, tmp_path / "deep" / "folder")
    assert path == tmp_path / "deep" / "folder" / NAME
    assert path.read_bytes() == CONTENT
    assert names_in(path.parent) == [NAME, f"{NAME}.verified"]
    assert bring(wanted, path.parent) == path
    assert len(server.log) == 1


@pytest.mark.parametrize("size", [0, 1, download.BLOCK, download.BLOCK + 1])
def test_files_of_every_length_come(server, tmp_path, size):
    wanted = remote(server.serve("/a", CONTENT[:size]), content=CONTENT[:size])
    assert bring(wanted, tmp_path).stat().st_size == size


def test_md5_alone_verifies(server, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    wanted = RemoteFile(NAME, (server.serve("/a", CONTENT),), md5=md5)
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    other = RemoteFile("b", (server.serve("/a", CONTENT[:-1]),), md5=md5)
    with pytest.raises(DownloadError, match=rf"what it sends has md5 \w+ instead of {md5}"):
        bring(other, tmp_path)


def test_both_checksums_must_be_right(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT), md5="0" * 32)
    assert "instead of 00000000000000000000000000000000" in sentence(wanted, tmp_path)


def test_without_a_checksum_the_one_that_came_is_told(server, tmp_path, caplog):
    assert bring(unknown(server.serve("/a", CONTENT)), tmp_path).read_bytes() == CONTENT
    assert names_in(tmp_path) == [NAME]
    assert hashlib.sha256(CONTENT).hexdigest() in caplog.text


def broken_range(said):
    return Answer(headers={"Content-Range": said})


CHUNKS, CHUNKS_BREAK_OFF = Answer(chunked=True), Answer(chunked=True, cut_after=40_000)
NO_VALIDATOR = {"etag": None, "modified": None}
WEAK = {"etag": 'W/"v1"', "modified": None}


@pytest.mark.parametrize(
    ("known", "answers", "options", "expected"),
    [
        (True, [CUT], {}, [WHOLE, RESUMED]),
        (False, [CUT], {"etag": None}, [WHOLE, (REST, DATE, 206)]),
        (False, [CUT], WEAK, [WHOLE, WHOLE]),  # which proves nothing
        (True, [CUT], NO_VALIDATOR, [WHOLE, (REST, None, 206)]),  # a checksum will judge
        (True, [CUT], {"then": Answer(ranges=False)}, [WHOLE, (REST, '"v1"', 200)]),
        *(
            (False, [CUT, wrong], {}, [WHOLE, RESUMED, WHOLE])
            for wrong in (
                *(Answer(shift=off) for off in (-1, 1, -40_000)),
                *map(broken_range, ("bytes 40000-", "40000-100650/100651", "bytes */100651", "")),
            )
        ),
        (True, [CUT, Answer(total="*")], {}, [WHOLE, RESUMED]),
        # the second request asks for what comes after the end, and is told where the end is
        (False, [Answer(announce=10)], {}, [WHOLE, (f"bytes={SIZE}-", '"v1"', 416)]),
        (False, [CHUNKS], {}, [WHOLE]),
        (True, [CHUNKS_BREAK_OFF], {"then": CHUNKS}, [WHOLE, RESUMED]),
        (False, [CHUNKS_BREAK_OFF], {"then": CHUNKS}, [WHOLE, RESUMED]),
        # some servers call the compression of an archive that of the connection
        (True, [Answer(headers={"Content-Encoding": "x-gzip"})], {}, [WHOLE]),
        (True, [Answer(flip=777)], {}, [WHOLE, WHOLE]),
        *(
            (True, [Answer(status=busy)] * 2, {}, [(None, None, busy)] * 2 + [WHOLE])
            for busy in (429, 502, 503, 504)
        ),
    ],
)  # fmt: skip
def test_a_server_at_fault_gives_the_file_nevertheless(
    server, tmp_path, known, answers, options, expected
):
    url = server.serve("/a", CONTENT, *answers, **options)
    assert bring(remote(url) if known else unknown(url), tmp_path).read_bytes() == CONTENT
    assert asked(server) == expected
    assert server.log[0].headers["accept-encoding"] == "identity"
    if expected == [WHOLE, RESUMED]:
        assert server.log[1].sent == SIZE - 40_000


def test_a_server_that_always_cuts_is_asked_as_long_as_bytes_come(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(cut_after=9_000)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 12  # of 9,000 bytes each, the last one shorter


@pytest.mark.parametrize(
    ("then", "requests_"),
    [
        (Answer(), [('"v1"', 200)]),
        (Answer(ignore_if_range=True), [('"v1"', 206), (None, 200)]),  # its ETag gives it away
    ],
    ids=["honest", "ignores-if-range"],
)
def test_a_file_that_changed_is_started_over(server, tmp_path, then, requests_):
    wanted = unknown(server.serve("/a", b"old" * 30_000, CUT, then=GONE))
    sentence(wanted, tmp_path)
    server.log.clear()
    server.serve("/a", CONTENT, etag='"v2"', then=then)
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(one.if_range, one.status) for one in server.log] == requests_


LOST = ("/a", REST, '"v1"', 404)
CONTINUED = ("/b", REST, None, 206)
LONGER = Answer(total="100652")  # in Content-Range


@pytest.mark.parametrize(
    ("known", "answers", "content", "requests_"),
    [
        (True, [CUT, LONGER], CONTENT, [("/a", *WHOLE), ("/a", *RESUMED), CONTINUED]),
        (True, [Answer(flip=777)], CONTENT, [("/a", *WHOLE), ("/b", *WHOLE)]),
        # a mixture of two mirrors condemns neither, and without a checksum nothing is mixed
        (True, [CUT], b"x" * SIZE, [("/a", *WHOLE), LOST, CONTINUED, ("/b", *WHOLE)]),
        (True, [CUT], CONTENT, [("/a", *WHOLE), LOST, CONTINUED]),
        (False, [CUT], b"x" * SIZE, [("/a", *WHOLE), LOST, ("/b", *WHOLE)]),
        *(
            (True, [Answer(status=no)], CONTENT, [("/a", None, None, no), ("/b", *WHOLE)])
            for no in (401, 403, 404, 410, 500)
        ),
    ],
)  # fmt: skip
def test_the_next_mirror_helps(server, tmp_path, known, answers, content, requests_):
    first = server.serve("/a", content, *answers, then=GONE)
    second = server.serve("/b", CONTENT, etag='"other"')
    wanted = remote(first, second) if known else unknown(first, second)
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(one.path, *rest) for one, rest in zip(server.log, asked(server), strict=True)] == (
        requests_
    )


CUTS_WITHOUT_RANGES = Answer(cut_after=9_000, ranges=False)
PAGE = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("content", "answers", "then", "said", "times"),
    [
        # each attempt brings bytes, but never one more than before
        (CONTENT, [], CUTS_WITHOUT_RANGES, "/a: IncompleteRead(9000 bytes read, 91651 more", 3),
        (CONTENT, [], CUTS_WITHOUT_RANGES, "run again to go on after 9000 bytes", 3),
        (CONTENT, [], Answer(shift=1, cut_after=40_000), "no mirror gave it", 3),
        *(
            (CONTENT, [], Answer(announce=lie), f"announces {SIZE + lie} bytes instead", 1)
            for lie in (-1, 1, -50_000, 7_000)
        ),
        (CONTENT + b"more" * BLOCK, [], Answer(chunked=True), f"more than the {SIZE} bytes", 3),
        (CONTENT[:-1], [], Answer(chunked=True), f"{SIZE - 1} bytes instead of {SIZE}", None),
        (b"<html>log in", [], Answer(headers=PAGE, chunked=True), "sends a web page instead", 1),
        (CONTENT, [CUT], Answer(headers=PAGE, ranges=False), "go on after 40000 bytes", 2),
    ],
)  # fmt: skip
def test_a_server_that_gives_no_file_is_told_and_a_restart_completes(
    server, tmp_path, content, answers, then, said, times
):
    wanted = remote(server.serve("/a", content, *answers, then=then))
    told = sentence(wanted, tmp_path)
    assert said in told
    assert times in (None, len(server.log))
    held = "after 40000 bytes" in told
    server.log.clear()
    completes(server, wanted, tmp_path)
    assert not held or server.log[0].range == REST


def test_a_content_length_too_short_is_caught_by_the_checksum(server, tmp_path):
    url = server.serve("/a", CONTENT, then=Answer(announce=-5))
    wanted = remote(url, size=None)
    assert "what it sends has sha256" in sentence(wanted, tmp_path)
    completes(server, wanted, tmp_path)


def test_chunks_beyond_the_size_are_not_written(server, tmp_path):
    sentence(
        remote(server.serve("/a", CONTENT + b"m" * BLOCK, then=Answer(chunked=True))), tmp_path
    )
    assert names_in(tmp_path) == []


def test_a_wrong_byte_twice_is_one_sentence(server, tmp_path):
    urls = [server.serve(path, CONTENT, then=Answer(flip=777)) for path in ("/a", "/b", "/c")]
    wanted = remote(*urls)
    assert sentence(wanted, tmp_path).count(f"instead of {wanted.sha256}") == 2
    assert [one.path for one in server.log] == ["/a", "/b"]
    assert names_in(tmp_path) == []
    completes(server, wanted, tmp_path)


def test_every_mirror_and_its_reason_are_told(server, tmp_path):
    urls = [
        server.serve("/a", CONTENT, then=GONE),
        server.serve("/b", CONTENT, then=Answer(status=500)),
        "http://127.0.0.1:9/c",  # the port of a service that throws everything away
    ]
    wanted = remote(*urls)
    said = sentence(wanted, tmp_path)
    assert f"{tmp_path} must hold {NAME} ({SIZE} bytes, sha256 {wanted.sha256})" in said
    assert f"{urls[0]}: 404 Not Found; {urls[1]}: 500 Internal Server Error" in said
    assert f"{urls[2]}: Connection refused)" in said
    assert said.endswith("try again later, or put the file there by hand")
    completes(server, wanted, tmp_path)


def test_a_password_is_shown_nowhere(server, tmp_path, caplog):
    """Of an address with one, a redirect among them, and of one that was cut off halfway."""
    caplog.set_level("INFO")
    cut = server.serve("/a", CONTENT, CUT, then=GONE).replace("://", "://ada:s3cret@")
    turned = Answer(redirect="ftp://ada:s3cret@127.0.0.1/b?token=s3cret")
    wanted = remote(cut, server.serve("/c", b"", then=turned))
    said = sentence(wanted, tmp_path)
    assert "/a: 404 Not Found" in said
    assert "got ftp://127.0.0.1/b" in said
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(files) == {f"{NAME}.part", f"{NAME}.part.json"}
    for text in (said, caplog.text, files[f"{NAME}.part.json"].decode()):
        assert "s3cret" not in text
        assert "ada" not in text


def test_a_part_from_an_address_with_a_password_goes_on(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    address = server.serve("/a", CONTENT, CUT).replace("://", "://ada:s3cret@")
    sentence(remote(address), tmp_path)
    completes(server, remote(address), tmp_path)
    assert [asked.if_range for asked in server.log] == [None, '"v1"']


def test_a_name_that_cannot_be_resolved_is_told(tmp_path):
    said = sentence(remote("http://corpus.invalid/a"), tmp_path)
    assert "http://corpus.invalid/a: " in said
    assert "put the file there by hand" in said


def test_a_silent_server_is_given_up(server, tmp_path, monkeypatch):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(pause_s=0.15)))
    with monkeypatch.context() as patch:
        patch.setattr(download, "ATTEMPTS", 1)
        patch.setattr(download, "TIMEOUT_S", 0.05)
        assert "timed out" in sentence(wanted, tmp_path)
    completes(server, wanted, tmp_path)


def test_a_slow_server_is_waited_for(server, tmp_path):
    content = CONTENT[: 3 * BLOCK]
    wanted = remote(server.serve("/a", content, then=Answer(pause_s=0.01)), content=content)
    assert bring(wanted, tmp_path).read_bytes() == content


def test_a_redirect_is_followed_and_resumed_by_its_first_address(server, tmp_path):
    server.serve("/b", CONTENT, CUT)
    wanted = remote(server.serve("/a", b"", then=Answer(redirect="/b")))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    followed = [("/a", None), ("/b", None), ("/a", '"v1"'), ("/b", '"v1"')]
    assert [(asked.path, asked.if_range) for asked in server.log] == followed


def test_redirects_in_a_circle_end(server, tmp_path):
    server.serve("/b", b"", then=Answer(redirect="/a"))
    wanted = remote(server.serve("/a", b"", then=Answer(redirect="/b")))
    assert "it redirects more than 10 times" in sentence(wanted, tmp_path)
    assert len(server.log) == 11


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "file:///etc/hostname"])
def test_a_redirect_to_another_protocol_is_refused(server, tmp_path, target):
    said = sentence(remote(server.serve("/a", b"", then=Answer(redirect=target))), tmp_path)
    assert f"must be https, or http for a file with a checksum, got {target}" in said


def test_a_redirect_from_https_to_http_is_refused(server, tmp_path, monkeypatch):
    plain = server.serve("/b", CONTENT)

    def send(adapter, request, **options):
        response = requests.Response()
        response.status_code, response.url, response.request = 302, request.url, request
        response.headers["Location"] = plain
        response.raw = SimpleNamespace(close=lambda: None, release_conn=lambda: None)
        response._content = b""
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    said = sentence(remote("https://corpus.invalid/a"), tmp_path)
    assert f"it redirects from https to {plain}" in said
    assert server.log == []


def test_offline_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("FHVAE_OFFLINE", "1")
    wanted = remote("https://one.invalid/a", "https://two.invalid/b")
    said = sentence(wanted, tmp_path)
    assert said == (
        f"{tmp_path} must hold {NAME} ({SIZE} bytes, sha256 {wanted.sha256}), it does not and "
        "FHVAE_OFFLINE forbids downloads; get it from https://one.invalid/a or "
        "https://two.invalid/b and put it there"
    )
    (tmp_path / NAME).write_bytes(CONTENT)
    assert bring(wanted, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("value", ["", "0"])
def test_offline_can_be_switched_off(server, tmp_path, monkeypatch, value):
    monkeypatch.setenv("FHVAE_OFFLINE", value)
    assert bring(remote(server.serve("/a", CONTENT)), tmp_path)


def test_a_file_put_there_by_hand_is_verified_once(tmp_path, monkeypatch):
    wanted = remote("https://corpus.invalid/a")
    (tmp_path / NAME).write_bytes(CONTENT)
    assert bring(wanted, tmp_path) == tmp_path / NAME
    monkeypatch.setattr(remotes, "file_digest", lambda *_: pytest.fail("computed again"))
    assert bring(wanted, tmp_path) == tmp_path / NAME


def test_a_link_to_the_file_will_do(tmp_path):
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    assert bring(remote("https://corpus.invalid/a"), tmp_path) == tmp_path / NAME


@pytest.mark.parametrize(
    ("content", "found"),
    [(CONTENT[:-1], f"{SIZE - 1} bytes instead of {SIZE}"), (b"x" * SIZE, "sha256 ")],
)
def test_another_file_of_that_name_is_told_and_left_alone(server, tmp_path, content, found):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(DownloadError, match=rf"it has {found}.*; move it away and run again"):
        bring(remote(server.serve("/a", CONTENT)), tmp_path)
    assert (tmp_path / NAME).read_bytes() == content
    assert names_in(tmp_path) == [NAME]
    assert server.log == []


def test_a_file_changed_after_its_check_is_checked_again(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT))
    path = bring(wanted, tmp_path)
    path.write_bytes(b"x" * SIZE)
    os.utime(path, ns=(1, 1))
    with pytest.raises(DownloadError, match="it has sha256"):
        bring(wanted, tmp_path)


def test_a_stamp_for_another_checksum_counts_for_nothing(server, tmp_path):
    bring(remote(server.serve("/a", CONTENT)), tmp_path)
    with pytest.raises(DownloadError, match="it has sha256"):
        bring(remote("https://corpus.invalid/a", sha256="0" * 64), tmp_path)


@pytest.mark.parametrize("stamp", ["", "{", "[]", "{}"])
def test_a_broken_stamp_costs_a_check(tmp_path, stamp):
    (tmp_path / NAME).write_bytes(CONTENT)
    (tmp_path / f"{NAME}.verified").write_text(stamp)
    assert bring(remote("https://corpus.invalid/a"), tmp_path)
    assert json.loads((tmp_path / f"{NAME}.verified").read_text())["size"] == SIZE


@pytest.mark.parametrize("kind", ["folder", "broken link", "pipe"])
def test_what_is_no_file_is_told(tmp_path, kind):
    path = tmp_path / NAME
    make = {
        "folder": path.mkdir,
        "broken link": lambda: path.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    with pytest.raises(DownloadError, match=r"must be a file or not be there.*; move it away"):
        bring(remote("https://corpus.invalid/a"), tmp_path)


def test_a_file_that_appears_meanwhile_is_not_overwritten(server, tmp_path, monkeypatch):
    def slow(part):
        (tmp_path / NAME).write_bytes(b"mine")

    monkeypatch.setattr(download, "_from_mirrors", slow)
    with pytest.raises(DownloadError, match=f"it has 4 bytes instead of {SIZE}"):
        bring(remote(server.serve("/a", CONTENT)), tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"


def test_a_full_disk_is_told_before_the_first_byte(server, tmp_path, monkeypatch):
    free = SimpleNamespace(free=SIZE - 1)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: free)
    wanted = remote(server.serve("/a", CONTENT))
    assert f"must have {SIZE} bytes free for a download, {SIZE - 1} are" in sentence(
        wanted, tmp_path
    )
    assert server.log == []
    assert f"must have {SIZE} bytes free" in sentence(unknown(*wanted.urls), tmp_path)
    free.free = SIZE
    completes(server, wanted, tmp_path)


def test_a_resume_needs_room_for_the_rest_only(server, tmp_path, monkeypatch):
    free = SimpleNamespace(free=SIZE)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: free)
    wanted = remote(server.serve("/a", CONTENT, CUT, then=GONE))
    sentence(wanted, tmp_path)
    free.free = SIZE - 40_000
    completes(server, wanted, tmp_path)


def test_a_disk_that_fills_up_is_told(server, tmp_path):
    """`/dev/full` takes no byte."""
    wanted = remote(server.serve("/a", CONTENT))
    part = download.Part(wanted, tmp_path)
    part.path = Path("/dev/full")
    part.begin = lambda *_: None
    with pytest.raises(DownloadError, match="must be writable to its end, No space left on device"):
        download._transfer(wanted.urls[0], part, progress_bar(None, "test", "B"))


def test_a_part_of_another_version_is_thrown_away(server, tmp_path):
    old = remote(server.serve("/a", CONTENT, CUT, then=GONE), sha256="0" * 64)
    sentence(old, tmp_path)
    assert f"{NAME}.part" in names_in(tmp_path)
    server.log.clear()
    completes(server, remote(*old.urls), tmp_path)
    assert server.log[0].range is None


@pytest.mark.parametrize("origin", [None, "", "{", '{"file": 3}', "[]"])
def test_a_part_without_a_known_origin_is_thrown_away(server, tmp_path, origin):
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 500)
    if origin is not None:
        (tmp_path / f"{NAME}.part.json").write_text(origin)
    completes(server, remote(server.serve("/a", CONTENT)), tmp_path)
    assert server.log[0].range is None


@pytest.mark.parametrize("known", [{"url": 5}, {"url": ["a"]}, {"validator": 5}])
def test_an_origin_that_is_no_text_is_none(server, tmp_path, known):
    wanted = remote(server.serve("/a", CONTENT))
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 500)
    origin = {"file": wanted.describe(), "url": wanted.urls[0], "validator": None} | known
    (tmp_path / f"{NAME}.part.json").write_text(json.dumps(origin))
    completes(server, wanted, tmp_path)
    assert server.log[0].range is None


def test_a_whole_part_needs_no_network(server, tmp_path, monkeypatch):
    """The last run was killed between the last byte and the new name."""
    wanted = remote(server.serve("/a", CONTENT))
    with monkeypatch.context() as patch:
        patch.setattr(download, "_publish", lambda *_: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            bring(wanted, tmp_path)
    monkeypatch.setenv("FHVAE_OFFLINE", "1")
    completes(server, wanted, tmp_path)
    assert len(server.log) == 1


@pytest.mark.parametrize("length", [SIZE, SIZE + 1])
def test_a_wrong_part_of_full_length_or_longer_is_replaced(server, tmp_path, length):
    wanted = remote(server.serve("/a", CONTENT, CUT, then=GONE))
    sentence(wanted, tmp_path)
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * length)
    completes(server, wanted, tmp_path)


KILLED = """
import sys
from pathlib import Path
from fhvae.fetch.download import alone_in, fetch
from fhvae.fetch.remote import RemoteFile
url, sha256, size, folder = sys.argv[1:]
with alone_in(Path(folder)):
    fetch(RemoteFile("corpus.tar.gz", (url,), int(size), sha256), Path(folder))
"""


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_process_is_resumed(server, tmp_path):
    content = CONTENT * 4
    url = server.serve("/a", content, Answer(pause_s=0.05))
    wanted = remote(url, content=content)
    arguments = [url, wanted.sha256, str(wanted.size), str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], cwd=ROOT)
    part = tmp_path / f"{NAME}.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    held = part.stat().st_size
    assert names_in(tmp_path) == [f"{NAME}.part", f"{NAME}.part.json"]
    assert bring(wanted, tmp_path).read_bytes() == content
    assert (server.log[1].range, server.log[1].if_range) == (f"bytes={held}-", '"v1"')
    assert server.log[1].sent == len(content) - held < len(content)
    assert names_in(tmp_path) == [NAME, f"{NAME}.verified"]


def test_two_at_once_download_once(server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    wanted = remote(server.serve("/a", CONTENT, then=Answer(pause_s=0.005)))
    threads = [threading.Thread(target=bring, args=(wanted, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(server.log) == 1
    assert "wait for another process that downloads into" in caplog.text


@given(
    cuts=st.lists(st.integers(1, SIZE), max_size=5),
    ranges=st.booleans(),
    chunked=st.booleans(),
    etag=st.sampled_from(['"v1"', 'W/"v1"', None]),
    known=st.booleans(),
)
@settings(max_examples=40)
def test_cuts_anywhere_end_in_the_right_file(
    running, tmp_path_factory, cuts, ranges, chunked, etag, known
):
    answers = [Answer(cut_after=cut, ranges=ranges, chunked=chunked) for cut in cuts]
    url = running.serve("/a", CONTENT, *answers, etag=etag)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "ATTEMPTS", 7)
        patch.setattr(download, "FIRST_WAIT_S", 0.0)
        path = bring(remote(url) if known else unknown(url), tmp_path_factory.mktemp("cuts"))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"name": "../a"}, "name must be that of a file"),
        ({"name": ""}, "name must be that of a file"),
        ({"urls": ()}, "must have an address"),
        ({"sha256": "ABC"}, "sha256 of a must be lower-case hex"),
        ({"md5": "0" * 31}, "md5 of a must be lower-case hex"),
        ({"urls": ("ftp://a.invalid/a",)}, "must be https, or http for a file with a checksum"),
        ({"urls": ("http://a.invalid/a",)}, "must be https, or http for a file with a checksum"),
    ],
)
def test_slips_in_a_list_of_files_are_refused(slip, message):
    with pytest.raises(ValueError, match=message):
        RemoteFile(**{"name": "a", "urls": ("https://a.invalid/a",), **slip})


def test_waits_double_up_to_a_limit(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    for name, value in (("ATTEMPTS", 6), ("FIRST_WAIT_S", 1.0), ("LONGEST_WAIT_S", 5.0)):
        monkeypatch.setattr(download, name, value)
    sentence(remote(server.serve("/a", CONTENT, then=Answer(status=503))), tmp_path)
    assert waits == [1, 2, 4, 5, 5]
