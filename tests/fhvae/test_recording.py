"""Any rate, any channels: blocks, the mix that the model hears, and what is refused."""

import os

import numpy as np
import pytest
import soundfile

from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.fbank import log_mel
from fhvae.recording import Audio, from_samples, mixed, open_recording
from tests.params_factory import fbank_params


def tone(rate_hz, seconds=0.5, hz=440.0):
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
def test_the_mix_is_the_same_sound_at_16_khz(rate_hz):
    with mixed(from_samples(tone(rate_hz), rate_hz)) as mix:
        found = mix.read(0, mix.length) / 32768
    wanted = tone(16000)
    assert abs(len(found) - len(wanted)) <= 2
    middle = slice(2000, 6000)
    assert np.abs(found[middle] - wanted[middle]).max() < 2e-3


def test_the_mix_is_the_mean_of_the_channels():
    left = tone(16000)
    with mixed(from_samples(np.stack([left, np.zeros_like(left)], axis=1), 16000)) as mix:
        assert np.abs(mix.read(0, mix.length) - np.rint(left / 2 * 32768)).max() <= 1


def test_int16_comes_back_in_every_bit(monkeypatch):
    monkeypatch.setattr("fhvae.recording.BLOCK_VALUES", 37)
    steps = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    with mixed(from_samples(steps, 16000)) as mix:
        assert mix.read(-5, 2000).tolist() == steps.tolist()
        assert mix.read(7, 9).tolist() == steps[7:9].tolist()


@pytest.mark.parametrize(("first", "last"), [(0, 3), (0, 26), (5, 6), (20, 26), (24, 26)])
def test_a_part_has_the_frames_of_the_whole(first, last):
    samples = np.random.default_rng(0).integers(-9000, 9000, 4055).astype(np.int16)
    params = fbank_params()
    with mixed(from_samples(samples, 16000)) as mix:
        assert mix.frames(params) == 26
        found = mix.log_mel(first, last, params)
    # products of another number of rows round otherwise
    assert np.allclose(found, log_mel(samples, params)[first:last], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_24"), ("a.flac", "PCM_16")])
def test_a_file_is_read_as_often_as_one_likes(tmp_path, name, subtype):
    given = np.stack([tone(22050), -tone(22050, hz=300.0)], axis=1)
    soundfile.write(tmp_path / name, given, 22050, subtype=subtype)
    recording = open_recording(tmp_path / name)
    assert (recording.rate_hz, recording.channels, recording.samples) == (22050, 2, len(given))
    assert recording.subtype == subtype
    for _ in range(2):
        assert np.abs(np.concatenate(list(recording.read())) - given).max() < 1e-4


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(900, np.float32), "must hold sound, every sample is 0"),
        (np.full(900, np.nan), "must be finite numbers"),
        (np.full(900, 3.0), "must lie between -1 and 1, the largest is 3"),
        (np.stack([tone(16000), -tone(16000)], axis=1), "or the channels cancel"),
    ],
)
def test_what_is_no_sound_is_told(samples, message):
    with (
        pytest.raises(CorpusError, match=f"samples: .*{message}"),
        mixed(from_samples(samples, 16000)),
    ):
        pass


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [
        (np.zeros((2, 3, 4)), 16000, r"got shape \(2, 3, 4\)"),
        (np.zeros(0), 16000, r"got shape \(0,\)"),
        (np.zeros(9, np.int64), 16000, "must be int16 or floats, got int64"),
        (np.zeros((2, 900)), 16000, "transpose them"),
        (np.zeros(9), 10, "must be 4000 to 192000 Hz, got 10"),
    ],
)
def test_samples_of_another_kind_are_told(samples, rate_hz, message):
    with pytest.raises(CorpusError, match=message):
        from_samples(samples, rate_hz)


def test_files_that_are_none_are_told(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    for name, message in {"text.wav": "must be an audio file", "none.wav": "readable"}.items():
        with pytest.raises(CorpusError, match=rf"{name}: {message}|{name}: must be a {message}"):
            open_recording(tmp_path / name)


def test_audio_is_written_as_it_is_and_only_where_it_can(tmp_path):
    Audio(tone(11025), 11025).write(tmp_path / "out/a.wav")
    found, rate_hz = soundfile.read(tmp_path / "out/a.wav", dtype="float32")
    assert rate_hz == 11025
    assert np.abs(found - tone(11025)).max() < 1e-4
    with pytest.raises(ArtifactError, match=r"must end with \.wav or \.flac"):
        Audio(tone(11025), 11025).write(tmp_path / "a.mp3")
    for samples, rate_hz in ((np.zeros((50, 9)), 16000), (tone(16), 96001), (tone(16), 700_000)):
        Audio(samples, rate_hz).write(tmp_path / "a.wav")
        with pytest.raises(ArtifactError, match=r"at most 8 channels .*; name a \.wav"):
            Audio(samples, rate_hz).write(tmp_path / "a.flac")
    Audio(np.zeros((50, 8)), 96000).write(tmp_path / "a.flac")
    for name in ("a\0.wav", "a\ud800.wav"):
        with pytest.raises(ArtifactError, match="must be the name of a file"):
            Audio(tone(16000), 16000).write(name)
    (tmp_path / "d.wav").mkdir()
    with pytest.raises(ArtifactError, match="must be a file or not there yet"):
        Audio(tone(16000), 16000).write(tmp_path / "d.wav")


@pytest.mark.parametrize("end", [b".wav", b".flac"])
def test_a_name_that_is_no_utf_8_is_written_and_read(tmp_path, end):
    path = tmp_path / os.fsdecode(b"a\xff" + end)
    Audio(tone(16000), 16000).write(path)
    assert open_recording(path).samples == 8000
