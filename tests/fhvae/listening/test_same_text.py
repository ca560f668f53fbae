"""Readings laid on each other phone by phone: what is alike is at no distance."""

import numpy as np
import pytest

from fhvae.corpus.manifest import Phone
from fhvae.listening.same_text import distances_to_reading, phone_spans, target_times
from tests.params_factory import fbank_params

RATE = 16_000
FBANK = fbank_params(mels=23)
SOURCE = (Phone(0.0, 0.1, "sil"), Phone(0.1, 0.3, "aa"), Phone(0.4, 0.6, "iy"))
TARGET = (Phone(0.0, 0.4, "aa"), Phone(0.4, 0.5, "pau"), Phone(0.5, 0.6, "iy"))


def voice(f0_hz, seconds=1.0, brightness=0.7):
    times = np.arange(int(seconds * RATE)) / RATE
    tones = [
        brightness**n * np.sin(2 * np.pi * n * f0_hz * times) for n in range(1, int(7900 / f0_hz))
    ]
    return np.rint(2000 * np.sum(tones, axis=0)).astype(np.int16)


def whole(seconds, other_s=None):
    return np.array([[0.0, seconds, 0.0, other_s or seconds]])


def test_phones_are_laid_on_each_other_and_pauses_have_no_part():
    spans = phone_spans(SOURCE, TARGET)
    assert spans.tolist() == [[0.1, 0.3, 0.0, 0.4], [0.4, 0.6, 0.5, 0.6]]


@pytest.mark.parametrize("target", [TARGET[:1], (), (Phone(0, 1, "aa"), Phone(1, 2, "sh"))])
def test_other_phones_are_another_text(target):
    assert phone_spans(SOURCE, target) is None


def test_times_run_linearly_through_a_phone_and_are_unknown_between():
    found = target_times(phone_spans(SOURCE, TARGET), np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.6]))
    assert np.isnan(found[[0, 3, 5]]).all()
    assert found[[1, 2, 4]] == pytest.approx([0.0, 0.2, 0.55])


def test_a_louder_and_slower_reading_is_at_no_distance():
    found = distances_to_reading(
        voice(150.0, brightness=0.9), voice(150.0, 1.5, 0.9) // 2, whole(0.9, 1.4), FBANK
    )
    assert found["lsd"] < 0.5
    assert found["mcd"] < 0.5
    assert found["f0"] < 0.05
    assert found["voicing"] == 0.0


def test_another_spectrum_and_another_pitch_are():
    spans = whole(0.9)
    brighter = distances_to_reading(voice(150.0, brightness=0.9), voice(150.0), spans, FBANK)
    assert brighter["lsd"] > 5
    assert brighter["mcd"] > 5
    higher = distances_to_reading(voice(240.0), voice(120.0), spans, FBANK)
    assert higher["f0"] == pytest.approx(12.0, abs=0.05)


def test_frames_are_taken_where_the_target_says_the_same():
    """Two halves of different spectrum, read in the other order."""
    dark, bright = voice(150.0, 0.5), voice(150.0, 0.5, 0.95)
    first, second = np.concatenate([dark, bright]), np.concatenate([bright, dark])
    crossed = np.array([[0.05, 0.45, 0.55, 0.95], [0.55, 0.95, 0.05, 0.45]])
    assert distances_to_reading(first, second, crossed, FBANK)["lsd"] < 1
    assert distances_to_reading(first, second, whole(0.95), FBANK)["lsd"] > 5


def test_f0_of_a_hiss_is_left_out():
    hiss = np.random.default_rng(3).integers(-3000, 3000, RATE).astype(np.int16)
    found = distances_to_reading(hiss, voice(150.0), whole(0.9), FBANK)
    assert "f0" not in found
    assert found["voicing"] > 0.9
