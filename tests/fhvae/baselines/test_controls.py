"""Inputs without level or mean spectrum: what is taken away, and what must stay."""

import numpy as np
import pytest

from fhvae.baselines.level import CONTROLS, change_input, normalize_level
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed

MELS = 3
NORMALIZER = Normalizer(mean=np.array([-5.0, -6.0, -7.5]), std=np.array([2.0, 1.5, 3.0]))


def utterances(louder: float = 0.0) -> Packed:
    """Two utterances in log-mel, normalized; `louder` is added to every band of the second."""
    random = np.random.default_rng(4)
    rows = random.normal(-6, 2, size=(13, MELS))
    rows[5:] += louder
    lengths = np.array([5, 8])
    normalized = NORMALIZER.apply(rows)
    return Packed(normalized, ("a", "b"), np.array([0, 5]), lengths)


def test_without_its_mean_every_band_of_an_utterance_averages_zero():
    changed = change_input(utterances(), NORMALIZER, "mean_removed")
    for position in range(2):
        np.testing.assert_allclose(changed[position].mean(axis=0), 0, atol=1e-6)


def test_without_its_level_a_louder_recording_is_the_same_as_before():
    quiet, loud = (change_input(utterances(louder), NORMALIZER, "level") for louder in (0.0, 3.0))
    np.testing.assert_allclose(loud.rows, quiet.rows, atol=1e-5)
    assert np.abs(utterances(3.0).rows - utterances().rows).max() > 0.9


def test_the_level_becomes_that_of_the_train_frames_and_the_spectrum_keeps_its_shape():
    frames = utterances()[1]
    log_mel = NORMALIZER.undo(normalize_level(frames, NORMALIZER))
    assert log_mel.mean() == pytest.approx(NORMALIZER.mean.mean(), abs=1e-5)
    moved = log_mel - NORMALIZER.undo(frames)
    np.testing.assert_allclose(moved, moved[0, 0], atol=1e-5)


@pytest.mark.parametrize("control", CONTROLS)
def test_utterances_keep_their_names_places_and_lengths(control):
    before = utterances()
    after = change_input(before, NORMALIZER, control)
    assert after.utterance_ids == before.utterance_ids
    np.testing.assert_array_equal(after.offsets, before.offsets)
    assert after.rows.shape == before.rows.shape
    assert after.rows.dtype == np.float32
