"""Ranges of pitch and the moves between them."""

import numpy as np
import pytest

from fhvae.conversion.pitch import PitchRange, pitch_move, pitch_range
from fhvae.params.conversion import ConversionParams

MAN, WOMAN = PitchRange(np.log(110), 0.2), PitchRange(np.log(198), 0.25)


def test_the_range_is_of_the_voiced_frames():
    found = pitch_range(np.array([0.0, 100.0, 0.0, 200.0, 400.0, 0.0]))
    assert found.mean == pytest.approx(np.log(200))
    assert found.spread == pytest.approx(np.log(2) * np.sqrt(2 / 3))
    assert pitch_range(np.zeros(9)) is None


def test_mean_and_spread_become_the_targets():
    move = pitch_move(MAN, WOMAN, ConversionParams())
    log_f0 = MAN.mean + MAN.spread * np.array([-1.0, 1.0])
    after = log_f0 + np.log(move.ratio(np.exp(log_f0)))
    assert np.allclose(after, WOMAN.mean + WOMAN.spread * np.array([-1.0, 1.0]))


def test_half_a_step_moves_half_and_more_than_one_no_further():
    half, whole, twice = (
        pitch_move(MAN, WOMAN, ConversionParams(strength=strength)) for strength in (0.5, 1.0, 2.0)
    )
    assert half.center == pytest.approx((MAN.mean + WOMAN.mean) / 2)
    assert half.slope == pytest.approx(np.sqrt(1.25))
    assert twice == whole


@pytest.mark.parametrize(
    ("source", "target", "changes"),
    [
        (None, WOMAN, {}),
        (MAN, None, {}),
        (MAN, WOMAN, {"pitch": False}),
        (MAN, WOMAN, {"strength": 0.0}),
    ],
)
def test_pitch_stays_where_there_is_none_or_none_is_asked_for(source, target, changes):
    assert pitch_move(source, target, ConversionParams(**changes)) is None


def test_a_move_is_bounded():
    far = PitchRange(np.log(1000), 2.0)
    move = pitch_move(MAN, far, ConversionParams(most_pitch=1.0, most_spread=1.5))
    assert move.center == pytest.approx(np.log(220))
    assert move.slope == 1.5
