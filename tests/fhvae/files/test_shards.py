"""Several .npy files that read as one array, whatever their limit."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.errors import ArtifactError, ParamsError
from fhvae.files import shards
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.files.shards import ShardedRows, plan_shards, shard_path, shard_paths


def pack(stem, lengths, limit, dtype="int16", row_shape=(3,)):
    """Pack utterances of rows that count up; give the rows."""
    whole = np.arange(sum(lengths) * int(np.prod(row_shape))).reshape(-1, *row_shape).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", limit)
        with PackedWriter(stem, dtype, row_shape) as writer:
            for place, end in enumerate(np.cumsum(lengths)):
                writer.append(f"u{place}", whole[end - lengths[place] : end])
        planned = plan_shards(lengths, np.dtype(dtype).itemsize * int(np.prod(row_shape)))
    assert len(planned) == len(shard_paths(stem))
    return whole, planned


@pytest.fixture
def stem(tmp_path):
    """Utterances of 3, 4, 2 and 5 rows in shards of at most 7 rows."""
    pack(tmp_path / "train", [3, 4, 2, 5], 7 * 6)
    return tmp_path / "train"


def test_the_first_shards_are_as_full_as_they_may_be(stem):
    assert [path.name for path in shard_paths(stem)] == ["train.npy", "train.1.npy"]
    assert [len(np.load(path)) for path in shard_paths(stem)] == [7, 7]
    index = (stem.with_suffix(".csv")).read_text().split()
    assert index == ["utterance_id,offset,length", "u0,0,3", "u1,3,4", "u2,7,2", "u3,9,5"]


@given(
    lengths=st.lists(st.integers(0, 7), max_size=9),
    limit=st.integers(0, 200),
    dtype=st.sampled_from(["int16", "float32", "int64"]),
    row_shape=st.sampled_from([(), (3,), (2, 5)]),
    data=st.data(),
)
def test_shards_read_as_one_array(tmp_path_factory, lengths, limit, dtype, row_shape, data):
    stem = tmp_path_factory.mktemp("packed") / "train"
    whole, planned = pack(stem, lengths, limit, dtype, row_shape)
    packed = read_packed(stem)
    rows = packed.rows
    assert (len(rows), rows.shape, rows.dtype) == (len(whole), whole.shape, whole.dtype)
    np.testing.assert_array_equal(np.asarray(rows), whole)
    np.testing.assert_array_equal(np.asarray(rows, np.float64), whole.astype(np.float64))
    bounds = st.one_of(st.none(), st.integers(-60, 60))
    part = data.draw(st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, -3])))
    np.testing.assert_array_equal(rows[part], whole[part])
    for place, (name, own) in enumerate(packed.items()):
        start = packed.offsets[place]
        np.testing.assert_array_equal(own, whole[start : start + lengths[place]])
        assert name == f"u{place}"
        where = packed.place(place)
        if len(own):  # an utterance lies in one shard, the planned one
            assert place in planned[where.shard]
            shard = np.load(shard_path(stem, where.shard))
            np.testing.assert_array_equal(shard[where.offset : where.offset + len(own)], own)
    if len(whole):
        numbers = data.draw(st.lists(st.integers(-len(whole), len(whole) - 1)))
        chosen = np.array(numbers, np.int64)
        np.testing.assert_array_equal(rows[chosen], whole[chosen])
        np.testing.assert_array_equal(rows[chosen[:, None] // 2], whole[chosen[:, None] // 2])


def test_a_plan_fills_shards_in_order_and_a_long_utterance_has_its_own(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 100)
    assert plan_shards([4, 6, 1, 30, 2], 10) == [range(2), range(2, 3), range(3, 4), range(4, 5)]
    assert plan_shards([], 10) == [range(0)]


def test_sharded_rows_can_be_asked_like_an_array(stem):
    rows = read_packed(stem).rows
    assert isinstance(rows, ShardedRows)
    assert rows[-1].tolist() == [39, 40, 41]
    assert rows[np.arange(14) == 8].tolist() == [[24, 25, 26]]
    assert [row[0] for row in rows] == list(range(0, 42, 3))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows))[5:9], np.asarray(rows)[5:9])
    with pytest.raises(IndexError, match="row 14 is not one of 14"):
        rows[np.array([3, 14])]
    with pytest.raises(TypeError, match="not several axes"):
        rows[0, 1]
    with pytest.raises(TypeError, match="does not support item assignment"):
        rows[0] = 0


def test_frames_of_half_precision_are_read_as_float32(tmp_path):
    for limit in (1 << 20, 24):
        whole, _ = pack(tmp_path / "train", [3, 4], limit, dtype="float16")
        packed = read_packed(tmp_path / "train")
        assert packed.rows.dtype == np.float16
        assert packed[1].dtype == np.float32
        np.testing.assert_array_equal(packed[1], whole[3:])


@pytest.mark.parametrize(("value", "fits"), [(65504, True), (-65504, True), (65520, False)])
def test_half_precision_refuses_what_it_cannot_hold(tmp_path, value, fits):
    rows = np.full((2, 3), value, np.float32)
    with PackedWriter(tmp_path / "train", "float16", (3,)) as writer:
        if fits:
            writer.append("a", rows)
        else:
            with pytest.raises(ParamsError, match=r"within 65504 of 0 .* fbank\.store to float32"):
                writer.append("a", rows)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numbers_that_are_not_finite_are_not_written(tmp_path, value, dtype):
    with (
        PackedWriter(tmp_path / "train", dtype, (3,)) as writer,
        pytest.raises(ArtifactError, match=r"every number must be finite, found (nan|inf)"),
    ):
        writer.append("a", np.full((2, 3), value, np.float32))


def test_shards_of_an_earlier_longer_array_are_removed(stem):
    Path(stem.parent / "train.old.npy").touch()
    whole, _ = pack(stem, [2, 3], 1 << 20)
    np.testing.assert_array_equal(read_packed(stem).rows, whole)
    names = sorted(path.name for path in stem.parent.iterdir())
    assert names == ["train.csv", "train.npy", "train.old.npy"]


def shorten(path):
    path.write_bytes(path.read_bytes()[:-7])


def replace_rows(path, rows):
    np.save(path, rows)


BROKEN = {
    "no-first": (
        lambda stem: shard_path(stem, 0).unlink(),
        r"train\.npy must exist; rerun the stage that writes it",
    ),
    "none-between": (
        lambda stem: shard_path(stem, 1).rename(shard_path(stem, 2)),
        r"train\.1\.npy must exist; rerun the stage that writes it",
    ),
    "no-last": (
        lambda stem: shard_path(stem, 1).unlink(),
        r"train\.csv must describe the 7 rows of train\.npy, it describes 14; rerun the stage",
    ),
    "short": (
        lambda stem: shorten(shard_path(stem, 1)),
        r"train\.1\.npy must have 170 bytes for the 7 rows that it tells of, it has 163; rerun",
    ),
    "one-too-many": (
        lambda stem: replace_rows(shard_path(stem, 2), np.zeros((4, 3), np.int16)),
        r"the 18 rows of the 3 shards train\.npy to train\.2\.npy, it describes 14; rerun",
    ),
    "other-type": (
        lambda stem: replace_rows(shard_path(stem, 1), np.zeros((7, 3), np.float32)),
        r"kind, .*train\.1\.npy has \(3,\) float32, train\.npy \(3,\) int16; rerun",
    ),
    "other-size": (
        lambda stem: replace_rows(shard_path(stem, 1), np.zeros((7, 2), np.int16)),
        r"kind, .*train\.1\.npy has \(2,\) int16, train\.npy \(3,\) int16; rerun",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_shards_are_told(stem, name):
    spoil, message = BROKEN[name]
    spoil(stem)
    with pytest.raises(ArtifactError, match=message):
        read_packed(stem)


def test_an_utterance_in_two_shards_is_refused(stem):
    text = "utterance_id,offset,length\nu0,0,3\nu1,3,5\nu2,8,6\n"
    stem.with_suffix(".csv").write_text(text)
    with pytest.raises(ArtifactError, match="no utterance may lie in two of the 2 shards"):
        read_packed(stem)
