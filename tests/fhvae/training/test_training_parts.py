"""Data, passes, dev criterion, detectors and fingerprints, each by itself."""

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
import torch

from fhvae import shards
from fhvae.artifacts import Packed, PackedWriter, read_packed
from fhvae.errors import ArtifactError
from fhvae.model.network import FHVAE
from fhvae.model.objective import infer_mu2, segment_terms
from fhvae.segments import gather
from fhvae.training.blocks import Block
from fhvae.training.checkpoint import course_of_run, fingerprint, labels_digest
from fhvae.training.data import open_sequences
from fhvae.training.dev import DevTerms, evaluate_dev
from fhvae.training.passes import draw_pass
from fhvae.training.record import TrainTerms, collapse_reason
from fhvae.training.table import closed_form_table, sequence_grid


def packed():
    lengths = np.array([9, 7, 8])
    rows = np.arange(24 * 7, dtype=np.float32).reshape(24, 7)
    return Packed(rows, ("b_1", "a_1", "b_2"), np.cumsum(lengths) - lengths, lengths)


CPU = torch.device("cpu")
SPEAKERS = {"b_1": "b", "a_1": "a", "b_2": "b"}


def test_each_utterance_has_its_own_mu2_by_default():
    data = open_sequences([packed()], SPEAKERS, "utterance").load(CPU)
    assert data.sequences == 3
    assert len(set(data.sequence.tolist())) == 3
    assert data.segments_in_sequence(5, 2).sort().values.tolist() == [2, 2, 3]


def test_utterances_of_a_speaker_share_one_where_asked():
    data = open_sequences([packed()], SPEAKERS, "speaker").load(CPU)
    assert data.sequences == 2
    assert data.sequence[0] == data.sequence[2] != data.sequence[1]
    assert data.segments_in_sequence(5, 2)[data.sequence[0]] == 3 + 2


def test_a_copy_in_another_domain_is_a_sequence_of_its_own_with_its_own_frames():
    noisy = Packed(packed().rows + 1000, packed().utterance_ids, packed().offsets, packed().lengths)
    data = open_sequences([packed(), noisy], SPEAKERS, "utterance").load(CPU)
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
    data = open_sequences([packed(), packed()], SPEAKERS, "speaker").load(CPU)
    assert data.sequences == 2
    assert data.sequence.tolist() == [1, 0, 1, 1, 0, 1]


def test_an_utterance_without_speaker_is_named():
    with pytest.raises(ArtifactError, match="must stand in the manifest, b_2 does not"):
        open_sequences([packed()], {"b_1": "b", "a_1": "a"}, "utterance").load(CPU)


def test_other_speakers_other_digest():
    assert labels_digest(["a", "b"]) == labels_digest(["a", "b"])
    assert labels_digest(["a", "b"]) != labels_digest(["b", "a"])


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


def test_closed_form_table_by_hand(train_data, setting):
    torch.manual_seed(0)
    network = FHVAE(7, 5, setting().model)
    segments = setting().segments
    table = closed_form_table(network, train_data, segments)
    for row, (offset, length) in enumerate(
        zip(train_data.offsets, train_data.lengths, strict=True)
    ):
        starts = torch.arange(offset, offset + length - 5 + 1, 4)
        means = network.encode_z2(gather(train_data.frames, starts, 5)).mean
        torch.testing.assert_close(table[row], means.sum(dim=0) / (len(starts) + 0.25))


def test_dev_bound_equals_the_terms_averaged_by_hand(dev_data, setting):
    """The port's validation loss was the last training batch's."""
    torch.manual_seed(0)
    network, segments = FHVAE(7, 5, setting().model), setting().segments
    found, _ = evaluate_dev(network, dev_data, segments, noise_seed=3, monitor=None)
    starts, sequence = dev_data.on_device(sequence_grid(dev_data, segments))
    batch = gather(dev_data.frames, starts, 5)
    mu2 = infer_mu2(network.encode_z2(batch).mean, sequence, 6, 0.25)
    counts = dev_data.segments_in_sequence(5, 4)
    noise = torch.Generator().manual_seed(3)
    terms = segment_terms(network, batch, mu2[sequence], counts[sequence], noise)
    assert found.lower_bound == pytest.approx(terms.lower_bound.mean().item(), rel=1e-5)
    assert found.log_px == pytest.approx(terms.log_px.mean().item(), rel=1e-5)
    assert found.eer_mu2 is None


def test_dev_bound_is_the_same_at_every_call(dev_data, setting):
    torch.manual_seed(0)
    network = FHVAE(7, 5, setting().model)
    first, second = (evaluate_dev(network, dev_data, setting().segments, 3, None) for _ in range(2))
    assert first == second


def test_monitor_gets_one_vector_per_utterance(dev_data, setting):
    seen = []

    def monitor(vectors, speakers):
        seen.append((vectors.shape, speakers))
        return 0.25

    torch.manual_seed(0)
    found, _ = evaluate_dev(FHVAE(7, 5, setting().model), dev_data, setting().segments, 3, monitor)
    assert seen == [((6, 2), dev_data.speakers), ((6, 3), dev_data.speakers)]
    assert found.eer_mu2 == found.eer_mu1 == 0.25


TRAIN = TrainTerms(-300.0, -250.0, 30.0, 50.0, -40.0, -2.0)
DEV = DevTerms(-300.0, -250.0, 30.0, 50.0, -40.0, 9.0, 10.0, None, None)


@pytest.mark.parametrize(
    ("kl_z2", "variance", "log_q", "alpha", "passes", "expected"),
    [
        pytest.param(50.0, 9.0, -2.0, 10.0, 5, "", id="healthy"),
        pytest.param(1.3, 9.0, -2.0, 10.0, 5, "KL of z2 is 1.3 nats", id="z2-says-nothing"),
        pytest.param(11.0, 1.8, -3.6, 10.0, 5, "z2 means is 1.80", id="z2-hardly-moves"),
        pytest.param(50.0, 9.0, -7.2, 10.0, 5, "log q is -7.20 nats", id="guess-at-chance"),
        pytest.param(50.0, 9.0, -7.2, 10.0, 1, "", id="too-early-to-tell"),
        pytest.param(50.0, 9.0, -15.0, 0.0, 5, "", id="log-q-not-trained"),
    ],
)
def test_collapse_detectors(setting, kl_z2, variance, log_q, alpha, passes, expected):
    reason = collapse_reason(
        dataclasses.replace(TRAIN, log_q=log_q),
        dataclasses.replace(DEV, kl_z2=kl_z2, z2_mean_variance=variance),
        passes=passes,
        chance=-math.log(1440),
        alpha=alpha,
        limits=setting(collapse_kl_z2=10.0, collapse_variance_z2=3.0).training,
    )
    assert (expected in reason) if expected else reason == ""


def test_fingerprint_covers_the_course_and_not_the_length(setting):
    def name(base, alpha=10.0, digest="d"):
        facts = {**vars(base), "alpha": alpha}
        return fingerprint(course_of_run(**facts, data_digests=[digest], device=CPU))

    base = setting()
    assert name(base) == name(setting(max_epochs=99, patience=3))
    others = [
        name(setting(seed=1)),
        name(base, alpha=0.0),
        name(base, digest="other frames"),
        name(setting(batch=16)),
        name(setting(mu2_table="random")),
        name(setting(cell="gru")),
    ]
    assert len({name(base), *others}) == 7
    assert name(base, alpha=10) == name(base)  # `-S alpha=10` writes an int
