"""A recording with another voice: nothing where nothing is asked, a known gain, no seams."""

import numpy as np
import pytest

from fhvae.conversion.change import Change, changed_blocks, padded_blocks
from fhvae.conversion.pitch import PitchMove, PitchRange, track_pitch
from fhvae.params.conversion import ConversionParams
from fhvae.recording import from_samples, mixed
from tests.fhvae.conversion.conftest import STD

PARAMS = ConversionParams(shift=2)
NOTHING = np.zeros(2)


def noise(seconds, rate_hz, channels=1, seed=0):
    values = np.random.default_rng(seed).normal(
        scale=0.1, size=(round(seconds * rate_hz), channels)
    )
    return values.astype(np.float32)


def voiced(seconds, rate_hz, f0=120.0):
    """Pulses through one resonance, silence around them."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    pulses = np.diff(np.floor(times * f0), prepend=0.0)
    ringing = np.arange(round(0.01 * rate_hz)) / rate_hz
    wave = np.convolve(pulses, np.exp(-400 * ringing) * np.sin(2 * np.pi * 700 * ringing))
    quiet = (times < 0.2) | (times > seconds - 0.2)
    return (0.3 * np.where(quiet, 0.0, wave[: len(times)])).astype(np.float32)[:, None]


def changed(trained, samples, rate_hz, step=NOTHING, pitch=None, params=PARAMS, block_s=8.0):
    recording = from_samples(samples, rate_hz)
    with mixed(recording) as mix:
        f0 = track_pitch(mix)
        change = Change(step, pitch, f0)
        return np.concatenate(
            list(changed_blocks(trained, recording, mix, change, params, block_s))
        )


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 1), (11025, 2), (16000, 1), (22050, 3), (44100, 2)]
)
def test_nothing_asked_is_the_input_to_its_last_sample(trained, rate_hz, channels):
    given = noise(0.4137, rate_hz, channels)
    found = changed(trained, given, rate_hz)
    assert found.shape == given.shape
    assert np.abs(found - given).max() < 1e-12


@pytest.mark.parametrize("rate_hz", [8000, 44100])
def test_grains_that_stay_add_up_to_the_input(trained, rate_hz):
    given = voiced(0.9, rate_hz) + noise(0.9, rate_hz) / 1000
    stay = PitchMove(PitchRange(np.log(120), 0.1), np.log(120), 1.0)
    assert np.abs(changed(trained, given, rate_hz, pitch=stay) - given).max() < 1e-12


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_what_the_decoder_says_is_what_the_spectrum_gets(telling, power):
    from dataclasses import replace

    model = replace(telling, fbank=replace(telling.fbank, power=power))
    given = noise(0.4, 22050, 2)
    found = changed(model, given, 22050, step=np.array([0.8, 5.0]))
    assert np.allclose(found, np.exp(0.8 * STD / power) * given, atol=1e-9)


def test_a_gain_is_bounded(telling):
    given = noise(0.4, 16000)
    found = changed(telling, given, 16000, step=np.array([-1000.0, 0.0]))
    assert np.allclose(found, np.exp(-PARAMS.most_gain) * given, atol=1e-9)


def test_blocks_leave_no_seam(trained):
    given = voiced(1.3, 22050) + noise(1.3, 22050) / 100
    move = PitchMove(PitchRange(np.log(120), 0.1), np.log(150), 1.2)
    step = np.array([2.0, -1.0])
    whole, pieces = (
        changed(trained, given, 22050, step, move, block_s=block_s) for block_s in (8.0, 0.11)
    )
    assert np.abs(whole - given).max() > 1e-3
    assert np.abs(whole - pieces).max() < 1e-6


@pytest.mark.parametrize("factor", [0.7, 1.25, 1.6])
def test_pitch_moves_and_time_does_not(trained, factor):
    given = voiced(1.2, 16000)
    move = PitchMove(PitchRange(np.log(120), 0.0), np.log(120 * factor), 1.0)
    found = changed(trained, given, 16000, pitch=move)
    with mixed(from_samples(found.astype(np.float32), 16000)) as mix:
        f0 = track_pitch(mix)
    assert np.median(f0[f0 > 0]) == pytest.approx(120 * factor, rel=0.02)
    assert np.abs(found[:2500]).max() < 1e-3
    assert np.abs(found[-2500:]).max() < 1e-3
    assert np.square(found).mean() == pytest.approx(np.square(given).mean(), rel=0.3)


def test_channels_get_the_same_gain(telling):
    given = noise(0.4, 16000, 2)
    given[:, 1] *= 0.01
    found = changed(telling, given, 16000, step=np.array([1.0, 0.0]))
    assert np.allclose(found / given, np.exp(STD), rtol=1e-4)


@pytest.mark.parametrize("lengths", [[11], [1] * 11, [4, 7], [10, 1]])
@pytest.mark.parametrize(("size", "beside"), [(4, 3), (11, 2), (12, 5), (1, 4)])
def test_blocks_see_what_lies_beside_them(lengths, size, beside):
    values = np.arange(1.0, 12.0)[:, None]
    ends = np.cumsum(lengths)
    stream = (values[end - length : end] for end, length in zip(ends, lengths, strict=True))
    padded = np.pad(values, ((beside, beside), (0, 0)))
    found = list(padded_blocks(stream, size, beside))
    assert [start for start, _ in found] == list(range(0, 11, size))
    for start, part in found:
        behind = min(start + size, 11) + 2 * beside
        assert part.tolist() == padded[start:behind].tolist()
