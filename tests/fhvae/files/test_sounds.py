"""A sound is on the disk whole, or the disk is said to have refused it."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fhvae.files.sounds import new_sound

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 3001).astype(np.int16)
# a limit on the length of files stands for a disk that is full: a write is refused, or done in part
WRITING = """
import sys
from pathlib import Path
from tests.fhvae.files.test_sounds import SAMPLES, write
try:
    write(Path(sys.argv[1]))
except OSError as error:
    sys.exit(f"{error.strerror}: {error.filename}")
"""


def write(path):
    with new_sound(path, 16_000, 1, "PCM_16", path.suffix[1:].upper()) as file:
        for block in np.array_split(SAMPLES, 3):
            file.write(block)


@pytest.mark.parametrize("name", ["a.flac", "a.wav"])
def test_what_was_written_is_read(tmp_path, name):
    write(tmp_path / name)
    found, rate_hz = soundfile.read(tmp_path / name, dtype="int16")
    assert rate_hz == 16_000
    np.testing.assert_array_equal(found, SAMPLES)


@pytest.mark.parametrize("name", ["a.flac", "a.wav"])
@pytest.mark.parametrize("missing", [1, 20, 2000])
def test_a_write_that_is_refused_is_told_with_its_reason(tmp_path, name, missing):
    """libsndfile flushes the end of a FLAC file when it is closed, and tells nothing of that."""
    write(tmp_path / name)
    room = (tmp_path / name).stat().st_size - missing
    (tmp_path / name).unlink()
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(tmp_path / name)],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == f"File too large: {tmp_path / name}\n"
    assert list(tmp_path.iterdir()) == []
