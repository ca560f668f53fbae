"""What is taught and what is scored: folding, pauses, transcripts without a phone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.recognition.labels import make_labels, merge_pauses, rows_needed, scored_classes

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


def test_recognised_labels_are_folded_like_references():
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
