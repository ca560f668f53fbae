"""Frames of a corpus in pieces: equal bytes whoever computes them and however often it stops."""

import importlib.util
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fhvae.errors import CorpusError
from fhvae.features import extraction, fbank, normalize, pieces
from fhvae.features.extraction import select_clips
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import read_normalizer
from fhvae.features.pieces import extract, fingerprint
from fhvae.files import atomic, packed, shards
from fhvae.files.atomic import file_digest
from fhvae.files.packed import PackedWriter, read_packed
from tests.params_factory import fbank_params

PACKAGE = Path(pieces.__file__).parents[1]
MELS = 11
PARAMS = fbank_params(mels=MELS)
NO_DASK = importlib.util.find_spec("distributed") is None
UTTERANCES = {"train": 23, "dev": 5}
FRAME_BYTES = 4 * MELS


@pytest.fixture
def selections(tmp_path):
    """Utterances of 3 to 40 frames in two splits, packed in another order than their ids."""
    random = np.random.default_rng(0)
    for split, count in UTTERANCES.items():
        with PackedWriter(tmp_path / "corpus" / split, "int16") as writer:
            for place in random.permutation(count):
                length = int(random.integers(300, 6400))
                loudness = random.integers(100, 9000)
                writer.append(f"{split}-{place:02}", random.integers(-loudness, loudness, length))
    return [select_clips(tmp_path / "corpus" / split, 10.0, 6) for split in UTTERANCES]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Shards of at most 200 frames, pieces of at least 50."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 200 * FRAME_BYTES)
    monkeypatch.setattr(pieces, "SHARD_BYTES", 200 * FRAME_BYTES)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 50 * FRAME_BYTES)
    monkeypatch.delenv("FHVAE_DASK", raising=False)


def digests(folder):
    return {path.name: file_digest(path) for path in sorted(folder.iterdir())}


class StoppedError(BaseException):
    """Like a KeyboardInterrupt."""


@contextmanager
def stopping(monkeypatch, name, calls):
    """Count the calls of a function of the module, and stop the run at one of them."""
    function, seen = getattr(pieces, name), []

    def counted(*arguments):
        if len(seen) == calls:
            raise StoppedError
        seen.append(arguments)
        return function(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pieces, name, counted)
        yield seen


def test_frames_are_normalized_by_train_in_the_order_of_ids(selections, tmp_path):
    out = extract(tmp_path / "work", selections, PARAMS)
    raw = {
        clip.utterance_id: log_mel(clip.samples(), PARAMS)
        for item in selections
        for clip in item.kept
    }
    train = np.concatenate([rows for name, rows in sorted(raw.items()) if "train" in name])
    normalizer = read_normalizer(out / "normalizer.json")
    np.testing.assert_allclose(normalizer.mean, train.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(normalizer.std, train.std(axis=0, dtype=np.float64), rtol=1e-6)
    for item in selections:
        packed = read_packed(out / item.split)
        assert packed.utterance_ids == tuple(sorted(packed.utterance_ids))
        assert packed.utterance_ids == tuple(clip.utterance_id for clip in item.kept)
        for name, rows in packed.items():
            np.testing.assert_array_equal(rows, normalizer.apply(raw[name]))
    assert len(shards.shard_paths(out / "train")) > 2
    assert list((tmp_path / "work" / "raw").iterdir()) == []


def test_the_shards_are_those_of_the_packed_writer(selections, tmp_path):
    out = extract(tmp_path / "work", selections, PARAMS)
    with PackedWriter(tmp_path / "again" / "train", "float32", (MELS,)) as writer:
        for name, rows in read_packed(out / "train").items():
            writer.append(name, rows)
    again = digests(tmp_path / "again")
    assert again == {name: digest for name, digest in digests(out).items() if "train" in name}


def test_pieces_and_shards_of_any_size_hold_equal_frames(selections, tmp_path, monkeypatch):
    whole = extract(tmp_path / "work", selections, PARAMS)
    monkeypatch.setattr(shards, "SHARD_BYTES", 2 << 30)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1)
    other = extract(tmp_path / "other", selections, PARAMS)
    for name in ("normalizer.json", "train.csv", "dev.csv", "dropped.csv"):
        assert (whole / name).read_bytes() == (other / name).read_bytes()
    assert len(shards.shard_paths(other / "train")) == 1
    for split in UTTERANCES:
        np.testing.assert_array_equal(
            read_packed(whole / split).rows, read_packed(other / split).rows
        )


WORKERS = [
    pytest.param({"FHVAE_WORKERS": "4"}, id="four", marks=pytest.mark.slow),
    pytest.param(
        {"FHVAE_DASK": "local:2"},
        id="dask",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(NO_DASK, reason="the extra dask is not installed"),
        ],
    ),
]


@pytest.mark.parametrize("workers", WORKERS)
def test_number_and_kind_of_workers_change_no_byte(selections, tmp_path, monkeypatch, workers):
    alone = digests(extract(tmp_path / "alone", selections, PARAMS))
    for name, value in workers.items():
        monkeypatch.setenv(name, value)
    assert digests(extract(tmp_path / "together", selections, PARAMS)) == alone


@pytest.mark.parametrize("calls", [0, 1, 9, 20])
def test_a_run_stopped_while_computing_keeps_its_pieces(selections, tmp_path, monkeypatch, calls):
    whole = digests(extract(tmp_path / "whole", selections, PARAMS))
    utterances = sum(len(item.kept) for item in selections)
    with stopping(monkeypatch, "_clip_frames", calls), pytest.raises(StoppedError):
        extract(tmp_path / "work", selections, PARAMS)
    in_pieces = sum(len(np.load(path)) for path in (tmp_path / "work" / "raw").iterdir())
    with stopping(monkeypatch, "_clip_frames", 99) as computed:
        assert digests(extract(tmp_path / "work", selections, PARAMS)) == whole
    assert sum(clip.frames for _, clip in computed) + in_pieces == sum(
        item.frames for item in selections
    )
    assert (len(computed) < utterances) == (in_pieces > 0)
    assert calls < 9 or in_pieces > 0


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_a_run_stopped_while_normalizing_computes_nothing_again(
    selections, tmp_path, monkeypatch, calls
):
    whole = digests(extract(tmp_path / "whole", selections, PARAMS))
    with stopping(monkeypatch, "write_shard", calls), pytest.raises(StoppedError):
        extract(tmp_path / "work", selections, PARAMS)
    with stopping(monkeypatch, "_clip_frames", 0):
        assert digests(extract(tmp_path / "work", selections, PARAMS)) == whole


def test_what_a_kill_left_half_written_is_swept_away(selections, tmp_path):
    for name in ("raw/.train.0.1.npy.x1y2", "out/.train.npy.a3b4"):
        path = tmp_path / "work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    out = extract(tmp_path / "work", selections, PARAMS)
    assert [name for name in digests(out) if name.startswith(".")] == []
    assert list((tmp_path / "work" / "raw").iterdir()) == []


def broken(path, how):
    """Leave of a file what a crash of the machine may: less, nothing, or another number of rows."""
    if how == "short":
        path.write_bytes(path.read_bytes()[:-7])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        np.save(path.with_suffix(""), np.load(path)[:-1])


@pytest.mark.parametrize("how", ["short", "empty", "zeros", "rows"])
def test_a_broken_piece_is_computed_again_and_no_other(
    selections, tmp_path, monkeypatch, caplog, how
):
    whole = digests(extract(tmp_path / "whole", selections, PARAMS))
    with stopping(monkeypatch, "_train_normalizer", 0), pytest.raises(StoppedError):
        extract(tmp_path / "work", selections, PARAMS)
    path = tmp_path / "work" / "raw" / "train.1.0.npy"
    planned = pieces.plan(selections[0], tmp_path / "work" / "raw", tmp_path, PARAMS)
    (piece,) = [piece for shard in planned for piece in shard.pieces if piece.path == path]
    broken(path, how)
    with stopping(monkeypatch, "_clip_frames", 99) as computed:
        assert digests(extract(tmp_path / "work", selections, PARAMS)) == whole
    assert [clip for _, clip in computed] == list(piece.clips)
    assert "train.1.0.npy is broken and computed again" in caplog.text


@pytest.mark.parametrize("name", ["train.1.npy", "normalizer.json"])
def test_what_is_broken_of_the_result_is_computed_again(
    selections, tmp_path, monkeypatch, caplog, name
):
    whole = digests(extract(tmp_path / "whole", selections, PARAMS))
    with stopping(monkeypatch, "write_shard", 3), pytest.raises(StoppedError):
        extract(tmp_path / "work", selections, PARAMS)
    broken(tmp_path / "work" / "out" / name, "empty")
    assert digests(extract(tmp_path / "work", selections, PARAMS)) == whole
    assert f"{name} " in caplog.text


def test_no_damage_of_unfinished_work_is_taken_over(selections, tmp_path, monkeypatch):
    """A flipped bit leaves type and length as they were, and would be another frame."""
    whole = digests(extract(tmp_path / "whole", selections, PARAMS))
    for calls, stop in ((0, "_train_normalizer"), (3, "write_shard")):
        work = tmp_path / stop
        with stopping(monkeypatch, stop, calls), pytest.raises(StoppedError):
            extract(work, selections, PARAMS)
        kept = tmp_path / f"{stop}-kept"
        shutil.copytree(work, kept)
        files = [path for path in sorted(kept.rglob("*")) if path.is_file()]
        random = np.random.default_rng(calls)
        for gone in files:
            shutil.rmtree(work)
            shutil.copytree(kept, work)
            (work / gone.relative_to(kept)).unlink()
            assert digests(extract(work, selections, PARAMS)) == whole, gone
        for _ in range(25):
            shutil.rmtree(work)
            shutil.copytree(kept, work)
            path = work / files[random.integers(len(files))].relative_to(kept)
            content = bytearray(path.read_bytes())
            content[random.integers(len(content))] ^= 1 << int(random.integers(8))
            path.write_bytes(content)
            assert digests(extract(work, selections, PARAMS)) == whole, path


def test_a_digest_without_its_file_is_no_damage(selections, tmp_path, monkeypatch, caplog):
    """The digest gets its place first: a kill between the two leaves it alone."""
    with stopping(monkeypatch, "_train_normalizer", 0), pytest.raises(StoppedError):
        extract(tmp_path / "work", selections, PARAMS)
    (tmp_path / "work/raw/train.1.0.npy").unlink()
    assert digests(extract(tmp_path / "work", selections, PARAMS)) == digests(
        extract(tmp_path / "whole", selections, PARAMS)
    )
    assert "broken" not in caplog.text


def test_half_precision_rounds_what_float32_holds_and_nothing_else(selections, tmp_path):
    single = extract(tmp_path / "single", selections, PARAMS)
    half = extract(tmp_path / "half", selections, replace(PARAMS, store="float16"))
    assert (half / "normalizer.json").read_bytes() == (single / "normalizer.json").read_bytes()
    expected = read_packed(single / "train")
    found = read_packed(half / "train")
    assert found.rows.dtype == np.float16
    assert len(shards.shard_paths(half / "train")) < len(shards.shard_paths(single / "train"))
    for (name, rows), (other, exact) in zip(found.items(), expected.items(), strict=True):
        assert name == other
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, exact.astype(np.float16).astype(np.float32))
        np.testing.assert_allclose(rows, exact, rtol=2**-11, atol=1e-7)


def test_silence_in_train_is_refused(tmp_path):
    for split in UTTERANCES:
        with PackedWriter(tmp_path / "corpus" / split, "int16") as writer:
            writer.append("a", np.zeros(4000))
    silent = [select_clips(tmp_path / "corpus" / split, 10.0, 6) for split in UTTERANCES]
    with pytest.raises(CorpusError, match="every band of the training frames must vary"):
        extract(tmp_path / "work", silent, PARAMS)


def test_the_fingerprint_knows_params_samples_and_which_utterances_are_kept(
    selections, tmp_path, monkeypatch
):
    name = fingerprint(selections, PARAMS)
    assert name == fingerprint(selections, PARAMS)
    assert len(name) == 16
    fewer = [select_clips(tmp_path / "corpus" / split, 10.0, 20) for split in UTTERANCES]
    others = {
        fingerprint(selections, replace(PARAMS, preemphasis=0.5)),
        fingerprint(selections, replace(PARAMS, store="float16")),
        fingerprint(fewer, PARAMS),
    }
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1 << 20)
    others.add(fingerprint(selections, PARAMS))
    monkeypatch.undo()
    path = tmp_path / "corpus" / "dev.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    others.add(fingerprint(selections, PARAMS))
    assert len(others | {name}) == 6


def test_the_fingerprint_knows_the_code_that_decides_a_byte(selections, tmp_path, monkeypatch):
    name = fingerprint(selections, PARAMS)
    monkeypatch.setattr(pieces, "PACKAGE", tmp_path / "fhvae")
    shutil.copytree(Path(pieces.__file__).parents[1], tmp_path / "fhvae")
    assert fingerprint(selections, PARAMS) == name
    others = {name}
    for module in (extraction, fbank, normalize, pieces, shards, packed, atomic):
        copy = tmp_path / "fhvae" / Path(module.__file__).relative_to(PACKAGE)
        copy.write_text(copy.read_text() + "# changed\n")
        others.add(fingerprint(selections, PARAMS))
    assert len(others) == 8
