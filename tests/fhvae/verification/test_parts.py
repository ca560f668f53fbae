"""mu2 of a part of an utterance, on the trials of the utterances that have it."""

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.trials import Vectors, pairs_of
from fhvae.verification.parts import compare_parts, trials_among

PRIORS = (0.01,)
SPEAKERS = dict(a1="a", a2="a", b1="b", b2="b", b3="b", c1="c", c2="c", d1="d")
IDS = tuple(SPEAKERS)
TRIALS = pairs_of(IDS, [SPEAKERS[name] for name in IDS])
PLACES = {speaker: np.eye(4)[place] for place, speaker in enumerate("abcd")}


def vectors(ids, turned=()):
    """Each at the place of its speaker; those turned at that of the next one."""
    following = dict(zip("abcd", "bcda", strict=True))
    names = [following[SPEAKERS[i]] if i in turned else SPEAKERS[i] for i in ids]
    return Vectors(tuple(ids), np.array([PLACES[name] for name in names]))


def test_trials_among_some_are_all_their_pairs():
    some = ("a1", "a2", "c1", "c2", "d1")
    found = trials_among(TRIALS, some)
    expected = pairs_of(some, [SPEAKERS[name] for name in some])
    assert found.utterance_ids == some
    assert found.speaker_names == expected.speaker_names == ("a", "c", "d")
    for name in ("speakers", "enrol", "test"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_trials_of_one_kind_alone_are_refused():
    with pytest.raises(TrialError, match="got 0 target and 3 non-target"):
        trials_among(TRIALS, ("a1", "b1", "c1"))


def test_part_and_whole_are_compared_on_the_utterances_that_have_the_part():
    some = ("a1", "a2", "c1", "c2")
    whole = vectors(IDS, turned=("b1", "b2"))  # wrong, but where the part is not
    found, absent = compare_parts(
        {"pauses": vectors(some, turned=("a1",)), "speech": vectors(IDS)}, whole, TRIALS, PRIORS
    )
    assert found["pauses"]["utterances"] == 4
    assert found["pauses"]["whole"]["cos"]["eer"] == 0.0
    assert found["pauses"]["cos"]["eer"] > 0.0
    assert found["speech"]["cos"]["eer"] == 0.0
    assert found["speech"]["whole"]["cos"]["eer"] > 0.0
    assert absent == {
        "pauses": "4 of 8 test utterances have a segment of pauses; parts.pauses is of those"
    }


@pytest.mark.parametrize(
    ("part", "reason"),
    [(None, "no test utterance has a segment of it"), (vectors(("a1", "b1")), "got 0 target")],
)
def test_a_part_that_allows_no_trials_is_absent_with_a_reason(part, reason):
    found, absent = compare_parts({"pauses": part}, vectors(IDS), TRIALS, PRIORS)
    assert found == {}
    assert reason in absent["parts.pauses"]
    assert absent["pauses"].startswith(f"{0 if part is None else 2} of 8 test utterances have")
