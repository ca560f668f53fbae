"""TIMIT's 61 symbols in 48 and 39 classes, and everybody else's left alone."""

import pytest

from fhvae.corpus.phone_classes import (
    fold39,
    fold48,
    folding_for,
    is_silence,
    timit_table,
    uses_timit,
)

TIMIT = (  # the symbols of phoncode.doc, by manner
    "b d g p t k dx q bcl dcl gcl pcl tcl kcl jh ch s sh z zh f th v dh m n ng em en eng nx "
    "l r w y hh hv el iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h pau epi h#"
).split()
# Lee & Hon 1989, table I: the classes, and the confusions that are not counted in scoring.
LEE_HON_48 = (
    "iy ih eh ae ix ax ah uw uh ao aa ey ay oy aw ow l el r y w er m n en ng ch jh dh b d dx g p t "
    "k z zh v f th s sh hh cl vcl epi sil"
).split()
SCORED_ALIKE = ("sil cl vcl epi", "l el", "n en", "sh zh", "aa ao", "ih ix", "ah ax")
ARPABET = "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s".split()


def test_there_are_61_symbols_and_each_is_mapped_but_q():
    assert len(TIMIT) == 61
    assert timit_table()[48].keys() == set(TIMIT)
    assert [name for name in TIMIT if fold48(name) is None] == ["q"]
    assert [name for name in TIMIT if fold39(name) is None] == ["q"]


def test_the_48_classes_are_those_of_lee_and_hon():
    assert {fold48(name) for name in TIMIT} - {None} == set(LEE_HON_48)
    assert len(set(LEE_HON_48)) == 48


def test_the_39_classes_are_the_48_with_their_confusions_merged():
    expected = {name: name for name in LEE_HON_48}
    for group in SCORED_ALIKE:
        first, *others = group.split()
        expected |= dict.fromkeys(others, first)
    assert {name: fold39(name) for name in LEE_HON_48} == expected
    assert len(set(expected.values())) == 39


@pytest.mark.parametrize(
    ("symbol", "in48", "in39"),
    [
        ("kcl", "cl", "sil"),
        ("gcl", "vcl", "sil"),
        ("h#", "sil", "sil"),
        ("pau", "sil", "sil"),
        ("axr", "er", "er"),
        ("ax-h", "ax", "ah"),
        ("ux", "uw", "uw"),
        ("em", "m", "m"),
        ("nx", "n", "n"),
        ("eng", "ng", "ng"),
        ("hv", "hh", "hh"),
    ],
)
def test_what_becomes_of_the_13_other_symbols(symbol, in48, in39):
    assert (fold48(symbol), fold39(symbol)) == (in48, in39)


def test_folding_twice_changes_nothing_and_48_lies_on_the_way_to_39():
    for name in set(TIMIT) - {"q"}:
        assert fold48(fold48(name)) == fold48(name)
        assert fold39(fold39(name)) == fold39(name)
        assert fold39(fold48(name)) == fold39(name)


def test_only_the_labels_of_timit_are_folded():
    assert uses_timit(TIMIT)
    assert uses_timit(["aa", "kcl", "k"])
    assert not uses_timit(ARPABET)  # they are among the 61 as well
    assert not uses_timit([*TIMIT, "sil"])
    assert not uses_timit([])


def test_the_folding_of_a_corpus():
    assert folding_for(TIMIT)("ao") == "aa"
    assert folding_for(TIMIT, 48)("ao") == "ao"
    assert folding_for(TIMIT, 48)("kcl") == "cl"
    assert folding_for(TIMIT)("q") is None
    assert [folding_for(ARPABET)(name) for name in ("ao", "q", "_:")] == ["ao", "q", "_:"]
    with pytest.raises(ValueError, match="39 or 48 classes, got 40"):
        folding_for(TIMIT, 40)


@pytest.mark.parametrize("name", ["sil", "SIL", "<sil>", "sp", "_", "_:", "h#", "pau", "epi"])
def test_pauses_are_silence(name):
    assert is_silence(name)


def test_closures_are_silence_since_they_fold_to_it_and_sounds_are_not():
    assert all(is_silence(name) for name in ("bcl", "kcl", "cl", "vcl"))
    assert not any(is_silence(name) for name in [*ARPABET, "q", "spn", "s", "p"])
