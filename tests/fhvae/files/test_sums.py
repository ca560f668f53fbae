"""Digests of a folder: coreutils reads them, and nothing that changed is taken for what it was."""

import os
import shutil
import subprocess

import pytest

from fhvae.errors import ArtifactError
from fhvae.files.sums import SUMS, check_file, check_sums, differences, write_sums

AWKWARD = ("a b.npy", "ü.csv", "back\\slash", "new\nline", "re\rturn", "two  blanks")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data" / "fbank"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("train.npy", "deep/er/dev.npy", *AWKWARD):
        (folder / name).write_bytes(os.urandom(5000))
    (folder / ".hidden").write_text("of nobody")
    write_sums(folder)
    return folder


def test_what_was_written_is_found_as_it_was_and_coreutils_agrees(folder):
    check_sums(folder)
    listed = (folder / SUMS).read_bytes().splitlines()
    assert len(listed) == 2 + len(AWKWARD)
    assert b"SHA256SUMS" not in (folder / SUMS).read_bytes()
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_equal_folders_have_equal_digests_in_order(folder, tmp_path):
    again = shutil.copytree(folder, tmp_path / "again")
    (again / SUMS).unlink()
    write_sums(again)
    write_sums(again)
    text = (again / SUMS).read_text()
    assert text == (folder / SUMS).read_text()
    names = [line.split("  ", 1)[1] for line in text.split("\n")[:-1]]
    assert names == sorted(names)


def flip(path):
    """Flip a bit where size and times stay."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda folder: flip(folder / "train.npy"), "train.npy has another SHA-256; ", id="bit"
        ),
        pytest.param(lambda folder: flip(folder / "new\nline"), r"new\\nline has", id="escaped"),
        pytest.param(lambda folder: (folder / "ü.csv").unlink(), "ü.csv is gone; ", id="gone"),
        pytest.param(lambda folder: (folder / "x").touch(), "x is new; ", id="new"),
        pytest.param(
            lambda folder: (folder / "ü.csv").replace(folder / "x"),
            r"x is new \(and 1 more\); ",
            id="renamed",
        ),
        pytest.param(lambda folder: flip(folder / SUMS), " is (gone|new)", id="digests"),
        pytest.param(
            lambda folder: (folder / SUMS).write_bytes(b""), r"is new \(and 7 more\)", id="empty"
        ),
    ],
)
def test_a_change_is_told_with_what_to_do(folder, change, message):
    change(folder)
    with pytest.raises(ArtifactError, match=message) as caught:
        check_sums(folder)
    told = str(caught.value)
    assert told.startswith(f"{folder} must be as its stage left it, ")
    assert f"delete {folder} and run `dvc repro`" in told
    assert "\n" not in told


def test_folders_within_are_checked_each_by_its_own_digests(folder):
    (folder.parent / "by-hand").mkdir()
    (folder.parent / "by-hand" / "free.txt").touch()
    check_sums(folder.parent)
    flip(folder / "train.npy")
    with pytest.raises(ArtifactError, match=f"{folder} must be"):
        check_sums(folder.parent)


def test_a_file_is_held_against_digests_that_are_whole(folder):
    sums, whole = folder / SUMS, (folder / SUMS).read_bytes()
    check_file(folder / "train.npy")
    sums.write_bytes(whole.replace(b"  train.npy", b" *train.npy"))  # as coreutils marks bytes
    check_file(folder / "train.npy")
    for damaged in (b"", whole[:-1], whole + b"x\n", whole[1:], whole[:200]):
        sums.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="must have a line of digest and name for each"):
            check_file(folder / "train.npy")
    sums.write_bytes(whole)
    flip(folder / "train.npy")
    with pytest.raises(ArtifactError, match="another SHA-256"):
        check_file(folder / "train.npy")


@pytest.mark.parametrize("name", ["nothing-here", "by-hand", "by-hand/file.json"])
def test_what_has_no_digests_is_taken_as_it_is(tmp_path, name):
    (tmp_path / "by-hand").mkdir()
    (tmp_path / "by-hand" / "file.json").write_text("{}")
    check_sums(tmp_path / name)


def test_a_folder_whose_digests_are_gone_is_not_as_it_was(folder):
    assert list(differences(folder)) == []
    (folder / SUMS).unlink()
    assert list(differences(folder)) == ["SHA256SUMS is gone"]
