"""Packed samples to packed frames: who is kept, in which order, with which values."""

import numpy as np
import pytest

from fhvae.artifacts import PackedWriter, read_packed
from fhvae.errors import CorpusError
from fhvae.features import extraction
from fhvae.features.extraction import (
    dropped_table,
    frame_chunks,
    select_clips,
    write_log_mel,
    write_normalized,
)
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.params import FbankParams

PARAMS = FbankParams(
    window_ms=25.0, hop_ms=10.0, fft_size=512, mels=11, preemphasis=0.97, power=1.0, log_floor=-20.0
)
LENGTHS = {"c": 1600, "a": 3200, "d": 1599, "b": 800}  # 11, 21, 10 and 6 frames


@pytest.fixture
def stem(tmp_path):
    """Samples of four utterances, packed in another order than their ids."""
    random = np.random.default_rng(0)
    with PackedWriter(tmp_path / "dev", "int16") as writer:
        for name, length in LENGTHS.items():
            writer.append(name, random.integers(-900, 900, length))
    return tmp_path / "dev"


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


def test_one_segment_is_long_enough_and_one_frame_less_is_not(stem):
    selection = select_clips(stem, 10.0, 11)
    assert [(clip.utterance_id, clip.frames) for clip in selection.kept] == [("a", 21), ("c", 11)]
    assert selection.frames == 32
    assert dropped_table([selection]).to_numpy().tolist() == [["b", "dev", 6], ["d", "dev", 10]]


def test_a_split_without_a_long_utterance_is_refused(stem):
    message = r"split dev .* at least segments\.frames=22 frames, the longest of its 4 has 21"
    with pytest.raises(CorpusError, match=message):
        select_clips(stem, 10.0, 22)


def test_nothing_dropped_still_gives_the_columns(stem):
    table = dropped_table([select_clips(stem, 10.0, 1)])
    assert list(table.columns) == ["utterance_id", "split", "frames"]
    assert len(table) == 0


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_frames_are_packed_by_id_whatever_the_workers(stem, tmp_path, monkeypatch, workers):
    monkeypatch.setenv("FHVAE_WORKERS", workers)
    write_log_mel(tmp_path / "raw", select_clips(stem, 10.0, 1).kept, PARAMS)
    found, samples = read_packed(tmp_path / "raw"), read_packed(stem)
    assert found.utterance_ids == ("a", "b", "c", "d")
    assert found.rows.dtype == np.float32
    for name, rows in found.items():
        position = samples.utterance_ids.index(name)
        np.testing.assert_array_equal(rows, log_mel(np.array(samples[position]), PARAMS))


def test_normalizing_keeps_order_and_applies_the_statistics(stem, tmp_path):
    with PackedWriter(tmp_path / "raw", "float32", (2,)) as writer:
        writer.append("x", np.array([[1.0, 2.0], [3.0, 4.0]]))
        writer.append("y", np.array([[5.0, 6.0]]))
    normalizer = Normalizer(np.array([1.0, 0.0]), np.array([2.0, 0.5]))
    write_normalized(tmp_path / "dev2", read_packed(tmp_path / "raw"), normalizer)
    found = dict(read_packed(tmp_path / "dev2").items())
    assert found["x"].tolist() == [[0.0, 4.0], [1.0, 8.0]]
    assert found["y"].tolist() == [[2.0, 12.0]]


@pytest.mark.parametrize("chunk", [1, 4, 5, 100])
def test_chunks_cover_every_frame_once(tmp_path, monkeypatch, chunk):
    rows = np.arange(20.0).reshape(10, 2)
    with PackedWriter(tmp_path / "raw", "float32", (2,)) as writer:
        writer.append("x", rows)
    monkeypatch.setattr(extraction, "CHUNK_FRAMES", chunk)
    chunks = list(frame_chunks(read_packed(tmp_path / "raw")))
    assert max(len(part) for part in chunks) <= chunk
    np.testing.assert_array_equal(np.concatenate(chunks), rows)
