"""The binding: repeatable whatever came before, and one clear sentence where it cannot work."""

import ctypes
import sys
import tempfile
from dataclasses import replace

import numpy as np
import pytest

from fhvae.corpus.espeak import synthesizer
from fhvae.corpus.espeak.synthesizer import RATE_HZ, SpeechRequest, synthesize
from fhvae.errors import CorpusError

espeakng_loader = pytest.importorskip("espeakng_loader")

PLAIN = SpeechRequest(text="The boy saw a ship.", accent="gmw/en-US")
NOISY_VOICE = replace(
    PLAIN, text="A huge moth hid.", variant="pitch 150 210\nroughness 3\nbreath 0 4 6 6 4 3 3 2\n"
)


def test_the_same_request_gives_the_same_samples_whatever_came_before():
    """The library keeps oscillator and noise state, which only unloading resets."""
    first = synthesize(NOISY_VOICE)
    synthesize(PLAIN)
    again = synthesize(NOISY_VOICE)
    assert np.array_equal(first.samples, again.samples)
    assert first.onsets == again.onsets


@pytest.mark.parametrize(
    "change",
    [
        {"text": "The toy saw a ship."},
        {"accent": "gmw/en-GB-scotland"},
        {"variant": "formant 1 110 100 100\n"},
        {"rate_wpm": 190},
        {"pitch": 60},
        {"pitch_range": 20},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_request_is_heard(change):
    assert not np.array_equal(synthesize(replace(PLAIN, **change)).samples, _plain_samples())


def test_the_seed_is_heard_in_a_breathy_voice():
    other = synthesize(replace(NOISY_VOICE, seed=2))
    assert not np.array_equal(other.samples, synthesize(NOISY_VOICE).samples)


def test_phones_come_in_time_order_and_end_in_a_pause():
    speech = synthesize(PLAIN)
    starts = [onset.sample for onset in speech.onsets]
    assert starts == sorted(starts)
    assert 0 <= starts[0] < 0.02 * RATE_HZ
    assert starts[-1] <= len(speech.samples)
    assert speech.onsets[-1].mnemonic.startswith("_")
    assert [onset.mnemonic for onset in speech.onsets].count("S") == 1


def test_an_s_starts_where_its_hiss_starts():
    """Above 4 kHz an s is far louder than the vowel before it: 10 ms on either side tell."""
    speech = synthesize(replace(PLAIN, text="I see a saw, I say so."))
    samples = speech.samples.astype(float)
    hiss = np.abs(np.diff(samples, n=4))  # a crude high-pass filter
    width = RATE_HZ // 100
    for onset in [onset for onset in speech.onsets if onset.mnemonic == "s"]:
        inside = hiss[onset.sample + width : onset.sample + 2 * width].mean()
        before = hiss[onset.sample - 2 * width : onset.sample - width].mean()
        assert inside > 3 * before


def test_a_missing_package_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(CorpusError, match=r"espeakng-loader.*not installed.*pip install"):
        synthesize(PLAIN)


@pytest.mark.parametrize("accent", ["gmw/en-XX", "en-us", "", "gmw/de", "../en_dict"])
def test_an_unknown_accent_is_named_with_those_that_exist(accent):
    with pytest.raises(CorpusError, match=r"corpus\.espeak\.accents must name.*gmw/en-US"):
        synthesize(replace(PLAIN, accent=accent))


def test_a_long_temporary_path_is_refused(monkeypatch, tmp_path):
    """Beyond 195 bytes the library would fall back to another data folder without a word."""
    deep = tmp_path / ("d" * 240)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(CorpusError, match=r"at most 195 bytes, got \d{3}.*set TMPDIR"):
        synthesize(PLAIN)
    assert list(deep.iterdir()) == []


def test_a_library_that_stays_loaded_is_refused():
    """A leaked handle would cancel the reset, and with it repeatability, without an error."""
    import _ctypes

    held = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        with pytest.raises(CorpusError, match="must be unloadable"):
            synthesize(PLAIN)
    finally:
        _ctypes.dlclose(held._handle)
    assert np.array_equal(synthesize(PLAIN).samples, _plain_samples())


def test_an_error_on_the_way_leaves_the_library_unloaded(monkeypatch):
    monkeypatch.setattr(synthesizer, "RATE_HZ", 1)
    with pytest.raises(CorpusError, match="refused its data"):
        synthesize(PLAIN)
    monkeypatch.undo()
    assert np.array_equal(synthesize(PLAIN).samples, _plain_samples())


def _plain_samples() -> np.ndarray:
    return synthesize(PLAIN).samples
