"""Where an utterance speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.acoustics.activity import active_frames, active_samples, frame_power

FRAME = 320  # 20 ms at 16 kHz


def square(amplitudes_db, last=FRAME):
    """Frames of square waves, whose power is known; the last may be shorter."""
    lengths = [FRAME] * (len(amplitudes_db) - 1) + [last]
    return np.concatenate(
        [
            10 ** (level_db / 20) * (-1.0) ** np.arange(length)
            for level_db, length in zip(amplitudes_db, lengths, strict=True)
        ]
    )


def test_the_power_of_a_frame_that_is_cut_short_is_not_too_small():
    power = frame_power(square([0.0, -10.0, -20.0], last=7))
    assert power == pytest.approx([1.0, 0.1, 0.01])


def test_what_lies_within_the_range_of_the_loud_frames_speaks():
    signal = square([-20.0, -49.9, -50.1, -90.0] + [-20.0] * 16, last=100)
    expected = [True, True, False, False] + [True] * 16
    assert active_frames(signal, 30.0).tolist() == expected
    samples = active_samples(signal, 30.0)
    assert samples.shape == signal.shape
    assert np.flatnonzero(~samples).tolist() == list(range(2 * FRAME, 4 * FRAME))


def test_a_click_is_not_what_loud_means():
    """One frame in forty lies 40 dB above speech; it must not turn speech into a pause."""
    assert active_frames(square([0.0] + [-40.0] * 39), 30.0).all()


def test_digital_silence_does_not_pull_the_loud_frames_down():
    """Speech in a tenth of a file that is 0 elsewhere, 20 dB of it within the range."""
    signal = np.concatenate([np.zeros(90 * FRAME), square([-20.0] * 9 + [-60.0])])
    assert np.flatnonzero(active_frames(signal, 30.0)).tolist() == list(range(90, 99))


def test_nothing_speaks_in_digital_silence():
    assert not active_samples(np.zeros(1000), 30.0).any()


@given(st.integers(1, 1000), st.floats(1e-6, 1e3), st.integers(0, 3))
def test_activity_does_not_depend_on_the_level(length, gain, seed):
    signal = np.random.default_rng(seed).standard_normal(length)
    found = active_samples(signal, 25.0)
    assert found.shape == (length,)
    assert found.any()
    np.testing.assert_array_equal(found, active_samples(gain * signal, 25.0))
