"""Lists of trials: known counts, pairs worked out by hand, and what a corpus does not allow."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.errors import ArtifactError, TrialError
from fhvae.trials.cosine import Vectors
from fhvae.verification.conditions import (
    Labels,
    all_pairs_list,
    cross_session,
    labels_of,
    make_conditions,
    same_sex,
    several_enrolled,
    triples,
)
from tests.latent_factory import make_utterances

SEED = 0


def labels(speakers, each, texts=True, sexes=True, sessions=False):
    """Speakers of alternating sex; sentence 0 is common to all; two sessions of each speaker."""
    utterances = make_utterances("test", speakers, each)
    known = labels_of([item.utterance_id for item in utterances], utterances)
    number = [int(name.rpartition("_")[2]) for name in known.utterance_ids]
    own = [
        f"{name} {place}" if place else "common"
        for name, place in zip(known.speakers, number, strict=True)
    ]
    return replace(
        known,
        sexes=known.sexes if sexes else ("",) * len(number),
        texts=tuple(own) if texts else ("",) * len(number),
        sessions=tuple(str(place % 2) if sessions else "" for place in number),
    )


def lists(known, most=10**6):
    random = np.random.default_rng(SEED)
    every = all_pairs_list(known, most, random)
    return every, make_conditions(known, every, most, random)


def counts(listed):
    targets = int(listed.trials.is_target.sum())
    return targets, len(listed.trials) - targets


@pytest.mark.parametrize(
    ("speakers", "all_pairs"),
    [pytest.param(24, (672, 17_664), id="timit"), pytest.param(16, (448, 7_680), id="nltk")],
)
def test_all_pairs_have_the_counts_of_the_paper(speakers, all_pairs):
    every, _ = lists(labels(speakers, 8))
    assert counts(every) == all_pairs
    assert len(every.trials) in (18_336, 8_128)


def test_counts_of_every_condition():
    every, conditions = lists(labels(6, 4, sessions=True))
    assert counts(every) == (6 * 6, 15 * 16)
    found = {name: counts(listed) for name, listed in conditions.lists.items()}
    assert found == {
        "same_sex": (36, 2 * 3 * 16),  # three speakers of each sex
        "different_text": (36, 15 * 16 - 15),  # each two speakers share one sentence
        "same_text": (36, 15),
        "cross_session": (6 * 4, 2 * 3 * 16),  # of a speaker's six pairs four cross
        "multi3": (6 * 1, 6 * 5 * 3),  # one model each; three sentences are not in it
    }
    assert conditions.absent == {}


def test_what_a_corpus_does_not_allow_is_absent_with_its_reason():
    _, conditions = lists(labels(4, 2, texts=False, sexes=False))
    assert conditions.lists == {}
    assert conditions.absent == {
        "same_sex": "the corpus has no genders",
        "different_text": "the corpus has no texts",
        "same_text": "the corpus has no texts",
        "cross_session": "the corpus has no sessions",
        "multi3": "models of 3 utterances need speakers with as many, there is none",
    }


def test_no_shared_sentence_makes_same_text_absent():
    known = labels(4, 2)
    known = replace(known, texts=tuple(f"{place}" for place in range(8)))
    _, conditions = lists(known)
    assert "got 4 target and 0 non-target" in conditions.absent["same_text"]


def test_an_unknown_sex_or_text_is_never_called_equal():
    known = labels(3, 2)
    known = replace(known, sexes=("F", "F", "", "", "", ""), texts=("a", "b", "", "", "a", "d"))
    every, conditions = lists(known)
    with pytest.raises(TrialError, match="3 target and 0 non-target"):
        same_sex(every.trials, known)
    trials = conditions.lists["different_text"].trials
    pairs = set(zip(trials.enrol.tolist(), trials.test.tolist(), strict=True))
    assert pairs == {(0, 1), (0, 5), (1, 4), (1, 5), (4, 5)}


def test_sessions_by_hand():
    known = Labels(("u1", "u2", "u3", "u4"), tuple("aabb"), tuple("FFFF"), ("",) * 4, tuple("1121"))
    trials = cross_session(lists(known)[0].trials, known)
    pairs = list(zip(trials.enrol.tolist(), trials.test.tolist(), strict=True))
    assert pairs == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]  # not u1 with u2: one session


def test_models_are_means_of_three_in_order_and_never_meet_their_own():
    known = labels(2, 7)
    listed = several_enrolled(known, 10**6, np.random.default_rng(SEED))
    assert listed.models.tolist() == [[0, 1, 2], [3, 4, 5], [7, 8, 9], [10, 11, 12]]
    trials = listed.trials
    assert trials.utterance_ids[14] == "test00_00+test00_01+test00_02"
    assert trials.speaker_names == ("test00", "test01")
    for enrol, test in zip(trials.enrol, trials.test, strict=True):
        model = listed.models[enrol - 14]
        assert test not in model
        assert known.texts[test] not in {known.texts[place] for place in model}
    # The first model of each speaker holds the common sentence: 4 own, 6 others are left; the
    # second, 4 own and all 7 others.
    assert counts(listed) == (2 * (4 + 4), 2 * (6 + 7))


def test_vectors_of_models_are_plain_means():
    known = labels(2, 4)
    listed = several_enrolled(known, 10**6, np.random.default_rng(SEED))
    values = np.random.default_rng(1).normal(size=(8, 3))
    extended = listed.vectors(Vectors(known.utterance_ids, values))
    assert extended.utterance_ids == listed.trials.utterance_ids
    np.testing.assert_array_equal(extended.values[:8], values)
    np.testing.assert_allclose(extended.values[8:], [values[:3].mean(0), values[4:7].mean(0)])


def test_triples_leave_a_rest():
    assert triples(["b", "a", "a", "b", "a", "b", "b", "c"]).tolist() == [[1, 2, 4], [0, 3, 5]]
    assert triples(["a", "a"]).shape == (0, 3)


def test_a_long_list_is_sampled_and_all_its_conditions_with_it():
    known = labels(8, 6)
    every, conditions = lists(known, most=300)
    assert counts(every) == (8 * 15, 300 - 8 * 15)
    assert every.trials.speaker_names == tuple(f"test{place:02d}" for place in range(8))
    inside = set(zip(every.trials.enrol.tolist(), every.trials.test.tolist(), strict=True))
    own = conditions.lists["same_sex"].trials
    assert set(zip(own.enrol.tolist(), own.test.tolist(), strict=True)) < inside
    assert len(conditions.lists["multi3"].trials) == 300
    again, _ = lists(known, most=300)
    np.testing.assert_array_equal(again.trials.test, every.trials.test)


def test_an_utterance_outside_the_manifest_is_named():
    utterances = make_utterances("test", 2, 2)
    known = labels_of(["test01_00", "test00_01"], utterances)
    assert known.speakers == ("test01", "test00")
    assert known.sexes == ("M", "F")
    with pytest.raises(ArtifactError, match="utterance ghost of the latents"):
        labels_of(["test01_00", "ghost"], utterances)
