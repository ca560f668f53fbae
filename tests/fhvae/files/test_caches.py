"""Libraries find a place for their caches where the usual ones cannot be written to."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fhvae.files import caches
from fhvae.files.caches import FOLDERS, give_caches_a_place

LIBROSA_BESIDE_NOTHING = """
from pathlib import Path
from fhvae.files import caches

caches._librosa = lambda: Path("/dev/null/librosa")
caches.give_caches_a_place()
import numba.core.caching as caching

def nowhere(*_):
    raise OSError("read-only")

for name in ("InTreeCacheLocator", "InTreeCacheLocatorFsAgnostic"):
    for locator in (getattr(caching, name, None), getattr(caching, f"_{name}", None)):
        if locator is not None:
            locator.ensure_cache_path = nowhere
import librosa
librosa.feature.delta
print("imported")
"""


@pytest.fixture
def nothing_writable(tmp_path, monkeypatch):
    """No home and no library folder, as for another user of a container image; only a temp."""
    for variable in FOLDERS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.setattr(caches, "_librosa", lambda: Path(os.devnull, "librosa"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_caches_get_a_folder_that_is_ours_alone(nothing_writable):
    give_caches_a_place()
    folder = nothing_writable / f"fhvae-{os.getuid()}"
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder / "numba")
    assert os.environ["MPLCONFIGDIR"] == str(folder / "matplotlib")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_to_is_not_used(nothing_writable):
    taken = nothing_writable / f"fhvae-{os.getuid()}"
    taken.mkdir()
    taken.chmod(0o777)
    give_caches_a_place()
    assert not os.environ["NUMBA_CACHE_DIR"].startswith(f"{taken}{os.sep}")


def test_what_the_user_has_set_stays(nothing_writable, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "theirs")
    give_caches_a_place()
    assert os.environ["NUMBA_CACHE_DIR"] == "theirs"


def test_usual_places_are_left_alone(nothing_writable, monkeypatch):
    monkeypatch.setenv("HOME", str(nothing_writable))
    give_caches_a_place()
    assert not FOLDERS.keys() & os.environ.keys()


@pytest.mark.slow
def test_librosa_is_imported_where_nothing_can_be_written(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", LIBROSA_BESIDE_NOTHING],
        env={
            **{name: value for name, value in os.environ.items() if name not in FOLDERS},
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": os.devnull,
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == "imported\n", answer.stderr
