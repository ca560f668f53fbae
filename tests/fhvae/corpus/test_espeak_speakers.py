"""Made-up speakers: keyed by number, balanced, each with a voice that is heard."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.corpus.espeak.speakers import FIRST_INDEX, draw_speaker, draw_speakers
from fhvae.corpus.espeak.synthesizer import SpeechRequest, synthesize
from fhvae.errors import ParamsError
from fhvae.params.whole import load_params

VOICES = replace(load_params().corpus.espeak, accents=("gmw/en-US",))
FIRST = "formant 1"
ACCENTS = ("gmw/en-US", "gmw/en", "gmw/en-029")


def test_more_speakers_leave_the_others_as_they_are():
    assert draw_speakers("dev", 9, VOICES, seed=3)[:4] == draw_speakers("dev", 4, VOICES, seed=3)


def test_another_seed_gives_other_voices():
    first, second = (draw_speakers("dev", 4, VOICES, seed) for seed in (3, 4))
    assert all(one.variant != other.variant for one, other in zip(first, second, strict=True))


def test_another_list_of_accents_leaves_the_voices_as_they_are():
    several = draw_speakers("train", 12, replace(VOICES, accents=ACCENTS), seed=0)
    assert {speaker.accent for speaker in several} == set(ACCENTS)
    alone = draw_speakers("train", 12, VOICES, seed=0)
    assert [replace(speaker, accent="gmw/en-US") for speaker in several] == alone


def test_speakers_of_all_parts_are_different_people():
    parts = [draw_speakers(part, 25, VOICES, seed=0) for part in FIRST_INDEX]
    everybody = [speaker for part in parts for speaker in part]
    assert len({speaker.speaker for speaker in everybody}) == 100
    assert len({speaker.variant for speaker in everybody}) == 100


@pytest.mark.parametrize("part", sorted(FIRST_INDEX))
def test_women_and_men_are_balanced(part):
    genders = [speaker.gender for speaker in draw_speakers(part, 6, VOICES, seed=0)]
    assert genders.count("F") == genders.count("M") == 3


def test_a_larger_scale_spreads_the_formants_in_proportion():
    """The same draws, scaled: twice the scale moves the first formant twice as far."""
    for index in range(20):
        narrow, wide = (
            draw_speaker(index, replace(VOICES, speaker_scale=scale), seed=0)
            for scale in (0.3, 0.6)
        )
        mean = 100 * {"F": VOICES.female_formants, "M": VOICES.male_formants}[narrow.gender]
        assert _number(wide, FIRST) - mean == pytest.approx(
            2 * (_number(narrow, FIRST) - mean), abs=2.2
        )


@pytest.mark.parametrize(
    ("key", "line", "factor"),
    [("female_formants", "formant 1", 0.9), ("female_pitch_hz", "pitch", 2),
     ("male_formants", "formant 1", 1.1), ("male_pitch_hz", "pitch", 2)],
)  # fmt: skip
def test_the_middle_of_one_sex_leaves_the_other_alone(key, line, factor):
    """Nobody spreads here, so a line is what the params say of the sex."""
    still = replace(VOICES, speaker_scale=1e-9)
    moved = replace(still, **{key: factor * getattr(still, key)})
    for index in (2, 3):
        usual, other = (draw_speaker(index, params, seed=0) for params in (still, moved))
        if usual.gender == key[0].upper():
            assert _number(other, line) == pytest.approx(factor * _number(usual, line), abs=1.1)
        else:
            assert other == usual


def test_every_attribute_of_a_variant_is_heard():
    """A misspelt attribute would be skipped by the library with a line on stderr.

    A value may happen to be the library's own, so one of three speakers is enough.
    """
    heard = {}
    for speaker in draw_speakers("train", 3, replace(VOICES, speaker_scale=1.0), seed=0):
        lines = speaker.variant.splitlines()
        whole = _samples(speaker.variant)
        for line in lines:
            rest = "\n".join(other for other in lines if other != line) + "\n"
            words = line.split()
            attribute = " ".join(words[:2]) if words[0] == "formant" else words[0]
            heard.setdefault(attribute, []).append(not np.array_equal(_samples(rest), whole))
    assert len(heard) == 8 + 8
    assert [attribute for attribute, changes in heard.items() if not any(changes)] == []


def test_every_speaker_differs_from_the_plain_voice_and_from_the_others():
    plain = _samples("")
    voices = [_samples(speaker.variant) for speaker in draw_speakers("test", 8, VOICES, seed=0)]
    assert len({voice.tobytes() for voice in [plain, *voices]}) == 9


def test_too_many_speakers_are_refused_with_the_key_to_change():
    with pytest.raises(ParamsError, match=r"corpus\.espeak\.dev_speakers must be at most 2000"):
        draw_speakers("dev", 2001, VOICES, seed=0)


def test_no_accent_is_refused():
    with pytest.raises(ParamsError, match=r"corpus\.espeak\.accents must name at least one"):
        draw_speakers("dev", 2, replace(VOICES, accents=()), seed=0)


def _number(speaker, attribute) -> int:
    """Read the first number behind an attribute of the variant."""
    lines = speaker.variant.splitlines()
    line = next(line for line in lines if line.startswith(f"{attribute} "))
    return int(line.removeprefix(attribute).split()[0])


def _samples(variant: str) -> np.ndarray:
    request = SpeechRequest(
        text="The noisy judge showed a thin map.", accent="gmw/en-US", variant=variant
    )
    return synthesize(request).samples
