"""Small lists of scored trials for hypothesis, and slow definitions to compare with."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from fhvae.corpus.manifest import Utterance
from fhvae.trials import (
    ErrorCurve,
    Trials,
    equal_error_rate,
    error_curve,
    pairs_of,
    rank_trials,
)


@st.composite
def scored_trials(draw, weights=False):
    """Scores on a coarse grid (many ties), with at least one trial of each kind."""
    count = draw(st.integers(2, 24))
    scores = draw(st.lists(st.integers(-6, 6), min_size=count, max_size=count))
    labels = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    assume(any(labels) and not all(labels))
    parts = [np.array(scores) / 4, np.array(labels)]
    if weights:
        counts = np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
        assume(counts[parts[1]].sum() > 0)
        assume(counts[~parts[1]].sum() > 0)
        parts.append(counts.astype(float))
    return parts


@st.composite
def scored_pairs(draw):
    """All pairs of a few utterances of a few speakers, with scores on a coarse grid."""
    speakers = draw(st.lists(st.integers(0, 4), min_size=3, max_size=9))
    assume(1 < len(set(speakers)) < len(speakers))
    ids = [f"u{place}" for place in range(len(speakers))]
    trials = pairs_of(ids, [f"s{speaker}" for speaker in speakers])
    levels = draw(st.sampled_from([1, 3, 1000]))
    seed = draw(st.integers(0, 2**32 - 1))
    return trials, np.random.default_rng(seed).integers(0, levels, len(trials)).astype(float)


def every_pair(utterances: Sequence[Utterance]) -> Trials:
    """All pairs of the utterances of a manifest."""
    return pairs_of([one.utterance_id for one in utterances], [one.speaker for one in utterances])


def noisy_scores(trials: Trials, seed: int, noise: float = 1.0) -> np.ndarray:
    """Score by closeness to the speaker's place on a line, with noise of the utterance."""
    random = np.random.default_rng(seed)
    places = 2 * random.normal(size=len(trials.speaker_names))
    vectors = places[trials.speakers] + noise * random.normal(size=len(trials.utterance_ids))
    return -np.abs(vectors[trials.enrol] - vectors[trials.test])


def weighted_curve(scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray) -> ErrorCurve:
    """Error rates with weights of the trials as given, not as ranked."""
    ranked = rank_trials(scores, is_target)
    return error_curve(ranked, weights[ranked.order])


def weighted_eer(scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray) -> float:
    return float(equal_error_rate(weighted_curve(scores, is_target, weights)))


def brute_force_rates(scores, is_target, weights):
    """FNR and FPR at every threshold, each counted trial by trial."""
    rates = []
    for threshold in [*sorted(set(scores.tolist())), np.inf]:
        missed = accepted = targets = nontargets = 0.0
        for score, target, weight in zip(scores, is_target, weights, strict=True):
            targets += weight * target
            nontargets += weight * (not target)
            missed += weight * (target and score < threshold)
            accepted += weight * (not target and score >= threshold)
        rates.append((missed / targets, accepted / nontargets))
    return rates


def brute_force_eer(rates):
    for (fnr_0, fpr_0), (fnr_1, fpr_1) in pairwise(rates):
        d_0, d_1 = fnr_0 - fpr_0, fnr_1 - fpr_1
        if d_1 >= 0:
            a = d_1 / (d_1 - d_0)
            return fnr_1 - a * (fnr_1 - fnr_0)
    raise AssertionError("FNR never reaches FPR")
