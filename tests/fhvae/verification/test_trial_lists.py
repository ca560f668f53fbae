"""Lists of trials: known counts, pairs by hand, samples, and what a corpus does not allow."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.errors import ArtifactError
from fhvae.trials import Vectors
from fhvae.verification.trial_lists import (
    Candidates,
    all_pairs,
    choose_pairs,
    find_utterances,
    other_lists,
    same_sex,
    several_enrolled,
    share_out,
    triples,
)
from tests.latent_factory import make_utterances

SEED = 0


def known_of(speakers, each, **more):
    """Speakers of alternating sex; sentence 0 is common to all; `more` replaces what is known."""
    own = make_utterances("test", speakers, each)
    for place, one in enumerate(own):
        number = place % each
        text = f"{one.speaker} {number}" if number else "common"
        own[place] = replace(one, text=text, **more)
    return own


def with_each(utterances, **columns):
    """Replace fields of the utterances, one value each."""
    return [
        replace(one, **{name: values[place] for name, values in columns.items()})
        for place, one in enumerate(utterances)
    ]


def lists(utterances, most=10**6):
    random = np.random.default_rng(SEED)
    every = all_pairs(utterances, most, random)
    return every, other_lists(utterances, every.trials, most, random)


def counts(listed):
    targets = int(listed.trials.is_target.sum())
    return targets, len(listed.trials) - targets


def pairs_in(listed):
    return list(zip(listed.trials.enrol.tolist(), listed.trials.test.tolist(), strict=True))


@pytest.mark.parametrize(
    ("speakers", "all_pairs"),
    [pytest.param(24, (672, 17_664), id="timit"), pytest.param(16, (448, 7_680), id="nltk")],
)
def test_all_pairs_have_the_counts_of_the_paper(speakers, all_pairs):
    every, _ = lists(known_of(speakers, 8))
    assert counts(every) == all_pairs
    assert len(every.trials) in (18_336, 8_128)


def test_counts_of_every_list():
    own = known_of(6, 4)
    every, others = lists(with_each(own, session=["0", "1"] * 12))
    assert counts(every) == (6 * 6, 15 * 16)
    found = {name: counts(listed) for name, listed in others.lists.items()}
    assert found == {
        "same_sex": (36, 2 * 3 * 16),  # three speakers of each sex
        "different_text": (36, 15 * 16 - 15),  # each two speakers share one sentence
        "same_text": (36, 15),
        "cross_session": (6 * 4, 2 * 3 * 16),  # of a speaker's six pairs four cross
        "multi3": (6 * 1, 6 * 5 * 3),  # one model each; three sentences are not in it
    }
    assert others.absent == {}
    for name, listed in others.lists.items():
        if name != "multi3":  # what is some of all pairs says which
            pairs = pairs_in(every)
            assert pairs_in(listed) == [pairs[place] for place in listed.places]


def test_what_a_corpus_does_not_allow_is_absent_with_its_reason():
    own = [replace(one, text="", gender="") for one in known_of(4, 2)]
    _, others = lists(own)
    assert others.lists == {}
    assert others.absent == {
        "same_sex": "the corpus has no genders",
        "different_text": "the corpus has no texts",
        "same_text": "the corpus has no texts",
        "cross_session": "the corpus has no sessions",
        "multi3": "models of 3 utterances need speakers with as many, there is none",
    }


def test_no_shared_sentence_makes_same_text_absent():
    _, others = lists(with_each(known_of(4, 2), text=list("abcdefgh")))
    assert "got 4 target and 0 non-target" in others.absent["same_text"]


def test_an_unknown_sex_or_text_is_never_called_equal():
    texts = ["a", "b", "", "", "a", "d"]
    own = with_each(known_of(3, 2), gender=["F", "F", "", "", "", ""], text=texts)
    every, others = lists(own)
    assert same_sex(every.trials, own).tolist() == every.trials.is_target.tolist()
    assert "3 target and 0 non-target" in others.absent["same_sex"]
    assert pairs_in(others.lists["different_text"]) == [(0, 1), (0, 5), (1, 4), (1, 5), (4, 5)]


def test_sessions_by_hand():
    own = with_each(known_of(2, 2, gender="F"), session=list("1121"))
    pairs = pairs_in(lists(own)[1].lists["cross_session"])
    assert pairs == [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]  # not u1 with u2: one session


def test_models_are_means_of_three_in_order_and_never_meet_their_own():
    known = known_of(2, 7)
    listed = several_enrolled(known, 10**6, np.random.default_rng(SEED))
    assert listed.models.tolist() == [[0, 1, 2], [3, 4, 5], [7, 8, 9], [10, 11, 12]]
    trials = listed.trials
    assert trials.utterance_ids[14] == "test00_00+test00_01+test00_02"
    assert trials.speaker_names == ("test00", "test01")
    for enrol, test in zip(trials.enrol, trials.test, strict=True):
        model = listed.models[enrol - 14]
        assert test not in model
        assert known[test].text not in {known[place].text for place in model}
    # The first model of each speaker holds the common sentence: 4 own, 6 others are left; the
    # second, 4 own and all 7 others.
    assert counts(listed) == (2 * (4 + 4), 2 * (6 + 7))


def test_models_of_unknown_sentences_never_meet_their_own_utterances():
    own = [replace(one, text="") for one in known_of(2, 7)]
    listed = several_enrolled(own, 10**6, np.random.default_rng(SEED))
    assert counts(listed) == (4 * 4, 4 * 7)
    for enrol, test in pairs_in(listed):
        assert test not in listed.models[enrol - 14]


def test_vectors_of_models_are_plain_means():
    known = known_of(2, 4)
    listed = several_enrolled(known, 10**6, np.random.default_rng(SEED))
    values = np.random.default_rng(1).normal(size=(8, 3))
    extended = listed.vectors(Vectors(tuple(one.utterance_id for one in known), values))
    assert extended.utterance_ids == listed.trials.utterance_ids
    np.testing.assert_array_equal(extended.values[:8], values)
    np.testing.assert_allclose(extended.values[8:], [values[:3].mean(0), values[4:7].mean(0)])


def test_triples_leave_a_rest():
    assert triples(["b", "a", "a", "b", "a", "b", "b", "c"]).tolist() == [[1, 2, 4], [0, 3, 5]]
    assert triples(["a", "a"]).shape == (0, 3)


def test_a_long_list_is_sampled_and_all_others_with_it():
    known = known_of(8, 6)
    every, others = lists(known, most=300)
    assert counts(every) == (8 * 15, 300 - 8 * 15)
    assert every.trials.speaker_names == tuple(f"test{place:02d}" for place in range(8))
    assert set(pairs_in(others.lists["same_sex"])) < set(pairs_in(every))
    assert len(others.lists["multi3"].trials) == 300
    again, _ = lists(known, most=300)
    np.testing.assert_array_equal(again.trials.test, every.trials.test)


def test_an_utterance_outside_the_manifest_is_named():
    utterances = make_utterances("test", 2, 2)
    found = find_utterances(["test01_00", "test00_01"], utterances)
    assert [(one.speaker, one.gender) for one in found] == [("test01", "M"), ("test00", "F")]
    with pytest.raises(ArtifactError, match="utterance ghost of the latents"):
        find_utterances(["test01_00", "ghost"], utterances)


SEXES = [1, 1, 2, 2, 0]  # two women, two men, one unknown
SPEAKERS = np.repeat(np.arange(5), 4)


def all_candidates():
    sexes = np.array(SEXES)[SPEAKERS]
    count = len(SPEAKERS)
    return Candidates(
        count, lambda row: np.arange(row + 1, count), SPEAKERS, sexes, SPEAKERS, sexes
    )


def test_all_are_taken_where_they_are_few():
    pairs = choose_pairs(all_candidates(), 190, np.random.default_rng(0))
    enrol, test = np.triu_indices(20, k=1)
    np.testing.assert_array_equal(pairs.row, enrol)
    np.testing.assert_array_equal(pairs.test, test)


@pytest.mark.parametrize("most", [50, 100, 189])
def test_a_sample_has_the_size_asked_for_and_no_pair_twice(most):
    pairs = choose_pairs(all_candidates(), most, np.random.default_rng(1))
    assert len(set(zip(pairs.row.tolist(), pairs.test.tolist(), strict=True))) == most
    assert (pairs.row < pairs.test).all()
    order = np.lexsort((pairs.test, pairs.row))
    np.testing.assert_array_equal(order, np.arange(most))


def test_targets_are_all_kept_and_sexes_keep_their_shares():
    # 30 targets of 190 pairs; of 160 non-targets F-F and M-M have 16 each, F-M 64, each sex
    # with the unknown 32: of the 80 kept half of each.
    pairs = choose_pairs(all_candidates(), 110, np.random.default_rng(2))
    own, other = SPEAKERS[pairs.row], SPEAKERS[pairs.test]
    assert np.count_nonzero(own == other) == 30
    names = np.array(["", "F", "M"])[SEXES]
    kinds = ["".join(sorted(pair)) for pair in zip(names[own], names[other], strict=True)]
    apart = [kind for kind, same in zip(kinds, own == other, strict=True) if not same]
    counts = {kind: apart.count(kind) for kind in ("FF", "MM", "FM", "F", "M")}
    assert counts == {"FF": 8, "MM": 8, "FM": 32, "F": 16, "M": 16}


def test_targets_are_at_most_half_where_both_kinds_are_many():
    pairs = choose_pairs(all_candidates(), 20, np.random.default_rng(3))
    assert np.count_nonzero(SPEAKERS[pairs.row] == SPEAKERS[pairs.test]) == 10


def test_every_pair_of_a_stratum_is_equally_likely():
    seen = np.zeros((20, 20))
    for seed in range(600):
        pairs = choose_pairs(all_candidates(), 110, np.random.default_rng([4, seed]))
        seen[pairs.row, pairs.test] += 1
    rows, columns = np.triu_indices(20, k=1)
    apart = SPEAKERS[rows] != SPEAKERS[columns]
    found = seen[rows, columns][apart]
    # 300 expected, standard deviation sqrt(600 / 4) = 12.2; the widest of 160 stays in 5 of them.
    assert found.mean() == 300
    assert abs(found - 300).max() < 61


def test_equal_seeds_equal_samples_other_seeds_other_samples():
    first, again, other = (
        choose_pairs(all_candidates(), 60, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.test, again.test)
    assert (first.test != other.test).any()


def test_shares_are_whole_numbers_and_sum_up():
    sizes = np.zeros(18, np.int64)
    sizes[[3, 0, 2, 4]] = [7, 10, 11, 12]  # stratum 3 holds targets
    quotas = share_out(sizes, 20)
    assert quotas[3] == 7
    assert quotas[[0, 2, 4]].sum() == 13
    assert (quotas <= sizes).all()
    np.testing.assert_allclose(quotas[[0, 2, 4]], sizes[[0, 2, 4]] * 13 / 33, atol=1)
