"""MFCC, the energy detector and what is taken out of an utterance."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.baselines.ivector.detector import is_speech
from fhvae.baselines.ivector.extraction import SpeechCounts
from fhvae.baselines.ivector.speech import (
    MIN_SPEECH_FRAMES,
    add_differences,
    cepstra,
    feature_count,
    normalize,
    speech_frames,
)
from fhvae.params.ivector import FrontEnd
from fhvae.params.whole import load_params
from tests.params_factory import ivector_params

HOP = 160  # samples
FBANK = load_params().fbank
PARAMS = ivector_params()
FRONT = FrontEnd(30.0, "mean_variance")


def noise(seconds, scale, seed=0):
    return np.random.default_rng(seed).normal(scale=scale, size=int(seconds * 16_000))


def test_cepstra_of_a_flat_spectrum_hold_its_level_alone():
    level = 3.0
    found = cepstra(np.full((4, 9), level), 5)
    assert found.shape == (4, 5)
    np.testing.assert_allclose(found[:, 0], level * np.sqrt(9))  # orthonormal DCT
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-12)


def test_cepstra_are_cosines_over_bands():
    bands = 9
    shape = np.cos(np.pi * 2 * (np.arange(bands) + 0.5) / bands)
    found = cepstra(np.array([shape]), 4)
    np.testing.assert_allclose(found, [[0, 0, np.sqrt(bands / 2), 0]], atol=1e-12)


def test_differences_of_a_straight_line_are_its_slope_and_zero():
    slopes = np.array([0.5, -2.0, 0.0])
    line = np.arange(40)[:, None] * slopes + 7
    found = add_differences(line)
    assert found.shape == (40, 9)
    np.testing.assert_allclose(found[:, :3], line)
    inner = slice(8, -8)  # the ends are repeated, which bends the line
    np.testing.assert_allclose(found[inner, 3:6], np.tile(slopes, (24, 1)), atol=1e-12)
    np.testing.assert_allclose(found[inner, 6:], 0, atol=1e-12)


def test_the_detector_keeps_the_loud_half():
    quiet, loud = np.full((30, 4), np.log(1e-1)), np.full((20, 4), np.log(1e3))
    found = is_speech(np.concatenate([quiet, loud]), 30.0)
    np.testing.assert_array_equal(found, [False] * 30 + [True] * 20)
    assert is_speech(np.concatenate([quiet, loud]), 50.0).all()  # 40 dB lie between them


@pytest.mark.parametrize("gain", [0.1, 10.0])
def test_the_detector_does_not_hear_the_level(gain):
    energies = np.random.default_rng(0).normal(scale=4, size=(50, 4))
    np.testing.assert_array_equal(
        is_speech(energies, 20.0), is_speech(energies + np.log(gain), 20.0)
    )


def test_pauses_of_a_waveform_are_dropped():
    samples = np.concatenate([noise(0.5, 1), noise(0.3, 3000), noise(0.5, 1)]).astype(np.int16)
    found = speech_frames(samples, FRONT, PARAMS, FBANK)
    assert found.detected
    assert found.total == 1 + len(samples) // HOP
    assert len(found.frames) == pytest.approx(30, abs=4)  # a window reaches over the edge
    assert found.frames.shape[1] == feature_count(PARAMS) == 15


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(8000, np.int16), id="digital-silence"),
        pytest.param(
            np.concatenate([np.zeros(8000), noise(0.02, 9000)]).astype(np.int16), id="one-click"
        ),
    ],
)
def test_an_utterance_without_speech_is_taken_whole_and_says_so(samples):
    found = speech_frames(samples, FRONT, PARAMS, FBANK)
    assert not found.detected
    assert len(found.frames) == found.total == 1 + len(samples) // HOP
    assert found.total > MIN_SPEECH_FRAMES
    assert np.isfinite(found.frames).all()


def test_frames_are_those_of_the_model():
    samples = noise(0.6, 3000).astype(np.int16)
    slow = replace(FBANK, hop_ms=20.0)
    assert speech_frames(samples, FRONT, PARAMS, slow).total == 1 + len(samples) // (2 * HOP)
    usual, *others = (
        speech_frames(samples, FRONT, PARAMS, replace(FBANK, **change)).frames
        for change in ({}, {"window_ms": 20.0}, {"preemphasis": 0.0}, {"log_floor": 12.0})
    )
    assert not any(np.allclose(usual, other, atol=1e-2) for other in others)
    other_bands = replace(FBANK, mels=7, power=1.0)  # bands and power are MFCC's own
    np.testing.assert_array_equal(speech_frames(samples, FRONT, PARAMS, other_bands).frames, usual)


def test_mean_and_variance_are_those_of_the_utterance():
    features = np.random.default_rng(0).normal(3, 5, size=(60, 4))
    features[:, 2] = 7.0
    found = normalize(features, "mean_variance")
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0, 1], rtol=1e-6)
    centered = normalize(features, "mean")
    np.testing.assert_allclose(centered, features - features.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(normalize(features, "corpus"), features.astype(np.float32))


@pytest.mark.parametrize("normalization", ["mean", "mean_variance"])
def test_without_its_mean_an_utterance_has_no_level(normalization):
    """A gain moves every log energy by one number, so only the first cepstrum's mean."""
    front = FrontEnd(30.0, normalization)
    quiet = (noise(0.4, 1000)).astype(np.int16)
    found, louder = (
        speech_frames(samples, front, PARAMS, FBANK).frames for samples in (quiet, quiet * 4)
    )
    np.testing.assert_allclose(found, louder, atol=1e-3)


def test_shares_of_speech_are_of_all_frames_and_whole_utterances_are_named(caplog):
    found = SpeechCounts("dev", 3, 100, 60, ("b",)).metrics()
    assert (found["speech_share"], found["without_speech"]) == (0.6, 1)
    assert "dev: too little speech found in 1 of 3 utterances" in caplog.text
