"""Segments over every frame, and bands over every bin."""

import numpy as np
import pytest

from fhvae.conversion.gain import band_centers_hz, bands_to_bins, overlapped, segment_starts
from tests.params_factory import MELS, fbank_params


@pytest.mark.parametrize(
    ("frames", "shift", "starts"),
    [(5, 2, [0]), (6, 2, [0, 1]), (9, 2, [0, 2, 4]), (10, 3, [0, 3, 5])],
)
def test_the_last_segment_ends_with_the_recording(frames, shift, starts):
    assert segment_starts(frames, 5, shift).tolist() == starts


def test_overlapping_segments_that_agree_are_what_they_agree_on():
    frames = np.random.default_rng(0).normal(size=(12, 7))
    starts = np.array([0, 3, 6, 7])
    segments = np.stack([frames[start : start + 5] for start in starts], axis=1)
    assert np.allclose(overlapped(segments, starts), frames)


def test_the_middle_of_a_segment_weighs_most():
    segments = np.stack([np.zeros((3, 1)), np.ones((3, 1))], axis=1)
    # weights 1 2 1, the second segment a frame later: 0/1, 1/3, 2/3, 1
    assert np.allclose(overlapped(segments, np.array([0, 1]))[:, 0], [0, 1 / 3, 2 / 3, 1])


def test_bins_take_the_gain_of_the_bands_around_and_beyond_the_last_of_the_last():
    params = fbank_params()
    to_bins = bands_to_bins(params, 1764, 44100)  # bins 25 Hz apart
    assert to_bins.shape == (MELS, 883)
    assert np.allclose(to_bins.sum(axis=0), 1)
    centers = band_centers_hz(params)
    bins_hz = np.arange(883) * 25.0
    assert to_bins[-1, bins_hz > centers[-1]].min() == 1
    assert to_bins[0, bins_hz < centers[0]].min() == 1
    ramp = centers @ to_bins
    inside = (bins_hz > centers[0]) & (bins_hz < centers[-1])
    assert np.allclose(ramp[inside], bins_hz[inside])
