"""The latents file: round trip, equal bytes, refusals."""

import dataclasses

import numpy as np
import pytest

from fhvae.errors import ArtifactError
from fhvae.latents import Latents, read_latents, write_latents
from fhvae.seeds import generator


@pytest.fixture
def latents() -> Latents:
    random = generator(0, "latents")
    lengths = np.array([3, 1, 4])

    def draw(*shape):
        return random.standard_normal(shape).astype(np.float32)

    return Latents(
        utterance_ids=("a", "b", "c"),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
        starts=np.array([0, 2, 4, 0, 0, 2, 4, 6], np.int32),
        z1_mean=draw(8, 3),
        z1_log_variance=draw(8, 3),
        z2_mean=draw(8, 2),
        z2_log_variance=draw(8, 2),
        mu2=draw(3, 2),
        segment_frames=20,
    )


def test_written_then_read_is_equal(latents, tmp_path):
    write_latents(tmp_path / "test.safetensors", latents)
    found = read_latents(tmp_path / "test.safetensors")
    for item in dataclasses.fields(Latents):
        expected, value = getattr(latents, item.name), getattr(found, item.name)
        if isinstance(expected, np.ndarray):
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)
        else:
            assert value == expected


def test_equal_latents_equal_bytes(latents, tmp_path):
    write_latents(tmp_path / "one", latents)
    write_latents(tmp_path / "two", latents)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_center_is_the_tenth_of_twenty_frames(latents):
    """As in the authors' frame readout: 9 frames before it, 10 after."""
    assert latents.center_frames[0] == 9


@pytest.mark.parametrize(
    ("name", "row"), [("z1_mean", 3), ("z2_mean", 3), ("z2_log_variance", 3), ("mu2", 1)]
)
def test_nan_is_refused_by_the_utterance_that_holds_it(latents, tmp_path, name, row):
    getattr(latents, name)[row, 1] = np.nan
    with pytest.raises(ArtifactError, match=f"{name} of utterance b must be finite"):
        write_latents(tmp_path / "bad", latents)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_foreign_files_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="must exist; rerun the stage latents"):
        read_latents(tmp_path / "none.safetensors")
    (tmp_path / "foreign").write_bytes(b"RIFF")
    with pytest.raises(ArtifactError, match="must be a safetensors file"):
        read_latents(tmp_path / "foreign")
