"""`make verify`: bits that flipped where size and times stayed are named, in cache and tree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.torture.judge import remedy

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = """
stages:
  make:
    cmd: mkdir data && printf speech > data/a.npy && printf more > data/b.csv && printf 1 > m.json
    outs: [data]
    metrics: [{m.json: {cache: false}}]
"""


def call(*command, code=0):
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def verify(code):
    return call("python", str(ROOT / ".ci/verify.py"), code=code)


def flip(path):
    """Flip a bit where size and times stay, also of a read-only file."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with the settings of this one whose pipeline has run."""
    monkeypatch.chdir(tmp_path)
    for name in [one for one in os.environ if one.startswith(("GIT_", "DVC_"))]:
        monkeypatch.delenv(name)
    call("git", "init", "-q")
    call("dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc/config", ".dvc/config")
    Path("dvc.yaml").write_text(PIPELINE)
    call("dvc", "repro", "-q")
    return tmp_path


def cached(name):
    """Find a file of the cache by its content."""
    wanted = Path("data", name).read_bytes()
    (found,) = [
        path
        for path in Path(".dvc/cache/files/md5").rglob("*")
        if path.is_file() and path.read_bytes() == wanted
    ]
    return found


def test_what_is_whole_is_counted(tree):
    told = verify(code=0)
    assert re.search(r"cache .*/files/md5: 3 files, 0 MB, 0 damaged", told)
    assert "outputs in this tree: 3 files, 0 MB, 0 damaged" in told


def test_damage_in_the_cache_and_in_the_tree_is_named_and_the_advice_mends_both(tree):
    in_cache = cached("a.npy")
    flip(in_cache)
    flip(Path("data/b.csv"))
    flip(Path("m.json"))
    assert "up to date" in call("dvc", "status")  # DVC does not see it
    told = verify(code=1)
    assert f"{in_cache.name} (data/a.npy)" in told
    assert "  data/b.csv (data/b.csv)" in told
    assert "  m.json (m.json)" in told
    assert "error: damaged files must be replaced: delete them, then `dvc checkout`" in told
    for path in (in_cache, Path("data/b.csv"), Path("m.json")):
        path.unlink()
    call("dvc", "checkout")
    call("dvc", "repro")
    assert (Path("data/b.csv").read_text(), Path("m.json").read_text()) == ("more", "1")
    verify(code=0)


def test_the_outputs_alone_may_be_looked_at(tree):
    flip(cached("a.npy"))
    command = ("python", str(ROOT / ".ci/verify.py"), "--outputs")
    assert call(*command) == "outputs in this tree: 3 files, 0 MB, 0 damaged\n"
    flip(Path("data/a.npy"))
    assert "  data/a.npy (data/a.npy)\n" in call(*command, code=1)


def test_damage_of_an_output_does_not_reach_the_cache(tree):
    """A hard link would be one file under two names."""
    shutil.rmtree("data")
    call("dvc", "checkout")
    flip(Path("data/a.npy"))
    shutil.rmtree("data")
    call("dvc", "checkout")
    assert Path("data/a.npy").read_text() == "speech"


def test_a_folder_whose_list_is_lost_is_named_and_the_advice_mends_it(tree):
    (listed,) = Path(".dvc/cache/files/md5").rglob("*.dir")
    listed.chmod(0o644)
    listed.unlink()
    assert "  data (the list of its files is not in the cache)" in verify(code=1)
    shutil.rmtree("data")
    call("dvc", "repro")
    verify(code=0)


def test_a_list_that_names_another_file_is_named_and_the_advice_mends_it(tree):
    """DVC makes the folder by it, and writes down in dvc.lock what it has made."""
    sums = "(cd data && sha256sum * > ../sums && mv ../sums SHA256SUMS)"
    pipeline = PIPELINE.replace("> data/b.csv", f"> data/b.csv && {sums}")
    Path("dvc.yaml").write_text(pipeline.replace("    outs", "    deps: [.dvcignore]\n    outs"))
    call("dvc", "repro")
    verify(code=0)
    (listed,) = [
        path for path in Path(".dvc/cache").rglob("*.dir") if b"SHA256SUMS" in path.read_bytes()
    ]
    before = listed.stat()
    listed.chmod(0o644)
    listed.write_bytes(listed.read_bytes().replace(b"b.csv", b"#.csv"))
    listed.chmod(before.st_mode)
    os.utime(listed, ns=(before.st_atime_ns, before.st_mtime_ns))
    shutil.rmtree("data")
    call("dvc", "repro")
    assert Path("data/#.csv").exists()
    for path in re.findall(r"^  (\S+) \(", verify(code=1), re.MULTILINE):
        subprocess.run(["rm", "-rf", path], check=True)
    call("dvc", "repro")
    assert sorted(path.name for path in Path("data").iterdir()) == ["SHA256SUMS", "a.npy", "b.csv"]
    verify(code=0)
    assert call("dvc", "status") == "Data and pipelines are up to date.\n"


def test_links_to_the_cache_are_told_with_the_command_that_makes_copies(tree):
    """As a tree has them that was made when hard links were allowed."""
    call("dvc", "config", "--local", "cache.type", "hardlink")
    call("dvc", "checkout", "--relink")
    told = verify(code=0)
    assert "2 outputs, data/a.npy among them, are links to the cache" in told
    call("dvc", "config", "--local", "--unset", "cache.type")
    call("dvc", "checkout", "--relink")
    assert "links to the cache" not in verify(code=0)


@pytest.mark.parametrize("text", ["3", "[3]", '[{"relpath": 3, "md5": "x"}]', "{}"])
def test_a_list_of_another_shape_is_named(tree, text):
    (listing,) = Path(".dvc/cache/files/md5").rglob("*.dir")
    listing.chmod(0o644)
    listing.write_text(text)
    said = verify(1)
    assert f"{listing} (data)" in said
    assert "data (the list of its files is not in the cache)" in said


@pytest.mark.parametrize(("old", "new"), [("hash: md5", "hash: md%"), ("md5: ", "md5: g")])
def test_a_flipped_bit_of_the_lock_is_named_where_dvc_has_no_word(tree, old, new):
    lock = tree / "dvc.lock"
    call("git", "add", "-A")
    lock.write_text(lock.read_text().replace(old, new, 1))
    assert "(data has no MD5)" in verify(2)
    if old == "hash: md5":
        shutil.rmtree("data")
        assert remedy(call("dvc", "repro", code=255)) == "git restore dvc.lock"
    call("git", "restore", "dvc.lock")
    verify(0)


@pytest.mark.parametrize("text", [None, "stages: [", "stages:", "[1]", "stages: {make: {outs: 3}}"])
def test_a_lock_that_cannot_tell_is_one_sentence(tree, text):
    lock = tree / "dvc.lock"
    lock.write_text(text) if text else lock.unlink()
    said = verify(2)
    assert re.fullmatch(
        r"error: dvc\.lock must name every output, .*`git restore dvc\.lock`.*\n", said
    )


@pytest.mark.parametrize("text", ["", '{"read": {', '{"read": 3}'])
def test_a_table_of_locks_that_a_kill_cut_off_is_mended(tree, text):
    table = Path(".dvc/tmp/rwlock")
    table.write_text(text)
    assert re.search("RWLock-file.*(corrupted|format)", call("dvc", "repro", "--force", code=255))
    assert "removed .dvc/tmp/rwlock" in call("python", str(ROOT / ".ci/mend_dvc.py"))
    call("dvc", "repro", "--force")
    before = table.read_text()
    assert call("python", str(ROOT / ".ci/mend_dvc.py")) == ""
    assert table.read_text() == before


def test_an_empty_folder_of_a_run_is_removed(tree):
    made = Path(".dvc/cache/runs/ab/" + "ab" * 32)
    made.mkdir(parents=True)
    assert call("python", str(ROOT / ".ci/mend_dvc.py")) == ""  # somebody may be about to fill it
    os.utime(made, (1, 1))
    assert f"removed {made.resolve()}" in call("python", str(ROOT / ".ci/mend_dvc.py"))
    assert not made.exists()
    assert list(Path(".dvc/cache/runs").rglob("*"))  # those of real runs


def test_a_copy_into_the_cache_that_was_not_ended_is_removed(tree):
    whole = {path for path in Path(".dvc/cache").rglob("*") if path.is_file()}
    copy = Path(".dvc/cache/files/md5/4e/.78Wzw5ya8j3NhIjqIZNxtA.tmp")
    copy.parent.mkdir(exist_ok=True)
    copy.write_text("half of it")
    assert call("python", str(ROOT / ".ci/mend_dvc.py")) == ""  # somebody may write it
    said = call("python", str(ROOT / ".ci/mend_dvc.py"), "--older-than", "0")
    assert f"removed {copy.resolve()}" in said
    assert {path for path in Path(".dvc/cache").rglob("*") if path.is_file()} == whole


def test_a_trial_of_a_link_beside_an_output_is_removed(tree):
    trial, others = Path(".F5XHebEWtCZ8rzg25Td7eg.tmp"), Path(".m.json.01234567.tmp")
    for path in (trial, others):
        path.touch()
    assert call("python", str(ROOT / ".ci/mend_dvc.py")) == ""  # DVC may be about to remove it
    os.utime(trial, (1, 1))
    os.utime(others, (1, 1))
    assert f"removed {trial.resolve()}" in call("python", str(ROOT / ".ci/mend_dvc.py"))
    assert not trial.exists()
    assert others.exists()


def test_of_a_folder_without_git_dvc_itself_tells(tree):
    shutil.rmtree(".git")
    assert call("python", str(ROOT / ".ci/mend_dvc.py")) == ""
    assert "not a git repository" in call("dvc", "repro", code=255)
