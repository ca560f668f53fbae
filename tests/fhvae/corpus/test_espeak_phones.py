"""Alignments: end to end, exact, in classes that the table knows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.espeak import lexicon
from fhvae.corpus.espeak.phones import align, fold, phone_classes
from fhvae.corpus.espeak.synthesizer import RATE_HZ, PhoneOnset, SpeechRequest, synthesize
from fhvae.corpus.manifest import Phone
from fhvae.errors import CorpusError

ACCENTS = (
    "gmw/en-US",
    "gmw/en",
    "gmw/en-GB-x-rp",
    "gmw/en-GB-scotland",
    "gmw/en-029",
    "gmw/en-GB-x-gbclan",
    "gmw/en-GB-x-gbcwmd",
    "gmw/en-US-nyc",
)


def _onsets(*pairs: tuple[float, str]) -> list[PhoneOnset]:
    return [PhoneOnset(round(seconds * RATE_HZ), mnemonic) for seconds, mnemonic in pairs]


def test_a_stretch_before_the_first_phone_is_silence():
    phones = align(_onsets((0.02, "s"), (0.10, "'i:"), (0.30, "_:")), duration_s=0.32)
    assert phones == (
        Phone(0.0, 0.02, "sil"),
        Phone(0.02, 0.10, "s"),
        Phone(0.10, 0.30, "iy"),
        Phone(0.30, 0.32, "sil"),
    )


def test_neighbouring_silences_are_one():
    phones = align(_onsets((0.0, "_:"), (0.1, "_"), (0.2, "m"), (0.3, "_:"), (0.4, "_")), 0.5)
    assert [(phone.start_s, phone.end_s, phone.phone) for phone in phones] == [
        (0.0, 0.2, "sil"),
        (0.2, 0.3, "m"),
        (0.3, 0.5, "sil"),
    ]


def test_a_phone_without_time_of_its_own_has_no_row():
    """The synthesizer merges an l into the diphthong before it and lists it at its end."""
    phones = align(_onsets((0.0, "'OI"), (0.3, "l"), (0.3, "_:"), (0.4, "_")), duration_s=0.4)
    assert [phone.phone for phone in phones] == ["oy", "sil"]


@given(
    st.lists(st.tuples(st.integers(0, 3 * RATE_HZ), st.sampled_from(sorted(phone_classes())))),
    st.floats(0.1, 4.0),
)
def test_any_alignment_is_contiguous_from_0_to_the_end(items, duration_s):
    phones = align([PhoneOnset(*item) for item in sorted(items)], duration_s)
    assert phones[0].start_s == 0.0
    assert phones[-1].end_s == duration_s
    assert all(one.end_s == two.start_s for one, two in pairwise(phones))
    assert all(phone.end_s > phone.start_s for phone in phones)


def test_an_unknown_mnemonic_is_refused():
    with pytest.raises(CorpusError, match=r"must have a row in .*phones\.csv, \"'Q9\" has none"):
        fold("'Q9")


def test_stress_marks_do_not_matter():
    assert fold("'eI") == fold(",eI") == fold("%eI") == fold("eI") == "ey"


def test_the_table_has_about_40_classes_and_no_mnemonic_twice():
    assert len(set(phone_classes().values())) == 42  # ARPAbet's 39, ax, dx and silence


@pytest.mark.slow
@pytest.mark.parametrize("accent", ACCENTS)
def test_the_table_covers_every_word_in_every_accent(accent):
    entries = [*lexicon.NAMES, *lexicon.NOUNS, *lexicon.ADJECTIVES, *lexicon.VERBS]
    entries += lexicon.ADVERBIALS
    found = set()
    for start in range(0, len(entries), 10):
        text = "the " + " the ".join(entries[start : start + 10])
        found |= {fold(onset.mnemonic) for onset in synthesize(_request(text, accent)).onsets}
    assert len(found) > 38


def _request(text: str, accent: str) -> SpeechRequest:
    return SpeechRequest(text=text, accent=accent)
