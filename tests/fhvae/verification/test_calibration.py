"""A calibration of cosines: none where it would be made up, and else the best one."""

import numpy as np
import pytest

from fhvae.trials import Vectors, cosine_scores, pairs_of
from fhvae.verification.calibration import calibrate
from fhvae.verification.error_rates import cllr


def voices(speakers: int, each: int, spread: float) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(0)
    middles = random.normal(size=(speakers, 5))
    people = np.repeat(np.arange(speakers), each)
    own = middles[people] + spread * random.normal(size=(len(people), 5))
    return own, [f"s{number}" for number in people]


def test_no_other_scale_and_offset_cost_less():
    mu2, speakers = voices(7, 6, spread=0.6)
    found = calibrate(mu2, speakers)
    ids = tuple(f"{number:03d}" for number in range(len(mu2)))
    trials = pairs_of(ids, speakers)
    scores = cosine_scores(Vectors(ids, mu2), trials)

    def cost(scale, offset):
        return cllr(scale * scores + offset, trials.is_target)

    best = cost(found.scale, found.offset)
    assert best < 1
    for scale, offset in ((1.1, 1), (0.9, 1), (1, 1.1), (1, 0.9)):
        assert cost(scale * found.scale, offset * found.offset) > best


@pytest.mark.parametrize(
    ("mu2", "speakers"),
    [
        pytest.param(*voices(5, 4, spread=0.0), id="separated"),
        pytest.param(voices(5, 4, 1.0)[0], ["s0"] * 20, id="one-speaker"),
        pytest.param(*voices(20, 1, 1.0), id="no-pair-of-one-speaker"),
        pytest.param(np.ones((6, 3)), list("aabbcc"), id="all-the-same"),
        pytest.param(np.zeros((6, 3)), list("aabbcc"), id="no-direction"),
    ],
)
def test_there_is_none_where_it_would_be_made_up(mu2, speakers):
    assert calibrate(mu2, speakers) is None
