"""Codes whose phone and speaker directions are known."""

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.probes.geometry import geometry_table, residual_curve


def code(phone_directions, speaker_directions, size=6, phones=4, speakers=5):
    """Every phone of every speaker once: a phone part and a speaker part added."""
    random = np.random.default_rng(1)
    by_phone = random.normal(size=(phones, len(phone_directions))) @ np.eye(size)[phone_directions]
    scale = np.diag(np.arange(len(speaker_directions), 0, -1.0))
    by_speaker = random.normal(size=(speakers, len(speaker_directions))) @ scale
    by_speaker = by_speaker @ np.eye(size)[speaker_directions]
    phone, speaker = (part.ravel() for part in np.meshgrid(np.arange(phones), np.arange(speakers)))
    return by_phone[phone] + by_speaker[speaker], phone.astype(str), speaker.astype(str)


def test_directions_apart_leave_all_of_the_phones():
    curve = residual_curve(*code([0, 1], [3, 4, 5]))
    np.testing.assert_allclose(curve.residual, 1)
    assert len(curve.residual) == 1 + 3
    assert curve.kept == pytest.approx(1)
    assert curve.speaker_share.sum() == pytest.approx(1)


def test_one_direction_for_both_leaves_nothing():
    curve = residual_curve(*code([2], [2]))
    np.testing.assert_allclose(curve.residual, [1, 0], atol=1e-12)
    assert curve.kept == pytest.approx(0, abs=1e-12)


def test_the_share_that_goes_is_the_share_along_the_speakers():
    """Phones vary by 9 along axis 0 and 16 along axis 1; speakers along axis 1 only."""
    phone = np.array([[3.0, 4], [-3, -4], [3, -4], [-3, 4]])
    speaker = np.array([[0.0, 1], [0, -1]])
    codes = (phone[:, None] + speaker[None]).reshape(8, 2)
    labels = np.repeat(["a", "b", "c", "d"], 2), np.tile(["x", "y"], 4)
    curve = residual_curve(codes, *labels)
    np.testing.assert_allclose(curve.residual, [1, 9 / 25])
    assert curve.kept == pytest.approx(9 / 25)


def test_directions_go_one_after_the_other_the_widest_of_the_speakers_first():
    """Phones vary by 9, 16 and 11 along the axes; speakers by 4 along axis 1, by 1 along axis 0."""
    signs = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    phone = signs * np.sqrt([9, 16, 11])
    speaker = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 2, 0], [0, -2, 0]])
    codes = (phone[:, None] + speaker[None]).reshape(16, 3)
    curve = residual_curve(codes, np.repeat(list("abcd"), 4), np.tile(list("wxyz"), 4))
    np.testing.assert_allclose(curve.residual, [1, 20 / 36, 11 / 36])
    np.testing.assert_allclose(curve.speaker_share, [4 / 5, 1 / 5])
    assert curve.kept == pytest.approx((4 * 20 + 11) / (5 * 36))


def test_a_rotated_code_has_the_same_curve():
    codes, phones, speakers = code([0, 1, 2], [1, 2, 3])
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    plain, turned = (residual_curve(one, phones, speakers) for one in (codes, codes @ turn + 7))
    np.testing.assert_allclose(turned.residual, plain.residual, atol=1e-9)
    assert plain.residual[-1] < plain.residual[0]


def test_one_speaker_has_no_geometry():
    codes, phones, _ = code([0], [1])
    with pytest.raises(TrialError, match="at least 2 phones and 2 speakers, found 1"):
        residual_curve(codes, phones, np.array(["s"] * len(phones)))


def test_the_table_holds_each_curve_from_nothing_removed():
    table = geometry_table({"z1": residual_curve(*code([2], [2]))})
    assert table.to_dict("list") == {
        "code": ["z1", "z1"],
        "removed": [0, 1],
        "residual": [1.0, 0.0],
        "speaker_variance_removed": [0.0, 1.0],
    }
    assert list(geometry_table({})) == list(table)
