"""Latents of utterances: equal to one segment at a time and in groups, sorted, in closed form."""

import numpy as np
import pytest
import torch

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.inference import infer_groups, infer_latents
from fhvae.latents import PER_SEGMENT, Latents
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.segments import SegmentsParams
from fhvae.seeds import generator
from tests.params_factory import fbank_params, model_params

LENGTHS = np.array([9, 17, 12])
NAMES = ("c", "a", "b")


@pytest.fixture(params=["lstm", "gru", "rnn", "dense"])
def trained(request) -> TrainedModel:
    torch.manual_seed(0)
    network = FHVAE(7, 5, model_params(cell=request.param))
    segments = SegmentsParams(frames=5, train_shift=2, shift=4)
    return TrainedModel(network.requires_grad_(False), segments, fbank_params())


def noise(names: tuple[str, ...], lengths: np.ndarray) -> Packed:
    rows = generator(0, "frames").standard_normal((lengths.sum(), 7)).astype(np.float32)
    return Packed(rows, names, np.cumsum(lengths) - lengths, lengths)


@pytest.fixture
def packed() -> Packed:
    return noise(NAMES, LENGTHS)


@pytest.fixture
def mixed() -> Packed:
    """Utterances of 5 (one segment) to 60 frames, not sorted by name."""
    return noise(("d", "a", "f", "c", "b", "e"), np.array([23, 5, 60, 14, 5, 31]))


def assert_equal_but_for_rounding(found: Latents, expected: Latents, tolerance: float) -> None:
    assert found.utterance_ids == expected.utterance_ids
    for name in ("offsets", "lengths", "starts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in (*PER_SEGMENT, "mu2"):
        ours, other = getattr(found, name), getattr(expected, name)
        assert ours.dtype == other.dtype == np.float32
        np.testing.assert_allclose(ours, other, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("shift", [1, 3, 5])
def test_one_call_equals_one_segment_at_a_time(trained, packed, shift):
    (found,) = infer_groups(trained, packed.items([1, 2]), shift, group_segments=1000)
    assert found.utterance_ids == ("a", "b")
    places = [(item, start) for item in (1, 2) for start in range(0, LENGTHS[item] - 4, shift)]
    assert found.starts.tolist() == [start for _, start in places]
    for row, (item, start) in enumerate(places):
        frames = torch.from_numpy(packed[item][start : start + 5])
        alone = posteriors(trained.network, frames[:, None])
        for name in PER_SEGMENT:
            latent, _, kind = name.partition("_")
            expected = getattr(getattr(alone, latent), kind)[0]
            np.testing.assert_allclose(getattr(found, name)[row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shift", [1, 4, 5])
@pytest.mark.parametrize("limit", [1, 7, 20, 1000])
def test_groups_give_what_single_utterances_give(trained, mixed, shift, limit):
    alone = infer_latents(trained, mixed, shift, group_segments=0)
    grouped = infer_latents(trained, mixed, shift, group_segments=limit)
    assert_equal_but_for_rounding(grouped, alone, 1e-5)


@pytest.mark.parametrize(
    ("limit", "calls"),
    [
        pytest.param(None, [13, 8, 5], id="cpu"),
        pytest.param(0, [13, 8, 5], id="one-by-one"),
        pytest.param(6, [6, 6, 1, 6, 2, 5], id="parts-of-utterances"),
        pytest.param(13, [13, 13], id="full-groups"),
        pytest.param(25, [21, 5], id="a-group-that-holds-no-third"),
        pytest.param(26, [26], id="all"),
    ],
)
def test_no_call_of_the_encoders_gets_more_than_a_group(trained, packed, monkeypatch, limit, calls):
    sizes = []
    encode = trained.network.encode_z2
    monkeypatch.setattr(
        trained.network, "encode_z2", lambda batch: sizes.append(batch.shape[1]) or encode(batch)
    )
    infer_latents(trained, packed, shift=1, group_segments=limit)
    assert sizes == calls


def test_utterances_are_read_no_further_than_a_group_needs(trained, packed):
    read = []
    utterances = (read.append(name) or (name, frames) for name, frames in packed.items())
    next(infer_groups(trained, utterances, shift=1, group_segments=5))
    assert read == ["c", "a"]


def test_an_utterance_shorter_than_a_segment_is_refused(trained, packed):
    with pytest.raises(ValueError, match="4 frames, a segment has 5"):
        list(infer_groups(trained, [("c", packed[0]), ("a", packed[1][:4])], shift=1))


def test_no_utterances_no_latents(trained):
    empty = Packed(np.zeros((0, 7), np.float32), (), np.array([], int), np.array([], int))
    latents = infer_latents(trained, empty, shift=1)
    assert latents.utterance_ids == ()
    assert latents.z1_mean.shape == (0, 3)
    assert latents.mu2.shape == (0, 2)


@pytest.mark.gpu
@pytest.mark.parametrize("limit", [None, 0, 7, 20])
def test_a_gpu_infers_what_the_cpu_infers(trained, mixed, cuda, limit):
    expected = infer_latents(trained, mixed, shift=1)
    trained.network.to(cuda)
    found = infer_latents(trained, mixed, shift=1, group_segments=limit)
    assert_equal_but_for_rounding(found, expected, 1e-5)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):  # as PyTorch sets it
        rounded = infer_latents(trained, mixed, shift=1, group_segments=limit)
    assert_equal_but_for_rounding(rounded, expected, 1e-2)


@pytest.mark.gpu
def test_memory_of_a_gpu_is_that_of_a_group(trained, cuda):
    trained.network.to(cuda)
    peaks = []
    for count in (10, 100):
        names = tuple(f"{place:03d}" for place in range(count))
        many = noise(names, np.full(count, 104))  # 100 segments each
        infer_latents(trained, many, shift=1, group_segments=500)
        torch.cuda.reset_peak_memory_stats(cuda)
        infer_latents(trained, many, shift=1, group_segments=500)
        peaks.append(torch.cuda.max_memory_allocated(cuda))
    assert peaks[1] < 1.1 * peaks[0]


def test_latents_are_sorted_by_utterance_and_cover_every_segment(trained, packed):
    latents = infer_latents(trained, packed, shift=4)
    assert latents.utterance_ids == ("a", "b", "c")
    assert latents.lengths.tolist() == [4, 2, 2]
    assert latents.starts.tolist() == [0, 4, 8, 12, 0, 4, 0, 4]
    assert latents.z1_mean.shape == (8, 3)
    assert latents.z2_log_variance.shape == (8, 2)
    assert latents.center_frames.tolist() == [2, 6, 10, 14, 2, 6, 2, 6]


def test_mu2_and_mu1_by_hand(trained, packed):
    latents = infer_latents(trained, packed, shift=4)
    for row, (_, part) in enumerate(latents.slices()):
        count = part.stop - part.start
        expected = latents.z2_mean[part].sum(axis=0) / (count + 0.25)
        np.testing.assert_allclose(latents.mu2[row], expected, rtol=1e-5)
        np.testing.assert_allclose(
            latents.mu1[row], latents.z1_mean[part].mean(axis=0), rtol=1e-4, atol=1e-6
        )


def test_frames_of_another_width_are_refused(trained):
    packed = Packed(np.zeros((9, 8), np.float32), ("a",), np.array([0]), np.array([9]))
    with pytest.raises(ArtifactError, match="model's 7 mel bands, got 8"):
        infer_latents(trained, packed, shift=1)
