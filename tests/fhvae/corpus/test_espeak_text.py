"""Sentences: ours, different, and of one split only."""

import re
from collections import Counter

import pytest

from fhvae.corpus.espeak.text import COMMON_SENTENCES, OWNERS, WORDS, draw_sentence, owner
from fhvae.seeds import generator


def _draw(part: str, count: int, seed: int) -> list[str]:
    used: set[str] = set()
    for number in range(count):
        used.add(draw_sentence(part, used, generator(seed, "text", number)))
    return sorted(used)


def test_sentences_of_a_part_never_repeat():
    assert len(_draw("train", 500, seed=0)) == 500


def test_texts_of_the_parts_are_disjoint_whatever_the_seed():
    """The words decide the part, so even two corpora with different seeds do not mix."""
    texts = [set(_draw(part, 150, seed)) for seed, part in enumerate(OWNERS)]
    assert len(set().union(*texts)) == sum(map(len, texts))
    assert {owner(text) for text in texts[2]} == {OWNERS[2]}


@pytest.mark.parametrize("kind", sorted(WORDS))
def test_a_kind_of_word_has_no_entry_twice(kind):
    assert [word for word, count in Counter(WORDS[kind]).items() if count > 1] == []


def test_sentences_are_well_formed():
    for sentence in [*_draw("dev", 200, seed=1), *COMMON_SENTENCES]:
        assert re.fullmatch(r"[A-Z][A-Za-z ,]+[.?]", sentence)
        assert "  " not in sentence


def test_a_used_sentence_is_drawn_no_more():
    first = draw_sentence("test", set(), generator(0, "text", 1))
    second = draw_sentence("test", {first}, generator(0, "text", 1))
    assert second != first
    assert owner(second) == "test"
