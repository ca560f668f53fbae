"""Inputs without level, mean spectrum or pauses: what is taken away, and what must stay."""

import numpy as np
import pytest

from fhvae.baselines.controls import CONTROLS, Meaning, change_input, normalize_level
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed

MELS = 3
NORMALIZER = Normalizer(mean=np.array([-5.0, -6.0, -7.5]), std=np.array([2.0, 1.5, 3.0]))
MEANING = Meaning(NORMALIZER, power=1.0, vad_db=30.0)


def utterances(louder: float = 0.0) -> Packed:
    """Two utterances in log-mel, normalized; `louder` is added to every band of the second."""
    random = np.random.default_rng(4)
    rows = random.normal(-6, 2, size=(13, MELS))
    rows[5:] += louder
    lengths = np.array([5, 8])
    normalized = NORMALIZER.apply(rows)
    return Packed(normalized, ("a", "b"), np.array([0, 5]), lengths)


def test_without_its_mean_every_band_of_an_utterance_averages_zero():
    changed = change_input(utterances(), MEANING, "mean_removed", 1)
    for position in range(2):
        np.testing.assert_allclose(changed[position].mean(axis=0), 0, atol=1e-6)


def test_without_its_level_a_louder_recording_is_the_same_as_before():
    quiet, loud = (change_input(utterances(louder), MEANING, "level", 1) for louder in (0.0, 3.0))
    np.testing.assert_allclose(loud.rows, quiet.rows, atol=1e-5)
    assert np.abs(utterances(3.0).rows - utterances().rows).max() > 0.9


def test_the_level_becomes_that_of_the_train_frames_and_the_spectrum_keeps_its_shape():
    frames = utterances()[1]
    log_mel = NORMALIZER.undo(normalize_level(frames, MEANING))
    assert log_mel.mean() == pytest.approx(NORMALIZER.mean.mean(), abs=1e-5)
    moved = log_mel - NORMALIZER.undo(frames)
    np.testing.assert_allclose(moved, moved[0, 0], atol=1e-5)


@pytest.mark.parametrize("control", ["mean_removed", "level"])
def test_utterances_keep_their_names_places_and_lengths(control):
    before = utterances()
    after = change_input(before, MEANING, control, 1)
    assert after.utterance_ids == before.utterance_ids
    np.testing.assert_array_equal(after.offsets, before.offsets)
    assert after.rows.shape == before.rows.shape
    assert after.rows.dtype == np.float32


LOUD, QUIET = 1.0, -3.5  # natural log of a magnitude: 4.5 lie between them, 39 dB


def spoken(pauses):
    """Utterances of loud frames with so many quiet ones in the middle, each band of its own."""
    every = []
    for count in pauses:
        level = np.concatenate([np.full(6, LOUD), np.full(count, QUIET), np.full(4, LOUD)])
        every.append(
            level[:, None] + np.array([0.0, 0.2, -0.1]) + 0.01 * np.arange(len(level))[:, None]
        )
    lengths = np.array([len(one) for one in every])
    names = tuple("abc"[: len(every)])
    rows = NORMALIZER.apply(np.concatenate(every))
    return Packed(rows, names, np.cumsum(lengths) - lengths, lengths)


def test_speech_and_pauses_share_the_frames_of_an_utterance_out():
    before = spoken([5])
    speech, pauses = (change_input(before, MEANING, name, 1) for name in ("speech", "pauses"))
    np.testing.assert_array_equal(pauses[0], before[0][6:11])
    np.testing.assert_array_equal(speech[0], np.delete(before[0], slice(6, 11), axis=0))


@pytest.mark.parametrize(
    ("power", "vad_db", "found"), [(1.0, 45.0, 0), (2.0, 15.0, 5), (2.0, 30.0, 0)]
)
def test_decibels_are_of_power_whatever_the_frames_are_of(power, vad_db, found):
    meaning = Meaning(NORMALIZER, power, vad_db)  # of power, 4.5 are 20 dB
    assert int(change_input(spoken([5]), meaning, "pauses", 0).lengths[0]) == found


def test_an_utterance_with_less_than_a_segment_of_pauses_is_left_out():
    before = spoken([5, 2, 3])
    after = change_input(before, MEANING, "pauses", least=3)
    assert after.utterance_ids == ("a", "c")
    assert after.lengths.tolist() == [5, 3]
    assert after.offsets.tolist() == [0, 5]
    np.testing.assert_array_equal(after[1], before[2][6:9])
    none = change_input(before, MEANING, "pauses", least=6)
    assert (len(none), none.rows.shape) == (0, (0, MELS))


def test_controls_have_the_names_that_others_read():
    assert set(CONTROLS) == {"mean_removed", "level", "speech", "pauses"}
