"""Judges that are there judge; one that is not says what to install."""

import sys

import numpy as np
import pytest

from fhvae.errors import ListeningError
from fhvae.listening import judges

RATE = 16_000


def needs(measure):
    reason = judges.why_absent(measure)
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def vowel(formants_hz, f0_hz=120.0, seconds=2.0):
    """Harmonics under bell-shaped formants, with a breath every half second."""
    times = np.arange(int(seconds * RATE)) / RATE
    heights = {
        n: sum(np.exp(-(((n * f0_hz - center) / 150) ** 2)) for center in formants_hz)
        for n in range(1, int(4000 / f0_hz))
    }
    tone = sum(size * np.sin(2 * np.pi * n * f0_hz * times) for n, size in heights.items())
    return 0.1 * tone * (np.sin(2 * np.pi * times) ** 2 > 0.05)


def test_a_missing_package_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setitem(judges.PACKAGES, "words", ("json", "no_such_judge"))
    reason = judges.why_absent("words")
    assert reason == (
        "words needs no_such_judge of the extra listen; "
        "pip install --no-deps -r requirements-listen.txt"
    )
    assert judges.absent_measures()["words"] == reason
    with pytest.raises(ListeningError, match="words needs no_such_judge"):
        judges.words()


def test_a_judge_whose_packages_are_there_is_not_absent(monkeypatch):
    monkeypatch.setitem(judges.PACKAGES, "words", ("json",))
    assert judges.why_absent("words") is None
    assert "words" not in judges.absent_measures()


@pytest.mark.parametrize(
    ("reference", "heard", "count"),
    [
        ("", "", 0),
        ("kitten", "sitting", 3),
        ("abc", "", 3),
        ("", "ab", 2),
        ("abcd", "acd", 1),
        ("acd", "abbbcd", 3),
        ("flaw", "lawn", 2),
    ],
)
def test_edits(reference, heard, count):
    assert judges.edits(reference, heard) == count


def test_the_mean_voice_has_length_one():
    found = judges.mean_voice([np.array([1.0, 0.0]), np.array([0.0, 1.0])])
    np.testing.assert_allclose(found, [0.5**0.5, 0.5**0.5])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=needs(name)) for name in ("voice_resemblyzer", "voice_dvector")],
)
def test_a_voice_is_nearer_to_itself(name):
    encode = getattr(judges, name)()
    one, again, other = (
        encode(vowel(formants, f0_hz, seconds))
        for formants, f0_hz, seconds in [
            ((500, 1500, 2500), 120.0, 2.0),
            ((500, 1500, 2500), 120.0, 2.6),
            ((800, 1900, 3300), 230.0, 2.0),
        ]
    )
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    assert one @ again > one @ other + 0.05


@pytest.mark.slow
@needs("naturalness")
def test_naturalness_is_on_the_scale_and_tells_signals_apart():
    """A buzz of harmonics is no speech to it either: which of the two is better is not promised."""
    score = judges.naturalness()
    hiss = np.random.default_rng(1).normal(scale=0.1, size=2 * RATE)
    found = [score(signal) for signal in (hiss, vowel((500, 1500, 2500)), hiss)]
    assert all(1.0 <= one <= 5.0 for one in found)
    assert found[0] == found[2]
    assert abs(found[0] - found[1]) > 0.1
    assert "torchaudio" not in sys.modules


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(name)) for name in ("phones", "words")]
)
def test_silence_holds_nothing_to_understand(name):
    hear = getattr(judges, name)()
    assert len(hear(np.zeros(RATE))) <= 1
