"""Naming the test speakers by other sentences of theirs."""

import dataclasses

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.files.packed import Packed
from fhvae.intervals import Interval
from fhvae.trials import Vectors
from fhvae.verification.closed_set import (
    ClosedSet,
    closed_set,
    name_speakers,
    sentence_halves,
)
from fhvae.verification.vectors import row_statistics
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

DIMENSION, SEGMENTS, SPEAKERS, EACH = 4, 9, 6, 8


def make(voice, seed=0, drawl=0.0):
    """Draw mean and spread of codes; a speaker has a place (`voice`) and a spread (`drawl`)."""
    random = np.random.default_rng(seed)
    utterances = make_utterances("test", SPEAKERS, EACH)
    places = voice * random.normal(size=(SPEAKERS, DIMENSION))
    spreads = 1 + drawl * np.arange(SPEAKERS)
    rows = [
        places[speaker] + spreads[speaker] * random.normal(size=(SEGMENTS, DIMENSION))
        for speaker in range(SPEAKERS)
        for _ in range(EACH)
    ]
    count = len(utterances)
    ids = tuple(item.utterance_id for item in utterances)
    offsets = np.arange(count) * SEGMENTS
    packed = Packed(np.concatenate(rows), ids, offsets, np.full(count, SEGMENTS))
    return row_statistics(packed), utterances


def ask(vectors, utterances):
    return closed_set(vectors, utterances)


def test_speakers_that_lie_apart_are_all_named():
    found = ask(*make(voice=20.0))
    assert found.accuracy.value == found.accuracy.high == 1.0
    assert found.chance == pytest.approx(1 / SPEAKERS)
    assert (found.speakers, found.left_out) == (SPEAKERS, 0)


def test_speakers_are_named_by_their_spread_too():
    assert ask(*make(voice=0.0, drawl=1.5)).accuracy.value > 0.6


def test_codes_that_know_nobody_name_nobody():
    values = [ask(*make(voice=0.0, seed=seed)).accuracy.value for seed in range(4)]
    assert np.mean(values) == pytest.approx(1 / SPEAKERS, abs=0.08)


def test_vectors_that_say_nothing_at_all_name_nobody_which_is_no_accuracy_of_0():
    vectors, utterances = make(voice=1.0)
    blank = Vectors(vectors.utterance_ids, np.zeros_like(vectors.values))
    with pytest.raises(TrialError, match="vectors that vary within a speaker"):
        ask(blank, utterances)


def test_no_utterance_is_named_by_itself():
    """Each utterance has a mark that nothing shares: named by others alone, it helps nobody."""
    vectors, labels = np.eye(12), np.repeat([0, 1, 2], 4)
    halves = np.tile([0, 1], 6)
    assert (name_speakers(vectors, labels, halves) == labels).mean() < 0.5


def test_sentences_are_dealt_out_by_text():
    texts = ["b", "a", "b", "c"]
    said = [
        dataclasses.replace(item, text=text)
        for item, text in zip(make_utterances("test", 1, 4), texts, strict=True)
    ]
    np.testing.assert_array_equal(sentence_halves(said), [1, 0, 1, 0])
    np.testing.assert_array_equal(sentence_halves(make_utterances("test", 2, 3)), [0, 1, 0] * 2)


def test_a_speaker_of_one_sentence_is_left_out_and_counted():
    vectors, utterances = make(voice=20.0)
    same = [
        dataclasses.replace(item, text="the same") if item.speaker == "test02" else item
        for item in utterances
    ]
    found = ask(vectors, same)
    assert (found.speakers, found.left_out) == (SPEAKERS - 1, 1)
    assert found.accuracy.value == 1.0


def test_too_few_sentences_are_said_to_be():
    vectors, utterances = make(voice=1.0)
    same = [dataclasses.replace(item, text="the same") for item in utterances]
    with pytest.raises(TrialError, match="2 sentences each, found 0 among 6"):
        ask(vectors, same)


def test_metrics_have_the_accuracy_with_its_interval_and_what_it_rests_on():
    found = ClosedSet(Interval(0.5, 0.4, 0.7), chance=0.25, speakers=4, left_out=1)
    assert found.metrics() == {
        "accuracy": 0.5,
        "accuracy_low": 0.4,
        "accuracy_high": 0.7,
        "chance": 0.25,
        "speakers": 4,
        "left_out": 1,
    }
