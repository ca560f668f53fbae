"""The noises themselves; a folder of recorded noise: read, or refused with one sentence."""

import logging

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from fhvae.acoustics import noises
from fhvae.acoustics.noises import (
    looped,
    read_noise_folder,
    speech_spectrum,
    sum_voices,
    utterance_spectrum,
)
from fhvae.corpus.signals import to_int16
from fhvae.errors import CorpusError
from fhvae.seeds import generator
from tests.fhvae.acoustics.made_up_sounds import pack, write_noise_folder

FRAME = 320
ALWAYS = np.ones(5000, bool)


def test_a_recording_goes_round_and_round():
    source = np.arange(1.0, 1001.0)
    heard = looped(source, np.ones(2500, bool), 60.0, generator(0, "loop"))
    steps = np.diff(heard)
    assert set(steps) == {1.0, -999.0}
    assert 2 <= np.sum(steps == -999.0) <= 3


def test_the_start_is_drawn():
    source = np.random.default_rng(0).standard_normal(20 * FRAME)
    starts = {looped(source, ALWAYS, 30.0, generator(0, "loop", n))[0] for n in range(60)}
    assert len(starts) > 10


@given(st.integers(0, 50), st.integers(1, 5000), st.integers(0, 4999))
def test_a_recording_that_mostly_pauses_sounds_where_speech_begins(seed, length, first):
    """A bark of one frame in 20 of digital silence, speech anywhere: never 0 / 0."""
    source = np.zeros(20 * FRAME)
    source[7 * FRAME : 8 * FRAME] = 0.5
    active = np.zeros(5000, bool)
    active[first : first + length] = True
    heard = looped(source, active, 30.0, generator(seed, "loop"))
    assert heard[active][:FRAME].all()


def test_voices_are_equally_loud_while_they_speak():
    """One whispers and pauses half of its time: while it speaks it is as loud as the other."""
    loud = np.full(4 * FRAME, 0.3)
    soft = np.concatenate([np.full(2 * FRAME, 0.001), np.zeros(2 * FRAME)])
    heard = sum_voices([loud, soft], np.ones(4 * FRAME, bool), 30.0, generator(0, "babble"))
    levels, counts = np.unique(heard.round(9), return_counts=True)
    assert levels.tolist() == [1.0, 2.0]
    assert counts.tolist() == [2 * FRAME, 2 * FRAME]


def test_the_spectrum_of_a_voice_is_where_it_sings():
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16_000)
    power = utterance_spectrum(tone)
    assert power.shape == (257,)
    assert power.sum() == pytest.approx(1.0)
    assert power.argmax() == 32  # 1000 Hz in steps of 31.25
    assert power[30:35].sum() > 0.99


def sing(hz, amplitude):
    return to_int16(amplitude * np.sin(2 * np.pi * hz * np.arange(3000) / 16_000))


def test_every_utterance_counts_alike_however_loud(tmp_path):
    clips = pack(tmp_path / "train", {"soft": sing(1000, 0.01), "loud": sing(3000, 0.9)})
    power = speech_spectrum(clips, seed=0)
    assert power[30:35].sum() == pytest.approx(0.5, abs=0.01)
    assert power[94:99].sum() == pytest.approx(0.5, abs=0.01)


def test_a_large_corpus_is_sampled_by_the_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(noises, "SPECTRUM_UTTERANCES", 2)
    clips = pack(tmp_path / "train", {str(n): sing(500 * (n + 1), 0.5) for n in range(6)})
    spectra = [speech_spectrum(clips, seed) for seed in (0, 0, 1, 2, 3)]
    np.testing.assert_array_equal(spectra[0], spectra[1])
    assert any(not np.array_equal(spectra[0], other) for other in spectra[2:])


@pytest.mark.parametrize("length", [1, 511, 512, 513, 1000])
def test_any_length_has_a_spectrum(length):
    assert utterance_spectrum(np.ones(length)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("place", [0, 599])
def test_the_first_and_the_last_sample_count(place):
    """A click has a flat spectrum, wherever in the utterance it is."""
    signal = np.zeros(600)
    signal[place] = 1.0
    assert utterance_spectrum(signal) == pytest.approx(1 / 257)


def test_silence_has_no_spectrum(tmp_path):
    clips = pack(tmp_path / "train", {"u1": sing(1000, 0.1), "u2": np.zeros(3000, np.int16)})
    with pytest.raises(CorpusError, match="utterance u2 must hold sound, every sample is 0"):
        speech_spectrum(clips, seed=0)


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


def test_noises_that_mostly_pause_are_left_out_and_named(tmp_path, caplog):
    sounding = {"rain-1": 1.0, "bark": 0.1, "rain-0": 0.9, "cry": 0.6}
    folder = write_noise_folder(tmp_path / "noise", sounding)
    with caplog.at_level(logging.WARNING):
        found = read_noise_folder(folder, 30.0)
    assert [one.noise_id for one in found.kept] == ["cry", "rain-0", "rain-1"]
    assert [one.kind for one in found.kept] == ["cry", "rain", "rain"]
    assert [one.noise_id for one in found.left_out] == ["bark"]
    assert "1 of 4 noises pause for more than half of their time and are left out: bark" in (
        caplog.text
    )


def test_a_folder_of_short_sounds_is_refused(tmp_path):
    folder = write_noise_folder(tmp_path / "noise", {"bark": 0.1, "sneeze": 0.2})
    with pytest.raises(CorpusError, match=r"one recording at least must sound in 50% .* of 2 does"):
        read_noise_folder(folder, 30.0)


HEAD = "noise_id,path,class\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noise_id,path\na,b\n", "column class must be there once, found noise_id, path"),
        (HEAD, "must have a row per recording, it has none"),
        (HEAD + ",rain.flac,rain\n", "row 2: noise_id must be a name that occurs once, .* got ''"),
        (
            HEAD + "rain,rain.flac,rain\nrain,rain.flac,rain\n",
            "row 3: noise_id must be a name that occurs once, .* got 'rain'",
        ),
        (HEAD + "r\x1b[31m,rain.flac,rain\n", "row 2: noise_id must be a name .* printable, got"),
        (HEAD + "rain,rain.flac,r\x07\n", "row 2: noise_id must be a name .* printable, got"),
        (HEAD + "rain,,rain\n", "row 2: path of rain must be relative to .*, got ''"),
        (HEAD + "rain,/etc/motd,rain\n", "row 2: path of rain must be relative to .*/etc/motd"),
        (HEAD + "rain,../x.flac,rain\n", r"row 2: path of rain must stay inside .*, '\.\./x"),
        (HEAD + "rain,x.flac,rain\n", r"row 2: path of rain must name a file, 'x\.flac' is not"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path, text, message):
    folder = write_noise_folder(tmp_path / "noise", {"rain": 1.0})
    (folder / "manifest.csv").write_text(text)
    with pytest.raises(CorpusError, match=rf"manifest\.csv:? {message}"):
        read_noise_folder(folder, 30.0)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"manifest\.csv must exist; see docs/corpora\.md"):
        read_noise_folder(tmp_path, 30.0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(500), "must hold sound, every sample is 0"),
        (np.stack([np.ones(500), -np.ones(500)], axis=1) / 2, "its 2 channels differ"),
    ],
)
def test_a_bad_recording_is_named(tmp_path, samples, message):
    folder = write_noise_folder(tmp_path / "noise", {"rain": 1.0, "wind": 1.0})
    soundfile.write(folder / "wind.flac", samples, 16_000)
    with pytest.raises(CorpusError, match=rf"^noise wind: .*wind\.flac: .*{message}"):
        read_noise_folder(folder, 30.0)
