"""One meaning of the same sentence, in all places that decide by it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.manifest import Recording
from fhvae.corpus.text import heard_in_training, normalize_text
from fhvae.probes.questions import ask_sentence
from fhvae.probes.transfer import without_common
from fhvae.verification.closed_set import sentence_halves
from fhvae.verification.trial_lists import different_text
from tests.latent_factory import make_utterances
from tests.probe_factory import make_material, split_latents, split_utterances
from tests.score_lists import every_pair

ALIKE = ("Hello there.", "hello  THERE", "Hello, there!", "«hello» there…")
OTHER = "Hello here."
twins = pytest.mark.parametrize("text", ALIKE[1:])


def saying(utterances, texts):
    return [replace(one, text=text) for one, text in zip(utterances, texts, strict=True)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't ask, me!", "don't ask me"),
        ("don\u2019t  ASK me", "don't ask me"),
        ("'Ask' the dogs' master", "ask the dogs master"),
        ("A well-known word", "a well known word"),
        ("Straße 7", "strasse 7"),
        ("...", ""),
        ("", ""),
    ],
)
def test_words_count_and_nothing_else(text, words):
    assert normalize_text(text) == words


@given(st.text())
def test_normalizing_twice_changes_nothing(text):
    assert normalize_text(normalize_text(text)) == normalize_text(text)


@twins
def test_a_list_of_trials_leaves_out_pairs_of_one_sentence(text):
    own = saying(make_utterances("test", 2, 2), [ALIKE[0], OTHER, text, "..."])
    trials = every_pair(own)
    kept = trials.take(different_text(trials, own))
    pairs = list(zip(kept.enrol.tolist(), kept.test.tolist(), strict=True))
    assert pairs == [(0, 1), (1, 2)]  # no pair of 0 and 2, none with a text that is unknown


@twins
def test_the_closed_set_never_learns_from_the_sentence_it_asks(text):
    own = saying(make_utterances("test", 1, 4), [ALIKE[0], OTHER, text, "..."])
    halves = sentence_halves(own)
    assert halves[0] == halves[2] != halves[1]
    assert halves[3] >= 0  # unknown: a sentence of its own


@twins
def test_the_sentence_probe_asks_for_one_sentence(text):
    utterances = split_utterances([ALIKE[0], OTHER, "...", "..."])
    utterances["test"] = [
        replace(one, text=text) if one.text == ALIKE[0] else one for one in utterances["test"]
    ]
    task = ask_sentence(make_material(split_latents(utterances, 0.1), utterances)).task
    for part in (task.fit, task.choose, task.score):
        assert set(part.labels.tolist()) == {"hello there", "hello here"}


@twins
def test_a_sentence_of_a_train_speaker_is_heard_in_dev_and_test_and_an_unknown_one_never(text):
    own = [
        one
        for split in ("train", "dev", "test", "common")
        for one in saying(make_utterances(split, 1, 4), [text, OTHER, "...", "..."])
    ]
    own = [one for one in own if one.split != "train" or one.text != OTHER]
    own += saying(make_utterances("test", 1, 1, prefix="late"), [ALIKE[0]])
    assert heard_in_training(own) == {"dev00_00", "test00_00", "late00_00"}


@twins
def test_a_sentence_that_all_speakers_read_is_found(text):
    own = saying(make_utterances("test", 2, 2), [ALIKE[0], OTHER, text, "..."])
    recordings = [Recording(one, np.zeros(1, np.int16)) for one in own]
    kept = [one.utterance.utterance_id for one in without_common(recordings)]
    assert kept == ["test00_01", "test01_01"]
