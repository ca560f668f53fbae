"""Batches: which sequences there are, who is in a block, what is read, how a pass cuts it."""

import dataclasses
import threading
import tracemalloc

import numpy as np
import pytest
import torch

from fhvae.errors import ArtifactError, ParamsError
from fhvae.files import shards
from fhvae.files.packed import Packed, PackedWriter, read_packed
from fhvae.params.segments import SegmentsParams
from fhvae.segments import gather
from fhvae.training import batches as batches_module
from fhvae.training.batches import Block, Blocks, Sequences, draw_pass, open_sequences
from fhvae.training.world import World

CPU = torch.device("cpu")


def three_utterances():
    lengths = np.array([9, 7, 8])
    rows = np.arange(24 * 7, dtype=np.float32).reshape(24, 7)
    return Packed(rows, ("b_1", "a_1", "b_2"), np.cumsum(lengths) - lengths, lengths)


SPEAKERS = {"b_1": "b", "a_1": "a", "b_2": "b"}


def test_each_utterance_has_its_own_mu2_by_default():
    data = open_sequences([three_utterances()], SPEAKERS, "utterance").load(CPU)
    assert data.sequences == 3
    assert len(set(data.sequence.tolist())) == 3
    assert data.segments_in_sequence(5, 2).sort().values.tolist() == [2, 2, 3]


def test_utterances_of_a_speaker_share_one_where_asked():
    data = open_sequences([three_utterances()], SPEAKERS, "speaker").load(CPU)
    assert data.sequences == 2
    assert data.sequence[0] == data.sequence[2] != data.sequence[1]
    assert data.segments_in_sequence(5, 2)[data.sequence[0]] == 3 + 2


def test_a_copy_in_another_domain_is_a_sequence_of_its_own_with_its_own_frames():
    noisy = Packed(
        three_utterances().rows + 1000,
        three_utterances().utterance_ids,
        three_utterances().offsets,
        three_utterances().lengths,
    )
    data = open_sequences([three_utterances(), noisy], SPEAKERS, "utterance").load(CPU)
    assert data.sequences == 6
    assert len(set(data.sequence.tolist())) == 6
    assert data.speakers == ("b", "a", "b") * 2
    for utterance in range(3):
        clean, copy = (
            data.frames[data.offsets[place] : data.offsets[place] + data.lengths[place]]
            for place in (utterance, utterance + 3)
        )
        np.testing.assert_array_equal(copy, clean + 1000)


def test_loading_takes_the_memory_of_the_frames_once(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 30_000 * 2 * 7)
    random = np.random.default_rng(0)
    with PackedWriter(tmp_path / "train", "float16", (7,)) as writer:
        for name in ("b_1", "a_1", "b_2"):
            writer.append(name, random.normal(size=(20_000, 7)))
    several = read_packed(tmp_path / "train")
    whole = dataclasses.replace(several, rows=np.asarray(several.rows, np.float32) + 1)
    expected = np.concatenate([np.asarray(one.rows, np.float32) for one in (several, whole)])
    tracemalloc.start()
    data = open_sequences([several, whole], SPEAKERS, "utterance").load(CPU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(several.rows, shards.ShardedRows)
    assert data.frames.numpy().tobytes() == expected.tobytes()
    assert peak < 1.1 * expected.nbytes


def test_copies_of_a_speaker_share_one_where_asked():
    data = open_sequences([three_utterances(), three_utterances()], SPEAKERS, "speaker").load(CPU)
    assert data.sequences == 2
    assert data.sequence.tolist() == [1, 0, 1, 1, 0, 1]


def test_an_utterance_without_speaker_is_named():
    with pytest.raises(ArtifactError, match="must stand in the manifest, b_2 does not"):
        open_sequences([three_utterances()], {"b_1": "b", "a_1": "a"}, "utterance").load(CPU)


SEGMENTS = SegmentsParams(frames=5, train_shift=3, shift=4)
UTTERANCES, MELS = 23, 7


def make_packed(seed: int = 0) -> Packed:
    random = np.random.default_rng(seed)
    lengths = random.integers(6, 20, size=UTTERANCES)
    rows = random.normal(size=(int(lengths.sum()), MELS)).astype(np.float32)
    ids = tuple(f"u{number:02}" for number in random.permutation(UTTERANCES))
    return Packed(rows, ids, np.cumsum(lengths) - lengths, lengths)


def speakers(packed: Packed) -> dict[str, str]:
    return {name: f"s{int(name[1:]) % 4}" for name in packed.utterance_ids}


@pytest.fixture
def packed() -> Packed:
    return make_packed()


@pytest.fixture
def sequences(packed) -> Sequences:
    return open_sequences([packed], speakers(packed), "utterance")


def blocks(sequences, count=6, batch=2, seed=0, world=None):
    return Blocks(sequences, count, SEGMENTS, batch, seed, CPU, world or World())


def test_blocks_are_drawn_without_replacement_and_each_can_be_drawn_again(sequences):
    drawn = [blocks(sequences).chosen(number) for number in range(200)]
    assert all(len(set(block.tolist())) == 6 for block in drawn)
    assert all((blocks(sequences).chosen(n) == block).all() for n, block in enumerate(drawn))
    assert (blocks(sequences, seed=1).chosen(0) != drawn[0]).any()
    counts = np.bincount(np.concatenate(drawn), minlength=UTTERANCES)
    expected = 200 * 6 / UTTERANCES
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_who_gets_a_row_next_is_chance():
    """Sequences lie sorted by name, speaker by speaker; a sorted draw kept rows within them."""
    count, each = 40, 4
    packed = Packed(
        np.zeros((6 * count, MELS), np.float32),
        tuple(f"u{number:02}" for number in range(count)),
        np.arange(count) * 6,
        np.full(count, 6),
    )
    every = open_sequences([packed], dict.fromkeys(packed.utterance_ids, "any"), "utterance")
    drawn = np.stack([blocks(every, count=10).chosen(number) // each for number in range(400)])
    same = (drawn[1:] == drawn[:-1]).mean()
    chance = each / count
    assert abs(same - chance) < 5 * np.sqrt(chance * (1 - chance) / drawn[1:].size)
    by_row = drawn.mean(axis=0)  # and no row has its own part of the corpus
    assert by_row.std() < 5 * drawn.std() / np.sqrt(len(drawn))


def check_frames(packed: Packed, sequences: Sequences, chosen: np.ndarray, data) -> None:
    """Check that the frames of every row are those of its sequence, all and nothing else."""
    for row, sequence in enumerate(chosen.tolist()):
        own = np.flatnonzero(data.sequence == row)
        wanted = np.flatnonzero(sequences.sequence == sequence)
        assert len(own) == len(wanted)
        for found, position in zip(own, wanted, strict=True):
            start, length = data.offsets[found], data.lengths[found]
            np.testing.assert_array_equal(data.frames[start : start + length], packed[position])
    assert data.lengths.sum() == len(data.frames)


@pytest.mark.parametrize("sequence", ["utterance", "speaker"])
def test_a_block_holds_the_frames_of_its_sequences(packed, sequence):
    every = open_sequences([packed], speakers(packed), sequence)
    source = blocks(every, count=3, batch=1)
    for number in (0, 1, 5):
        block = source.take(number)
        check_frames(packed, every, source.chosen(number), block.data)
        assert block.number == number
        assert block.data.sequences == 3
    source.close()


def test_the_next_block_is_read_ahead_and_only_once(sequences, monkeypatch):
    read, ahead = [], threading.Event()
    real = Sequences.load_some

    def noted(self, chosen, *rest):
        read.append(tuple(chosen.tolist()))
        if len(read) == 2:
            ahead.set()
        return real(self, chosen, *rest)

    monkeypatch.setattr(Sequences, "load_some", noted)
    source = blocks(sequences)
    source.take(0)
    assert ahead.wait(timeout=600)  # nobody has asked for block 1 yet
    for number in range(1, 4):
        source.take(number)
    source._next[1].result()
    source.close()
    assert read == [tuple(source.chosen(number).tolist()) for number in range(5)]


def test_of_the_files_no_more_is_read_than_the_block(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 40 * 2 * MELS)
    with PackedWriter(tmp_path / "train", "float16", (MELS,)) as writer:
        for name, rows in packed.items():
            writer.append(name, rows)
    stored = read_packed(tmp_path / "train")
    sequences = open_sequences([stored], speakers(packed), "utterance")
    rows, real = [], batches_module.copy_ranges

    def noted(source, starts, lengths, target):
        rows.append(int(lengths.sum()))
        real(source, starts, lengths, target)

    monkeypatch.setattr(batches_module, "copy_ranges", noted)
    source = blocks(sequences, count=5)
    block = source.take(2)
    source.close()
    assert rows[0] == len(block.data.frames) < len(stored.rows)
    assert block.data.frames.dtype == torch.float16
    in_memory = open_sequences([packed], speakers(packed), "utterance")
    wanted = in_memory.load_some(source.chosen(2), np.arange(5), 5, CPU)
    np.testing.assert_array_equal(
        block.data.frames.numpy(), wanted.frames.numpy().astype(np.float16)
    )


def test_copies_in_noise_are_sequences_of_their_own(packed):
    noisy = dataclasses.replace(packed, rows=packed.rows + 100)
    every = open_sequences([packed, noisy], speakers(packed), "utterance")
    assert len(every) == 2 * UTTERANCES
    data = every.load_some(np.arange(len(every)), np.arange(len(every)), len(every), CPU)
    whole = every.load(CPU)
    assert torch.equal(data.frames, whole.frames)
    assert torch.equal(whole.frames[len(packed.rows) :], torch.from_numpy(noisy.rows))


@pytest.mark.parametrize("count", [0, 6])
def test_processes_share_a_block_and_agree_on_the_batches(sequences, count):
    size = 3
    alone = blocks(sequences, count=count, batch=3).take(1)
    shares = [
        blocks(sequences, count=count, batch=3, world=World(rank, size)).take(1)
        for rank in range(size)
    ]
    assert len({share.batches for share in shares}) == 1
    rows = np.concatenate([np.unique(share.data.sequence) for share in shares])
    assert sorted(rows.tolist()) == sorted(set(alone.data.sequence.tolist()))
    assert sum(len(share.data.frames) for share in shares) == len(alone.data.frames)
    assert {share.data.sequences for share in shares} == {alone.data.sequences}
    assert shares[0].batches <= alone.batches


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"count": 24}, r"the 23 sequences .* got 24", id="too-many"),
        pytest.param({"batch": 7, "world": World(0, 2)}, "multiple of the 2 processes", id="odd"),
        pytest.param({"count": 1, "world": World(0, 2)}, "one for each of 2", id="too-few"),
        pytest.param({"batch": 999}, r"the 6 shortest sequences, .* have, got 999", id="batch"),
        pytest.param({"batch": 999, "count": 0}, r"the train split have, got 999", id="flat"),
        pytest.param(
            {"batch": 80, "world": World(1, 2)},
            r"segments .* have for each of 2 processes",
            id="share",
        ),
    ],
)
def test_what_cannot_be_is_refused(sequences, changes, message):
    with pytest.raises(ParamsError, match=message):
        blocks(sequences, **changes)


def test_no_block_is_smaller_than_the_batch_that_was_accepted(sequences):
    """The limit is that of the smallest block there can be, at the start and not in the middle."""
    counts = np.sort(sequences.segment_counts(SEGMENTS.frames, SEGMENTS.train_shift))
    least = int(counts[:6].sum())
    source = blocks(sequences, batch=least)
    assert all(source.take(number).batches >= 1 for number in range(30))
    source.close()
    with pytest.raises(ParamsError, match=f"at most the {least} segments"):
        blocks(sequences, batch=least + 1)


def test_an_utterance_shorter_than_a_segment_is_a_sentence(packed):
    sequences = open_sequences([packed], speakers(packed), "utterance")
    longer = dataclasses.replace(SEGMENTS, frames=7)
    with pytest.raises(ArtifactError, match=r"segments.frames=7 frames, one has 6; rerun"):
        Blocks(sequences, 0, longer, 2, 0, CPU, World())


@pytest.mark.parametrize("size", [2, 3, 5])
def test_shares_have_nearly_the_same_number_of_segments(sequences, size):
    counts = sequences.segment_counts(SEGMENTS.frames, SEGMENTS.train_shift)
    source = blocks(sequences, count=0, batch=size, world=World(0, size))
    shares = source._shares(counts)
    totals = [int(counts[share].sum()) for share in shares]
    assert max(totals) - min(totals) <= counts.max()
    assert sorted(np.concatenate(shares).tolist()) == list(range(UTTERANCES))
    assert max(totals) - min(totals) <= 2  # what every n-th sequence would miss, but by luck


def test_half_precision_in_memory_gives_the_segments_of_float32(packed):
    half = dataclasses.replace(packed, rows=packed.rows.astype(np.float16))
    rounded = dataclasses.replace(packed, rows=half.rows.astype(np.float32))
    first, second = (
        open_sequences([one], speakers(packed), "utterance").load(CPU) for one in (half, rounded)
    )
    starts = torch.arange(0, 40, 3)
    found = gather(first.frames, starts, 5)
    assert found.dtype == torch.float32
    assert torch.equal(found, gather(second.frames, starts, 5))


def whole(data, segments, batch):
    """One block of everything."""
    counts = data.segments_in_sequence(segments.frames, segments.train_shift)
    return Block(0, data, int(counts.sum()) // batch)


def test_a_pass_visits_every_utterance_and_keeps_segments_with_their_sequence(train_data, setting):
    segments = setting().segments
    drawn = draw_pass(whole(train_data, segments, 4), segments, batch=4, seed=0, number=0)
    total = int(train_data.segments_in_sequence(segments.frames, segments.train_shift).sum())
    assert len(drawn) == total // 4
    starts, sequence = drawn.starts.flatten().numpy(), drawn.sequence.flatten().numpy()
    owner = np.searchsorted(train_data.offsets, starts, side="right") - 1
    assert (train_data.sequence[owner] == sequence).all()
    assert set(sequence) == set(range(train_data.sequences))


def test_passes_differ_and_each_can_be_drawn_again(train_data, setting):
    block = whole(train_data, setting().segments, 4)
    first, again, second = (
        draw_pass(block, setting().segments, 4, 0, number).starts for number in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
