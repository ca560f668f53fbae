"""What is taught and scored: folding, pauses, empty transcripts; errors against hand counts."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.recognition.labels import (
    count_edits,
    error_rate,
    make_labels,
    merge_pauses,
    rows_needed,
    scored_classes,
)

TIMIT = {
    "u1": ("h#", "sh", "ix", "q", "kcl", "k", "pau", "h#"),
    "u2": ("h#", "zh", "ao", "epi", "h#"),
    "only_q": ("q",),
}


def test_timit_is_taught_in_48_classes_and_scored_in_39():
    labels = make_labels(TIMIT, ["u1"])
    assert labels.timit
    assert labels.classes == ("cl", "ix", "k", "sh", "sil")
    assert [labels.classes[label - 1] for label in labels.taught["u1"]] == [
        "sil", "sh", "ix", "cl", "k", "sil",
    ]  # fmt: skip
    assert labels.references["u1"] == ("sil", "sh", "ih", "sil", "k", "sil")
    assert labels.references["u2"] == ("sil", "sh", "aa", "sil")


def test_a_transcript_of_dropped_symbols_only_is_no_reference_and_is_named():
    labels = make_labels(TIMIT, ["u1", "only_q"])
    assert labels.empty == ("only_q",)
    assert "only_q" not in labels.references
    assert "only_q" not in labels.taught


def test_other_corpora_keep_their_phones():
    labels = make_labels({"a": ("ao", "zh", "SIL", "sp", "ix")}, ["a"])
    assert not labels.timit
    assert labels.references["a"] == ("ao", "zh", "sil", "ix")
    assert set(labels.classes) == {"ao", "zh", "SIL", "sp", "ix"}


def test_recognized_labels_are_folded_like_references():
    labels = make_labels(TIMIT, ["u1"])
    assert labels.decode(labels.taught["u1"]) == labels.references["u1"]
    cl, sil = labels.classes.index("cl") + 1, labels.classes.index("sil") + 1
    assert labels.decode([cl, sil, cl]) == ("sil",)
    assert labels.decode([]) == ()


def test_classes_are_those_of_train_utterances():
    labels = make_labels({"a": ("aa", "s"), "b": ("iy",)}, ["a"])
    assert labels.classes == ("aa", "s")
    assert labels.taught == {"a": (1, 2)}
    assert labels.references["b"] == ("iy",)


def test_a_corpus_without_transcripts_has_no_labels():
    labels = make_labels({}, ["a", "b"])
    assert (labels.classes, labels.taught, labels.references) == ((), {}, {})


def test_only_pauses_are_merged():
    assert merge_pauses(["sil", "sil", "aa", "aa", "sil"]) == ["sil", "aa", "aa", "sil"]


@given(st.lists(st.sampled_from(["h#", "pau", "q", "aa", "ix", "kcl", "zh"]), max_size=12))
def test_folding_twice_changes_nothing(names):
    once = scored_classes(names, timit=True)
    assert scored_classes(once, timit=True) == once
    assert ("sil", "sil") not in set(pairwise(once))


@pytest.mark.parametrize(("labels", "rows"), [([], 0), ([1, 2, 1], 3), ([1, 1, 2, 2, 2], 8)])
def test_ctc_needs_a_blank_between_equal_phones(labels, rows):
    assert rows_needed(labels) == rows


phones = st.lists(st.sampled_from(["aa", "b", "s", "sil"]), max_size=8)


@pytest.mark.parametrize(
    ("spoken", "recognized", "operations"),
    [
        pytest.param("aa b s", "aa b s", "===", id="right"),
        pytest.param("aa b s", "aa iy s", "=S=", id="substitution"),
        pytest.param("aa b s", "aa s", "=D=", id="deletion"),
        pytest.param("aa s", "aa b s", "=I=", id="insertion"),
        pytest.param("aa b s", "", "DDD", id="nothing-recognized"),
        pytest.param("b", "k", "S", id="one-phone"),
        pytest.param("b", "b", "=", id="a-symbol-is-a-word-not-letters"),
        pytest.param("ae", "ey", "S", id="symbols-that-share-a-letter"),
    ],
)
def test_operations_of_hand_examples(spoken, recognized, operations):
    (edits,) = count_edits([spoken.split()], [recognized.split()])
    assert edits.operations == operations
    kinds = (edits.substitutions, edits.deletions, edits.insertions)
    assert kinds == tuple(operations.count(letter) for letter in "SDI")


def distance(spoken: list[str], recognized: list[str]) -> int:
    """Levenshtein's table, row by row."""
    row = list(range(len(recognized) + 1))
    for number, one in enumerate(spoken, start=1):
        above, row = row, [number]
        for place, other in enumerate(recognized, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (one != other)))
    return row[-1]


@given(st.lists(st.tuples(phones.filter(bool), phones), min_size=1, max_size=4))
def test_errors_are_the_least_edits_and_add_up(pairs):
    edits = count_edits([spoken for spoken, _ in pairs], [found for _, found in pairs])
    for (spoken, recognized), one in zip(pairs, edits, strict=True):
        assert one.errors == distance(spoken, recognized)
        assert one.errors == one.substitutions + one.deletions + one.insertions
        assert len(one.operations) - one.insertions == len(spoken)
        assert len(one.operations) - one.deletions == len(recognized)


def test_the_rate_is_over_the_corpus_not_a_mean_over_utterances():
    references = [["aa"], ["b", "s", "aa", "b"]]
    edits = count_edits(references, [["s"], ["b", "s", "aa", "b"]])
    assert error_rate(references, edits) == pytest.approx(1 / 5)


def test_no_utterance_no_edit():
    assert count_edits([], []) == []


def test_an_empty_reference_is_the_callers_slip():
    with pytest.raises(ValueError, match="reference of at least one phone"):
        count_edits([["aa"], []], [["aa"], ["b"]])
