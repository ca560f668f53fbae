"""Arrays by name in a file: what was written comes back, and nothing else is taken for it."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fhvae.errors import ArtifactError
from fhvae.files.tensors import Kind, numbers_in, read_tensors, write_tensors

ROOT = Path(__file__).resolve().parents[3]
KINDS = {
    "lengths": Kind("int64", "utterance"),
    "mean": Kind("float32", "segment z1"),
    "mu2": Kind("float32", "utterance 2"),
}


def arrays() -> dict[str, np.ndarray]:
    return {
        "lengths": np.array([3, 1, 1]),
        "mean": np.arange(20, dtype=np.float32).reshape(5, 4),
        "mu2": np.arange(6, dtype=np.float32).reshape(3, 2),
    }


def test_arrays_and_texts_come_back(tmp_path):
    write_tensors(tmp_path / "a.safetensors", arrays(), {"index": "ü"})
    found = read_tensors(tmp_path / "a.safetensors", KINDS, "latents")
    assert found.texts == {"index": "ü"}
    for name, array in arrays().items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert numbers_in(tmp_path / "a.safetensors", "latents") == 29


BROKEN = {
    "gone": ({"mu2": None}, "must hold the arrays lengths, mean, mu2, mu2 is not there"),
    "more": ({"other": np.ones(1, np.float32)}, "other is none of them"),
    "type": ({"mu2": np.ones((3, 2))}, r"mu2 must be \[3, 2\] float32, found \[3, 2\] float64"),
    "size": ({"mu2": np.ones((3, 3), np.float32)}, r"mu2 must be \[3, 2\] float32, found \[3, 3\]"),
    "axes": (
        {"mean": np.ones(3, np.float32)},
        r"mean must be \[segment, z1\] float32, found \[3\]",
    ),
    "other-length": ({"lengths": np.ones(4, np.int64)}, r"mu2 must be \[4, 2\] .* found \[3, 2\]"),
    "nan": (
        {"mean": np.full((5, 4), np.nan, np.float32)},
        "number of mean must be finite, found nan",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_other_arrays_are_told(tmp_path, name):
    changes, said = BROKEN[name]
    own = {key: value for key, value in (arrays() | changes).items() if value is not None}
    save_file(own, tmp_path / "a.safetensors")
    with pytest.raises(ArtifactError, match=f"{said}.*; rerun the stage latents$"):
        read_tensors(tmp_path / "a.safetensors", KINDS, "latents")


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"\x05\0\0\0\0\0\0\0[[[[["])
def test_another_file_is_told(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"must be a safetensors file, it is not .*rerun"):
        read_tensors(tmp_path / "a.safetensors", KINDS, "latents")


WRITING = """
import sys
from pathlib import Path
from fhvae.errors import ArtifactError
from tests.fhvae.files.test_tensors import arrays, write_tensors
try:
    write_tensors(Path(sys.argv[1]), arrays())
except ArtifactError as error:
    sys.exit(str(error))
"""


def test_what_the_disk_refuses_is_one_sentence(tmp_path):
    """A limit on the length of files stands for a disk that is full."""
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(tmp_path / "a.safetensors")],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "must be written whole, it cannot be" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
