"""Log-mel frames against tones, clicks, silence and a second implementation."""

import dataclasses

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus import manifest
from fhvae.errors import ParamsError
from fhvae.features import fbank
from fhvae.features.fbank import (
    check_fbank,
    frame_count,
    frame_time_s,
    hop_samples,
    log_mel,
    mel_filters,
    window,
)
from tests.params_factory import fbank_params

PAPER = fbank_params(mels=80)


def changed(**keys):
    return dataclasses.replace(PAPER, **keys)


def noise(length, seed=0):
    return np.random.default_rng(seed).integers(-8000, 8000, length, dtype=np.int16)


def speechlike_noise(length):
    """Noise that falls with frequency as speech does, so that no band is rounding noise."""
    white = np.random.default_rng(1).normal(size=length + 100)
    falling = np.convolve(white, 0.95 ** np.arange(100), mode="valid")[:length]
    return np.round(2500 * falling).clip(-32768, 32767).astype(np.int16)


def second_implementation(samples, params):
    """Frame by frame in float64, with NumPy alone; only the filterbank is librosa's."""
    wave = samples.astype(np.float64) / 32768
    wave = np.array([wave[0], *(wave[1:] - params.preemphasis * wave[:-1])])
    hop, length = round(params.hop_ms * 16), round(params.window_ms * 16)
    taper = np.hamming(length + 1)[:-1]
    filters = librosa.filters.mel(
        sr=16000, n_fft=params.fft_size, n_mels=params.mels, norm=None, dtype=np.float64
    )
    frames = []
    for center in range(0, len(wave) + 1, hop):
        places = np.abs(np.arange(center - length // 2, center + length - length // 2))
        last = len(wave) - 1
        places = np.where(places > last, 2 * last - places, places)
        spectrum = np.abs(np.fft.rfft(wave[places] * taper, params.fft_size))
        frames.append(np.maximum(np.log(filters @ spectrum**params.power), params.log_floor))
    return np.array(frames)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(PAPER, id="default"),
        pytest.param(changed(fft_size=400), id="authors-fft"),
        pytest.param(changed(power=2.0), id="energies"),
        pytest.param(changed(mels=23, hop_ms=12.5, window_ms=20.0), id="other-sizes"),
        pytest.param(changed(preemphasis=0.0), id="no-preemphasis"),
    ],
)
def test_frames_equal_those_of_a_second_implementation(params):
    samples = speechlike_noise(5003)
    np.testing.assert_allclose(
        log_mel(samples, params), second_implementation(samples, params), atol=1e-5
    )


@pytest.mark.parametrize("band", [8, 20, 35, 50, 65, 79])
def test_a_tone_peaks_in_its_band(band):
    centers_hz = librosa.mel_frequencies(82, fmin=0, fmax=8000)[1:-1]
    time_s = np.arange(8000) / 16000
    samples = np.round(9000 * np.sin(2 * np.pi * centers_hz[band] * time_s)).astype(np.int16)
    frames = log_mel(samples, PAPER)[5:-5]
    assert set(frames.argmax(axis=1)) == {band}


@pytest.mark.parametrize("frame", [0, 1, 7, 20])
def test_a_click_peaks_in_the_frame_of_its_time(frame):
    samples = np.zeros(3400, np.int16)
    samples[160 * frame] = 20000
    levels = log_mel(samples, PAPER).mean(axis=1)
    assert levels.argmax() == frame
    assert frame_time_s(frame, 10.0) == pytest.approx(160 * frame / 16000)


def test_only_the_first_sample_of_a_constant_survives_full_preemphasis():
    """It is kept as it is: every later one has its predecessor taken away."""
    frames = log_mel(np.full(2000, 5000, np.int16), changed(preemphasis=1.0))
    assert (frames[:2] > -20).all()
    assert (frames[2:] == -20).all()


def test_digital_silence_lies_on_the_floor():
    assert (log_mel(np.zeros(1000, np.int16), PAPER) == -20).all()
    assert (log_mel(np.zeros(1000, np.int16), changed(log_floor=-7.5)) == -7.5).all()


@pytest.mark.parametrize(("power", "step"), [(1.0, np.log(2)), (2.0, 2 * np.log(2))])
def test_twice_the_height_adds_a_constant(power, step):
    samples, params = noise(2000), changed(power=power)
    np.testing.assert_allclose(
        log_mel(samples * 2, params) - log_mel(samples, params), step, atol=1e-4
    )


@given(length=st.integers(1, 1200), hop_ms=st.sampled_from([5.0, 10.0, 12.5]))
def test_every_length_gives_the_frames_promised(length, hop_ms):
    """Shorter than half a spectrum included: such utterances are dropped later, by name."""
    frames = log_mel(noise(length), changed(hop_ms=hop_ms))
    assert frames.shape == (frame_count(length, hop_ms), 80)
    assert frames.dtype == np.float32
    assert np.isfinite(frames).all()


@pytest.mark.parametrize(
    ("samples", "expected"), [(1, 1), (159, 1), (160, 2), (16000, 101), (16159, 101), (16160, 102)]
)
def test_frame_count_known_by_hand(samples, expected):
    assert frame_count(samples, 10.0) == expected


def test_the_two_sample_rates_are_one():
    assert fbank.SAMPLE_RATE_HZ == manifest.SAMPLE_RATE_HZ


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.int16), np.zeros(500, np.float32), np.zeros((2, 500), np.int16)],
    ids=["empty", "floats", "two-channels"],
)
def test_anything_but_one_channel_of_int16_is_a_slip(samples):
    with pytest.raises(ValueError, match=r"samples must be \[sample\] int16"):
        log_mel(samples, PAPER)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"fft_size": 398}, r"fft_size must be even and at least the 400 samples .*got 398"),
        ({"fft_size": 513}, r"fft_size must be even .*got 513"),
        ({"mels": 200}, r"mels must leave no mel band empty, got 200: .*fft_size=512 band 0 holds"),
        ({"hop_ms": 10.01}, r"hop_ms must be a whole number of samples at 16000 Hz .*got 10\.01"),
        ({"hop_ms": 0.01}, r"hop_ms must be a whole number of samples"),
        ({"window_ms": 25.03}, r"window_ms must be a whole number of samples .*0\.0625 ms"),
    ],
)
def test_sections_that_cannot_work_are_refused(keys, message):
    with pytest.raises(ParamsError, match=rf"fbank\.{message}"):
        check_fbank(changed(**keys))
    with pytest.raises(ParamsError, match=rf"fbank\.{message}"):
        log_mel(noise(4000), changed(**keys))


def test_the_default_section_passes():
    check_fbank(PAPER)
    assert hop_samples(PAPER.hop_ms) == 160


def test_cached_arrays_are_shared_and_safe():
    assert mel_filters(PAPER) is mel_filters(changed())
    for array in (mel_filters(PAPER), window(PAPER)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_no_band_repeats_its_neighbors():
    """Decision 0003: with 400 points one of 80 bands is a combination of others."""
    assert np.linalg.matrix_rank(mel_filters(PAPER).astype(np.float64)) == 80
    assert np.linalg.matrix_rank(mel_filters(changed(fft_size=400)).astype(np.float64)) == 79
