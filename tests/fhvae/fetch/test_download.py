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
from fhvae.fetch import download, transfer
from fhvae.fetch.download import Patience, RemoteFile, alone_in, fetch
from tests.hostile_server import BLOCK, GOOD, Answer, hostile_server

ROOT = Path(__file__).resolve().parents[3]
CONTENT = bytes(range(251)) * 401  # 100,651 bytes, no power of two in sight
SIZE = len(CONTENT)
NAME = "corpus.tar.gz"
QUICK = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.002, timeout_s=5.0)
CUT = Answer(cut_after=40_000)


@pytest.fixture(autouse=True)
def no_proxy_and_network_allowed(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FHVAE_OFFLINE", raising=False)


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


def bring(wanted, folder, patience=QUICK):
    """Do as `fhvae.corpus.recipes.published.obtain` does."""
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        return fetch(wanted, folder, patience=patience)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def sentence(wanted, folder):
    """Say how a download ends that must fail; nothing may bear the final name."""
    with pytest.raises(DownloadError) as caught:
        bring(wanted, folder)
    assert not (folder / NAME).exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def completes(server, wanted, folder):
    """Serve well from now on, run again, and expect the right file and nothing half."""
    for served in server.files.values():
        served.first, served.then = [], GOOD
    assert bring(wanted, folder).read_bytes() == CONTENT
    assert names_in(folder) == [NAME] + [f"{NAME}.verified"] * wanted.verified


def test_a_file_comes_whole_and_is_not_asked_for_twice(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT))
    path = bring(wanted, tmp_path / "deep" / "folder")
    assert path == tmp_path / "deep" / "folder" / NAME
    assert path.read_bytes() == CONTENT
    assert names_in(path.parent) == [NAME, f"{NAME}.verified"]
    assert bring(wanted, path.parent) == path
    assert len(server.log) == 1


@pytest.mark.parametrize("size", [0, 1, transfer.BLOCK, transfer.BLOCK + 1])
def test_files_of_every_length_come(server, tmp_path, size):
    content = CONTENT[:size]
    assert bring(remote(server.serve("/a", content), content=content), tmp_path).stat().st_size == (
        size
    )


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


def test_a_cut_connection_is_resumed_by_range_and_validator(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    first, second = server.log
    assert (first.range, first.if_range, first.sent) == (None, None, 40_000)
    assert (second.range, second.if_range) == ("bytes=40000-", '"v1"')
    assert (second.status, second.sent) == (206, SIZE - 40_000)


def test_without_an_etag_the_date_is_the_validator(server, tmp_path):
    wanted = unknown(server.serve("/a", CONTENT, CUT, etag=None))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert server.log[1].if_range == "Mon, 02 Mar 2020 10:00:00 GMT"


def test_a_weak_etag_proves_nothing(server, tmp_path):
    wanted = unknown(server.serve("/a", CONTENT, CUT, etag='W/"v1"', modified=None))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [asked.range for asked in server.log] == [None, None]


def test_without_a_validator_a_checksum_allows_to_resume(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT, etag=None, modified=None))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert (server.log[1].range, server.log[1].if_range) == ("bytes=40000-", None)


def test_a_server_that_always_cuts_is_borne_with_as_long_as_bytes_come(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(cut_after=9_000)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 12  # of 9,000 bytes each, the last one shorter


def test_a_server_that_cuts_and_ignores_range_is_given_up(server, tmp_path):
    """Each attempt brings bytes, but never one more than before."""
    wanted = remote(server.serve("/a", CONTENT, then=Answer(cut_after=9_000, ranges=False)))
    said = sentence(wanted, tmp_path)
    assert "/a: IncompleteRead(9000 bytes read, 91651 more expected)" in said
    assert len(server.log) == QUICK.attempts
    assert "run again to go on after 9000 bytes" in said
    completes(server, wanted, tmp_path)


def test_a_server_that_ignores_range_is_started_over(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT, then=Answer(ranges=False)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [asked.status for asked in server.log] == [200, 200]


def test_a_file_that_changed_is_started_over(server, tmp_path):
    wanted = unknown(server.serve("/a", b"old" * 30_000, CUT, then=Answer(status=404)))
    sentence(wanted, tmp_path)
    server.log.clear()
    server.serve("/a", CONTENT, etag='"v2"')
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(asked.if_range, asked.status) for asked in server.log] == [('"v1"', 200)]


def test_a_server_that_ignores_if_range_is_found_out_by_its_etag(server, tmp_path):
    wanted = unknown(server.serve("/a", b"old" * 30_000, CUT, then=Answer(status=404)))
    sentence(wanted, tmp_path)
    server.log.clear()
    server.serve("/a", CONTENT, etag='"v2"', then=Answer(ignore_if_range=True))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(asked.range, asked.status) for asked in server.log] == [
        ("bytes=40000-", 206),
        (None, 200),
    ]


@pytest.mark.parametrize("shift", [-1, 1, -40_000])
def test_another_range_than_asked_for_is_never_appended(server, tmp_path, shift):
    wanted = unknown(server.serve("/a", CONTENT, CUT, Answer(shift=shift)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [asked.range for asked in server.log] == [None, "bytes=40000-", None]


@pytest.mark.parametrize("said", ["bytes 40000-", "40000-100650/100651", "bytes */100651", ""])
def test_a_content_range_that_says_nothing_is_refused(server, tmp_path, said):
    wrong = Answer(headers={"Content-Range": said})
    wanted = unknown(server.serve("/a", CONTENT, CUT, wrong))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert server.log[2].range is None


def test_a_server_that_only_sends_wrong_ranges_is_given_up(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(shift=1, cut_after=40_000)))
    assert "no mirror gave it" in sentence(wanted, tmp_path)
    assert [asked.range for asked in server.log] == [None, "bytes=40000-", None]
    completes(server, wanted, tmp_path)


def test_a_content_range_of_another_length_goes_to_the_next_mirror(server, tmp_path):
    first = server.serve("/a", CONTENT, CUT, then=Answer(total="100652"))
    wanted = remote(first, server.serve("/b", CONTENT))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(asked.path, asked.range) for asked in server.log[1:]] == [
        ("/a", "bytes=40000-"),
        ("/b", "bytes=40000-"),
    ]


def test_an_unknown_length_in_content_range_is_allowed(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT, Answer(total="*")))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("lie", [-1, 1, -50_000, 7_000])
def test_a_wrong_content_length_is_refused_where_the_size_is_known(server, tmp_path, lie):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(announce=lie)))
    said = sentence(wanted, tmp_path)
    assert f"it announces {SIZE + lie} bytes instead of {SIZE}" in said
    assert len(server.log) == 1
    completes(server, wanted, tmp_path)


def test_a_content_length_too_long_is_settled_by_the_resume(server, tmp_path):
    """The second request asks for what comes after the end, and is told where the end is."""
    wanted = unknown(server.serve("/a", CONTENT, Answer(announce=10)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [asked.status for asked in server.log] == [200, 416]


def test_a_content_length_too_short_is_caught_by_the_checksum(server, tmp_path):
    wanted = RemoteFile(
        NAME,
        (server.serve("/a", CONTENT, then=Answer(announce=-5)),),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    assert "what it sends has sha256" in sentence(wanted, tmp_path)
    completes(server, wanted, tmp_path)


def test_chunks_without_a_length_come(server, tmp_path):
    assert bring(unknown(server.serve("/a", CONTENT, then=Answer(chunked=True))), tmp_path)
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("known", [True, False])
def test_chunks_that_break_off_are_resumed(server, tmp_path, known):
    broken = Answer(chunked=True, cut_after=40_000)
    url = server.serve("/a", CONTENT, broken, then=Answer(chunked=True))
    assert bring(remote(url) if known else unknown(url), tmp_path).read_bytes() == CONTENT
    assert server.log[1].range == "bytes=40000-"


def test_chunks_beyond_the_size_are_not_written(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT + b"more" * BLOCK, then=Answer(chunked=True)))
    assert f"it sends more than the {SIZE} bytes" in sentence(wanted, tmp_path)
    assert names_in(tmp_path) == []


def test_chunks_that_end_early_are_not_whole(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT[:-1], then=Answer(chunked=True)))
    said = sentence(wanted, tmp_path)
    assert f"{SIZE - 1}" in said
    server.serve("/a", CONTENT)
    completes(server, wanted, tmp_path)


def test_gzip_is_stored_as_sent(server, tmp_path):
    """Some servers call the compression of an archive that of the connection."""
    wrong = Answer(headers={"Content-Encoding": "x-gzip"})
    assert bring(remote(server.serve("/a", CONTENT, then=wrong)), tmp_path).read_bytes() == CONTENT
    assert server.log[0].headers["accept-encoding"] == "identity"


def test_a_wrong_byte_costs_one_retry_from_the_next_mirror(server, tmp_path):
    first = server.serve("/a", CONTENT, then=Answer(flip=777))
    wanted = remote(first, server.serve("/b", CONTENT))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(asked.path, asked.range) for asked in server.log] == [("/a", None), ("/b", None)]


def test_a_wrong_byte_of_the_only_mirror_is_asked_for_once_more(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, Answer(flip=777)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 2


def test_a_wrong_byte_twice_is_one_sentence(server, tmp_path):
    urls = [server.serve(path, CONTENT, then=Answer(flip=777)) for path in ("/a", "/b", "/c")]
    wanted = remote(*urls)
    said = sentence(wanted, tmp_path)
    assert said.count(f"instead of {wanted.sha256}") == 2
    assert [asked.path for asked in server.log] == ["/a", "/b"]
    assert names_in(tmp_path) == []
    completes(server, wanted, tmp_path)


def test_a_mixture_of_two_mirrors_condemns_neither(server, tmp_path):
    first = server.serve("/a", b"x" * SIZE, CUT, then=Answer(status=404))
    assert bring(remote(first, server.serve("/b", CONTENT)), tmp_path).read_bytes() == CONTENT
    assert [(asked.path, asked.range) for asked in server.log[2:]] == [
        ("/b", "bytes=40000-"),
        ("/b", None),
    ]


def test_a_start_from_one_mirror_is_continued_by_another(server, tmp_path):
    first = server.serve("/a", CONTENT, CUT, then=Answer(status=404))
    assert bring(remote(first, server.serve("/b", CONTENT, etag='"other"')), tmp_path)
    assert (server.log[2].path, server.log[2].range) == ("/b", "bytes=40000-")
    assert (server.log[2].if_range, server.log[2].sent) == (None, SIZE - 40_000)


def test_without_a_checksum_mirrors_are_not_mixed(server, tmp_path):
    first = server.serve("/a", b"x" * SIZE, CUT, then=Answer(status=404))
    wanted = unknown(first, server.serve("/b", CONTENT))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert (server.log[2].path, server.log[2].range) == ("/b", None)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_a_refusal_goes_to_the_next_mirror_at_once(server, tmp_path, status):
    first = server.serve("/a", CONTENT, then=Answer(status=status))
    assert bring(remote(first, server.serve("/b", CONTENT)), tmp_path).read_bytes() == CONTENT
    assert [asked.status for asked in server.log] == [status, 200]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_may_recover_is_asked_again(server, tmp_path, status):
    wanted = remote(server.serve("/a", CONTENT, Answer(status=status), Answer(status=status)))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 3


def test_every_mirror_and_its_reason_are_told(server, tmp_path):
    urls = [
        server.serve("/a", CONTENT, then=Answer(status=404)),
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


def test_a_name_that_cannot_be_resolved_is_told(tmp_path):
    said = sentence(remote("http://corpus.invalid/a"), tmp_path)
    assert "http://corpus.invalid/a: " in said
    assert "put the file there by hand" in said


def test_a_silent_server_is_given_up(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, then=Answer(pause_s=0.15)))
    hasty = Patience(attempts=1, timeout_s=0.05)
    with pytest.raises(DownloadError, match=r"/a: .*timed out"):
        bring(wanted, tmp_path, hasty)
    completes(server, wanted, tmp_path)


def test_a_slow_server_is_waited_for(server, tmp_path):
    content = CONTENT[: 3 * BLOCK]
    wanted = remote(server.serve("/a", content, then=Answer(pause_s=0.01)), content=content)
    assert bring(wanted, tmp_path).read_bytes() == content


def test_a_redirect_is_followed_and_resumed_by_its_first_address(server, tmp_path):
    server.serve("/b", CONTENT, CUT)
    wanted = remote(server.serve("/a", b"", then=Answer(redirect="/b")))
    assert bring(wanted, tmp_path).read_bytes() == CONTENT
    assert [(asked.path, asked.if_range) for asked in server.log] == [
        ("/a", None),
        ("/b", None),
        ("/a", '"v1"'),
        ("/b", '"v1"'),
    ]


def test_redirects_in_a_circle_end(server, tmp_path):
    server.serve("/b", b"", then=Answer(redirect="/a"))
    wanted = remote(server.serve("/a", b"", then=Answer(redirect="/b")))
    assert "it redirects more than 10 times" in sentence(wanted, tmp_path)
    assert len(server.log) == 11


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/a", "file:///etc/hostname"])
def test_a_redirect_to_another_protocol_is_refused(server, tmp_path, target):
    wanted = remote(server.serve("/a", b"", then=Answer(redirect=target)))
    assert f"must be https, or http for a file with a checksum, got {target}" in sentence(
        wanted, tmp_path
    )


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


def test_a_web_page_is_no_corpus(server, tmp_path):
    page = Answer(headers={"Content-Type": "text/html; charset=utf-8"})
    wanted = unknown(server.serve("/a", b"<html>log in first</html>", then=page))
    assert "it sends a web page instead of the file" in sentence(wanted, tmp_path)


def test_a_web_page_does_not_cost_what_is_there(server, tmp_path):
    page = Answer(headers={"Content-Type": "text/html"}, ranges=False)
    wanted = remote(server.serve("/a", CONTENT, CUT, then=page))
    assert "run again to go on after 40000 bytes" in sentence(wanted, tmp_path)
    server.log.clear()
    completes(server, wanted, tmp_path)
    assert server.log[0].range == "bytes=40000-"


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
    monkeypatch.setattr(download, "digests", lambda *_: pytest.fail("computed again"))
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
    def slow(wanted, folder, *others):
        (folder / NAME).write_bytes(b"mine")

    monkeypatch.setattr(download, "_from_mirrors", slow)
    with pytest.raises(DownloadError, match=f"it has 4 bytes instead of {SIZE}"):
        bring(remote(server.serve("/a", CONTENT)), tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"


def test_a_full_disk_is_told_before_the_first_byte(server, tmp_path, monkeypatch):
    free = SimpleNamespace(free=SIZE - 1)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: free)
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
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: free)
    wanted = remote(server.serve("/a", CONTENT, CUT, then=Answer(status=404)))
    sentence(wanted, tmp_path)
    free.free = SIZE - 40_000
    completes(server, wanted, tmp_path)


def test_a_disk_that_fills_up_is_told(server, tmp_path):
    """`/dev/full` takes no byte."""
    wanted = remote(server.serve("/a", CONTENT))
    part = transfer.Part(tmp_path / NAME, wanted.describe())
    part.path = Path("/dev/full")
    part.begin = lambda *_: None
    with pytest.raises(DownloadError, match="must be writable to its end, No space left on device"):
        transfer.transfer(wanted.urls[0], part, SIZE, True, 5.0, lambda *_: None)


def test_a_part_of_another_version_is_thrown_away(server, tmp_path):
    old = remote(server.serve("/a", CONTENT, CUT, then=Answer(status=404)), sha256="0" * 64)
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


def test_a_part_of_full_length_with_a_wrong_byte_is_replaced(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT, then=Answer(status=404)))
    sentence(wanted, tmp_path)
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * SIZE)
    completes(server, wanted, tmp_path)


def test_a_part_longer_than_the_file_is_replaced(server, tmp_path):
    wanted = remote(server.serve("/a", CONTENT, CUT, then=Answer(status=404)))
    sentence(wanted, tmp_path)
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * (SIZE + 1))
    completes(server, wanted, tmp_path)


KILLED = """
import sys
from pathlib import Path
from fhvae.fetch.download import RemoteFile, alone_in, fetch
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
    patient = Patience(attempts=7, first_wait_s=0.0, longest_wait_s=0.0)
    folder = tmp_path_factory.mktemp("cuts")
    path = bring(remote(url) if known else unknown(url), folder, patient)
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


def test_waits_double_up_to_a_limit():
    patience = Patience(first_wait_s=1.0, longest_wait_s=5.0)
    assert [patience.wait_s(failures) for failures in range(1, 6)] == [1, 2, 4, 5, 5]
