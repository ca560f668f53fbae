"""Pairs of utterances, scored by cosine, and their equal error rate: EER.

What training, i-vectors and verification share. A high score means "same speaker"; a trial is
accepted if its score is at least the threshold. Thresholds are all distinct scores and
infinity. At a threshold t

    FNR(t) = P(target score < t)        FPR(t) = P(non-target score >= t)

The trials are sorted once (`rank_trials`); any number of weightings, such as the draws of a
bootstrap, then cost two cumulative sums each (`error_curve`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fhvae.errors import TrialError

LOWEST, HIGHEST = 1e-5, 1 - 1e-5  # rates beyond have no place on the axes of a DET curve


@dataclass(frozen=True)
class Vectors:
    """One vector per utterance.

    Attributes:
        utterance_ids: sorted.
        values: `[utterance, dimension]` float64.
    """

    utterance_ids: tuple[str, ...]
    values: np.ndarray

    def take(self, rows: slice) -> "Vectors":
        """Take some of the utterances."""
        return Vectors(self.utterance_ids[rows], self.values[rows])


@dataclass(frozen=True)
class Trials:
    """Pairs of utterances, each a target (same speaker) or a non-target trial.

    Attributes:
        utterance_ids: sorted.
        speaker_names: sorted.
        speakers: `[utterance]`, position in `speaker_names`.
        enrol, test: `[trial]`, positions in `utterance_ids`.
    """

    utterance_ids: tuple[str, ...]
    speaker_names: tuple[str, ...]
    speakers: np.ndarray
    enrol: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        """Count the trials."""
        return len(self.enrol)

    @property
    def enrol_speakers(self) -> np.ndarray:
        """Speaker of each trial's first utterance, `[trial]`."""
        return np.asarray(self.speakers[self.enrol])

    @property
    def test_speakers(self) -> np.ndarray:
        """Speaker of each trial's second utterance, `[trial]`."""
        return np.asarray(self.speakers[self.test])

    @property
    def is_target(self) -> np.ndarray:
        """Whether both utterances are of one speaker, `[trial]`."""
        return np.asarray(self.enrol_speakers == self.test_speakers)

    def take(self, chosen: np.ndarray) -> "Trials":
        """Keep the chosen trials, `[trial]` bool or positions.

        Raises:
            TrialError: one kind of trial is not among them.
        """
        kept = replace(self, enrol=self.enrol[chosen], test=self.test[chosen])
        check_both_kinds(kept.is_target)
        return kept


def pairs_of(utterance_ids: Sequence[str], speakers: Sequence[str]) -> Trials:
    """Compare every two of these utterances once; `speakers` are theirs, in the same order.

    Raises:
        TrialError: no speaker has two utterances, or there is one speaker only.
    """
    ordered = sorted(zip(utterance_ids, speakers, strict=True))
    names, indices = np.unique([speaker for _, speaker in ordered], return_inverse=True)
    enrol, test = np.triu_indices(len(ordered), k=1)
    trials = Trials(
        utterance_ids=tuple(name for name, _ in ordered),
        speaker_names=tuple(str(name) for name in names),
        speakers=indices,
        enrol=enrol,
        test=test,
    )
    check_both_kinds(trials.is_target)
    return trials


def check_both_kinds(is_target: np.ndarray) -> None:
    """Raise TrialError unless there are target and non-target trials."""
    targets = int(np.count_nonzero(is_target))
    if targets == 0 or targets == len(is_target):
        raise TrialError(
            f"an error rate needs target and non-target trials, got {targets} target and "
            f"{len(is_target) - targets} non-target; check the speakers of the evaluation split"
        )


def check_finite(scores: np.ndarray) -> None:
    """Raise TrialError where a score, `[trial]`, is NaN or infinite: it lies on no side."""
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise TrialError(
            f"scores must be finite, got {scores[broken[0]]} at trial {broken[0]}; "
            f"{len(broken)} of {len(scores)} trials are concerned"
        )


def cosine_scores(vectors: Vectors, trials: Trials) -> np.ndarray:
    """Score each trial by the cosine of its two vectors, not centered, `[trial]`.

    Raises:
        TrialError: a vector is zero or not finite; the message names the utterance.
        ValueError: vectors and trials are of different utterances.
    """
    if vectors.utterance_ids != trials.utterance_ids:
        raise ValueError("vectors and trials must be of the same utterances, sorted")
    return np.asarray(cosines(vectors, vectors)[trials.enrol, trials.test])


def cosines(left: Vectors, right: Vectors) -> np.ndarray:
    """Compare every vector of the left with every one of the right, `[left, right]`.

    Raises:
        TrialError: a vector is zero or not finite; the message names the utterance.
    """
    unit = _normalize_length(left)
    other = unit if right is left else _normalize_length(right)
    return np.asarray(unit @ other.T)


def _normalize_length(vectors: Vectors) -> np.ndarray:
    lengths = np.linalg.norm(vectors.values, axis=1)
    for utterance_id, length in zip(vectors.utterance_ids, lengths, strict=True):
        if not (np.isfinite(length) and length > 0):
            raise TrialError(
                f"utterance {utterance_id}: a vector must be finite and not zero to be scored "
                f"by its direction, its length is {length}"
            )
    return np.asarray(vectors.values / lengths[:, None])


@dataclass(frozen=True)
class RankedTrials:
    """Trials in the order of rising scores.

    Attributes:
        order: `[trial]`, position of each ranked trial in the scores as given.
        is_target: `[trial]` bool, ranked.
        thresholds: `[threshold]`, the distinct scores rising, then infinity.
        below: `[threshold]`, how many ranked trials score less than each threshold.
    """

    order: np.ndarray
    is_target: np.ndarray
    thresholds: np.ndarray
    below: np.ndarray


def rank_trials(scores: np.ndarray, is_target: np.ndarray) -> RankedTrials:
    """Sort trials by score, equal scores together.

    Args:
        scores: `[trial]`, high for the same speaker.
        is_target: `[trial]` bool.

    Raises:
        TrialError: a score is NaN or infinite, or only one kind of trial is there.
    """
    scores = np.asarray(scores, np.float64)
    is_target = np.asarray(is_target, bool)
    if scores.ndim != 1 or scores.shape != is_target.shape:
        raise ValueError(f"scores {scores.shape} and labels {is_target.shape} must be [trial]")
    check_finite(scores)
    check_both_kinds(is_target)
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    return RankedTrials(
        order=order,
        is_target=is_target[order],
        thresholds=np.append(ranked[starts], np.inf),
        below=np.append(starts, len(ranked)),
    )


@dataclass(frozen=True)
class ErrorCurve:
    """Both error rates at every threshold, rising; one row per weighting if there are several.

    Attributes:
        thresholds: `[threshold]`, the last one infinite.
        fnr, fpr: `[threshold]` or `[draw, threshold]`; fnr runs from 0 to 1, fpr from 1 to 0.
    """

    thresholds: np.ndarray
    fnr: np.ndarray
    fpr: np.ndarray


def error_curve(ranked: RankedTrials, weights: np.ndarray | None = None) -> ErrorCurve:
    """Follow both error rates from the lowest threshold to the highest.

    Args:
        ranked: the trials.
        weights: `[trial]` or `[draw, trial]`, of the trials *as ranked*; 1 if not given.

    Raises:
        TrialError: a weight is negative or not finite, or a kind of trial has no weight.
    """
    if weights is None:
        weights = np.ones(len(ranked.order))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise TrialError("weights of trials must be finite and at least 0")
    targets_below = _cumulative(weights * ranked.is_target)
    nontargets_below = _cumulative(weights * ~ranked.is_target)
    targets, nontargets = targets_below[..., -1:], nontargets_below[..., -1:]
    if (targets == 0).any() or (nontargets == 0).any():
        raise TrialError("the weights of target and of non-target trials must not all be 0")
    fnr = targets_below[..., ranked.below] / targets
    fpr = (nontargets - nontargets_below[..., ranked.below]) / nontargets
    return ErrorCurve(ranked.thresholds, fnr, fpr)


def _cumulative(values: np.ndarray) -> np.ndarray:
    """Sum the values before each position and, at the end, all of them."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums


def det_points(scores: np.ndarray, is_target: np.ndarray) -> ErrorCurve:
    """Compute the points of the DET curve of scored trials."""
    return error_curve(rank_trials(scores, is_target))


def deviates(rates: np.ndarray) -> np.ndarray:
    """Turn rates into normal deviates, the axes of a DET curve; 0 and 1 stay finite."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(rates, LOWEST, HIGHEST)))


def equal_error_rate(curve: ErrorCurve) -> np.ndarray:
    """Find where FNR meets FPR, on the straight line between the two thresholds around it.

    Returns:
        A number for each weighting: shape `[]` or `[draw]`.
    """
    gap = curve.fnr - curve.fpr  # from -1 to 1, never falling
    after = np.argmax(gap >= 0, axis=-1)[..., None]
    gap_before, gap_after = _at(gap, after - 1), _at(gap, after)
    fnr_before, fnr_after = _at(curve.fnr, after - 1), _at(curve.fnr, after)
    share = gap_after / (gap_after - gap_before)
    return np.asarray(fnr_after - share * (fnr_after - fnr_before))


def _at(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.asarray(np.take_along_axis(values, place, axis=-1)[..., 0])


def eer(scores: np.ndarray, is_target: np.ndarray) -> float:
    """Compute the equal error rate of scored trials, a fraction in [0, 1]."""
    return float(equal_error_rate(det_points(scores, is_target)))


def cosine_eer(vectors: np.ndarray, speakers: Sequence[str]) -> float | None:
    """Compute the EER of all pairs scored by cosine: a cheap look while training.

    None where there is no answer: a vector is zero or not finite, or one kind of trial is missing.

    Args:
        vectors: `[utterance, dimension]`.
        speakers: of each utterance.
    """
    ids = tuple(f"{position:09d}" for position in range(len(vectors)))
    try:
        trials = pairs_of(ids, speakers)
        scores = cosine_scores(Vectors(ids, np.asarray(vectors, np.float64)), trials)
        return eer(scores, trials.is_target)
    except TrialError:
        return None
