"""Where a published corpus is sought, and that processes which share a folder do no harm."""

import fcntl
import logging
import os
import threading
from pathlib import Path

import pytest

from fhvae.corpus.recipes import published
from fhvae.corpus.recipes.published import Archive, find, obtain
from fhvae.errors import CorpusError, DownloadError
from fhvae.fetch.download import alone_in
from fhvae.fetch.unpack import unpack
from fhvae.files.atomic import remove_leftovers
from tests.published import served, tar_of

SIGN = "small/*/*.flac"


@pytest.fixture
def archive(server, tmp_path):
    """An archive of one file, served."""
    sound = tmp_path / "made/Small/small/a/a.flac"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"sound" * 2_000)
    remote = published.RemoteFile("small.tar.gz", (f"{server.address}/",), sha256="0" * 64)
    return served(server, Archive(remote, SIGN), tar_of(tmp_path / "made/Small"))


def in_threads(count, work):
    """Run work in threads; each opens the folder anew, so locks part them like processes."""
    results = []

    def keep():
        results.append(work())

    threads = [threading.Thread(target=keep) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_several_at_once_one_unpacks_and_nothing_is_replaced(
    archive, server, monkeypatch, tmp_path
):
    begun, inodes = [], []

    def slow(packed, folder):
        begun.append(folder)
        unpack(packed, folder)
        inodes.append(folder.stat().st_ino)

    monkeypatch.setattr(published, "unpack", slow)
    home = tmp_path / "home"
    top = home / "small/Small"
    assert in_threads(4, lambda: obtain(archive, home)) == [top] * 4
    assert begun == [home / "small"]
    assert (home / "small").stat().st_ino == inodes[0]
    assert len(server.log) == 1


def test_who_waited_looks_again_and_uses_what_the_other_unpacked(archive, server, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    home = tmp_path / "home"
    home.mkdir()
    with alone_in(home):
        thread = threading.Thread(target=obtain, args=(archive, home))
        thread.start()
        while "wait for another process that downloads into" not in caplog.text:
            assert thread.is_alive()
        found = home / "elsewhere/small/a/a.flac"
        found.parent.mkdir(parents=True)
        found.write_bytes(b"sound")
    thread.join()
    assert server.log == []
    assert f"read small in {home / 'elsewhere'}" in caplog.text


def test_a_folder_that_appears_while_one_unpacks_is_not_replaced(archive, monkeypatch, tmp_path):
    """As where a network file system has no locks."""

    def refuse(handle, kind):
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    home = tmp_path / "home"
    kept = home / "small/kept"
    monkeypatch.setattr("fhvae.fetch.unpack._unpack_into", lambda *_: kept.mkdir(parents=True))
    with pytest.raises(CorpusError, match=r"small must not appear while .*; run again to use it"):
        obtain(archive, home)
    assert kept.is_dir()
    assert sorted(path.name for path in home.glob(".*")) == []


def test_a_folder_that_cannot_be_opened_is_named(monkeypatch, tmp_path):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DownloadError, match=r"must be a readable folder .*: Permission denied;"):
        alone_in(tmp_path).__enter__()


# --- leftovers ------------------------------------------------------------------------


@pytest.fixture
def beside(tmp_path):
    """What lies beside the folder `small`; True for what a killed run left."""
    names = {
        ".small.ab03cde9.tmp": True,
        ".small.00000000.tmp": True,
        ".small.ab03cde.tmp": False,
        ".small.ab03cde99.tmp": False,
        ".small.OLD_ONES.tmp": False,
        ".small-2.ab03cde9.tmp": False,
        "small.ab03cde9.tmp": False,
        ".small.ab03cde9": False,
        ".small": False,
    }
    home = tmp_path / "home"
    for name in names:
        (home / name / "deep").mkdir(parents=True)
    (home / ".small.87654321.tmp").symlink_to(home / ".small")
    return names | {".small.87654321.tmp": False}


def test_leftovers_of_killed_runs_are_removed_and_nothing_else(archive, beside, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    home = tmp_path / "home"
    obtain(archive, home)
    there = {path.name for path in home.iterdir()}
    assert {name for name, ours in beside.items() if not ours} == there & beside.keys()
    assert f"remove {home / '.small.ab03cde9.tmp'}, which a killed run left" in caplog.text


def test_without_locks_leftovers_stay(archive, beside, monkeypatch, tmp_path):
    """They may be what another process is writing."""

    def refuse(handle, kind):
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    home = tmp_path / "home"
    obtain(archive, home)
    assert beside.keys() <= {path.name for path in home.iterdir()}


def test_a_real_leftover_bears_the_name_that_is_looked_for(archive, monkeypatch, tmp_path):
    """A kill is a rename and a removal that never happen."""
    home = tmp_path / "home"
    monkeypatch.setattr("fhvae.files.atomic.os.replace", lambda *_: None)
    monkeypatch.setattr("fhvae.files.atomic.shutil.rmtree", lambda *_, **__: None)
    packed = tmp_path / "packed.tar.gz"
    packed.write_bytes(tar_of(tmp_path / "made/Small"))
    unpack(packed, home / "small")
    monkeypatch.undo()
    assert len(list(home.iterdir())) == 1
    remove_leftovers(home, "small")
    assert list(home.iterdir()) == []


# --- the search -----------------------------------------------------------------------


@pytest.fixture
def sound(tmp_path):
    """A corpus two folders down, the last place that is sought."""
    path = tmp_path / "speech/Small/small/a/a.flac"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"sound")
    return path


def test_folders_that_may_not_be_read_are_passed_over(sound, monkeypatch, tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "a-link").mkdir()
    iterdir, is_dir = Path.iterdir, Path.is_dir

    def guarded_iterdir(path):
        if path.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    def guarded_is_dir(path):
        if path.name == "a-link":
            raise PermissionError(13, "Permission denied")
        return is_dir(path)

    monkeypatch.setattr(Path, "iterdir", guarded_iterdir)
    monkeypatch.setattr(Path, "is_dir", guarded_is_dir)
    assert find(SIGN, tmp_path) == tmp_path / "speech/Small"


def test_below_the_last_level_nothing_is_listed(sound, monkeypatch, tmp_path):
    listed, iterdir = [], Path.iterdir

    def noted(path):
        listed.append(path.relative_to(tmp_path).as_posix())
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", noted)
    assert find("other/*.flac", tmp_path) is None
    assert listed == [".", "speech"]


def test_the_search_ends_two_folders_down(sound, tmp_path):
    assert find(SIGN, tmp_path) == sound.parents[2]
    (tmp_path / "more").mkdir()
    (tmp_path / "speech").rename(tmp_path / "more/speech")
    assert find(SIGN, tmp_path) is None


def test_a_mirror_that_is_no_address_is_told_without_its_password(archive, monkeypatch):
    monkeypatch.setenv("FHVAE_MIRROR", "gopher://ada:s3cret@host/folder")
    with pytest.raises(DownloadError, match=r"got gopher://host/folder/small") as caught:
        published.with_mirror(archive.remote)
    assert "s3cret" not in str(caught.value)
