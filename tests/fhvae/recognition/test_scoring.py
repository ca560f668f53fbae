"""Phone errors against hand counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.recognition.scoring import count_edits, error_rate

phones = st.lists(st.sampled_from(["aa", "b", "s", "sil"]), max_size=8)


@pytest.mark.parametrize(
    ("spoken", "recognised", "operations"),
    [
        pytest.param("aa b s", "aa b s", "===", id="right"),
        pytest.param("aa b s", "aa iy s", "=S=", id="substitution"),
        pytest.param("aa b s", "aa s", "=D=", id="deletion"),
        pytest.param("aa s", "aa b s", "=I=", id="insertion"),
        pytest.param("aa b s", "", "DDD", id="nothing-recognised"),
        pytest.param("b", "k", "S", id="one-phone"),
        pytest.param("b", "b", "=", id="a-symbol-is-a-word-not-letters"),
        pytest.param("ae", "ey", "S", id="symbols-that-share-a-letter"),
    ],
)
def test_operations_of_hand_examples(spoken, recognised, operations):
    (edits,) = count_edits([spoken.split()], [recognised.split()])
    assert edits.operations == operations
    kinds = (edits.substitutions, edits.deletions, edits.insertions)
    assert kinds == tuple(operations.count(letter) for letter in "SDI")


def distance(spoken: list[str], recognised: list[str]) -> int:
    """Levenshtein's table, row by row."""
    row = list(range(len(recognised) + 1))
    for number, one in enumerate(spoken, start=1):
        above, row = row, [number]
        for place, other in enumerate(recognised, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (one != other)))
    return row[-1]


@given(st.lists(st.tuples(phones.filter(bool), phones), min_size=1, max_size=4))
def test_errors_are_the_least_edits_and_add_up(pairs):
    edits = count_edits([spoken for spoken, _ in pairs], [found for _, found in pairs])
    for (spoken, recognised), one in zip(pairs, edits, strict=True):
        assert one.errors == distance(spoken, recognised)
        assert one.errors == one.substitutions + one.deletions + one.insertions
        assert len(one.operations) - one.insertions == len(spoken)
        assert len(one.operations) - one.deletions == len(recognised)


def test_the_rate_is_over_the_corpus_not_a_mean_over_utterances():
    references = [["aa"], ["b", "s", "aa", "b"]]
    edits = count_edits(references, [["s"], ["b", "s", "aa", "b"]])
    assert error_rate(references, edits) == pytest.approx(1 / 5)


def test_no_utterance_no_edit():
    assert count_edits([], []) == []


def test_an_empty_reference_is_the_callers_slip():
    with pytest.raises(ValueError, match="reference of at least one phone"):
        count_edits([["aa"], []], [["aa"], ["b"]])
