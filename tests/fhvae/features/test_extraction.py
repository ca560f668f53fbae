"""Packed samples to packed frames: who is kept, in which order, with which values."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.errors import ArtifactError, CorpusError
from fhvae.features import extraction
from fhvae.features.extraction import (
    dropped_table,
    frame_chunks,
    select_clips,
)
from fhvae.files import shards
from fhvae.files.packed import PackedWriter, read_packed

LENGTHS = {"c": 1600, "a": 3200, "d": 1599, "b": 800}  # 11, 21, 10 and 6 frames


@pytest.fixture
def stem(tmp_path):
    """Samples of four utterances, packed in another order than their ids."""
    random = np.random.default_rng(0)
    with PackedWriter(tmp_path / "dev", "int16") as writer:
        for name, length in LENGTHS.items():
            writer.append(name, random.integers(-900, 900, length))
    return tmp_path / "dev"


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


@pytest.mark.parametrize("chunk", [1, 4, 5, 100])
def test_chunks_cover_every_frame_once_wherever_the_arrays_end(monkeypatch, chunk):
    rows = np.arange(20.0).reshape(10, 2)
    monkeypatch.setattr(extraction, "CHUNK_FRAMES", chunk)
    for cuts in ([], [3], [0, 4, 4, 9]):
        chunks = list(frame_chunks(np.split(rows, cuts)))
        assert [len(part) for part in chunks[:-1]] == [chunk] * (len(chunks) - 1)
        assert 0 < len(chunks[-1]) <= chunk
        np.testing.assert_array_equal(np.concatenate(chunks), rows)


def test_a_clip_finds_its_samples_in_any_shard(stem, monkeypatch):
    clips = {clip.utterance_id: clip.samples() for clip in select_clips(stem, 10.0, 1).kept}
    monkeypatch.setattr(shards, "SHARD_BYTES", 2 * 3300)
    with PackedWriter(stem.parent / "sharded", "int16") as writer:
        for name, samples in read_packed(stem).items():
            writer.append(name, samples)
    kept = select_clips(stem.parent / "sharded", 10.0, 1).kept
    assert [clip.shard for clip in kept] == [1, 2, 0, 2]  # a b c d; packed c, a, d and b
    for clip in kept:
        np.testing.assert_array_equal(clip.samples(), clips[clip.utterance_id])


def test_a_clip_beyond_the_end_of_its_shard_is_told(stem):
    clip = replace(select_clips(stem, 10.0, 1).kept[0], offset=7000)
    message = r"utterance a: .*dev\.npy must hold 3200 samples from 7000 on, it has 199; rerun"
    with pytest.raises(ArtifactError, match=message):
        clip.samples()
