"""What the stage verify does: every vector with every back-end on every list of trials.

An `Evaluation` is what all vectors share: lists of trials, and draws of speakers for bands. A
vector with a back-end is a `System`: its scores, error rates and intervals. What is known of one
vector with all back-ends is a `VectorResult`; `best` stands for the supervised back-end that dev
chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fhvae.corpus.manifest import Utterance
from fhvae.errors import TrialError
from fhvae.intervals import INTERVALS, rate_interval
from fhvae.params.verification import VerificationParams
from fhvae.seeds import generator
from fhvae.trials import (
    ErrorCurve,
    RankedTrials,
    Trials,
    Vectors,
    eer,
    equal_error_rate,
    error_curve,
    rank_trials,
)
from fhvae.verification.backends import (
    SUPERVISED,
    Backend,
    DevVectors,
    TrainVectors,
    fit_backends,
    score_trials,
)
from fhvae.verification.error_rates import (
    SEPARATED,
    Calibration,
    actual_detection_cost,
    are_separated,
    cllr,
    fit_calibration,
    legacy_equal_error_rate,
    lower_hull,
    minimum_cllr,
    minimum_detection_cost,
)
from fhvae.verification.resampling import (
    Band,
    SpeakerDraws,
    det_band,
    leave_one_out_eer,
    resample_speakers,
    why_no_eer_interval,
)
from fhvae.verification.scores import as_written, write_scores, write_trials
from fhvae.verification.trial_lists import ALL_PAIRS, TrialList, all_pairs, other_lists

BEST = "best"
# In the plot.
WITH_CURVES = ("mu2", "mu1", "ivector", "ivector_supervised", "fbank", "untrained")
FEW_ERRORS = 30  # the rule of 30: below so many errors an error rate is hardly known
Metrics = dict[str, float | int | str]


@dataclass(frozen=True)
class Evaluation:
    """What every vector is evaluated on.

    Attributes:
        train_speakers: of each train utterance.
        dev: all pairs of dev; None where dev has no trials.
        lists: lists of test trials by name, `all_pairs` among them.
        draws: of test speakers, for the bands of the DET curves of all pairs.
        params: section `verification`.
        protocol: headline: other lists and files of scores for `cos` and the best only.
        absent: lists and intervals that the corpus does not allow, and why.
    """

    train_speakers: tuple[str, ...]
    dev: Trials | None
    lists: Mapping[str, TrialList]
    draws: SpeakerDraws
    params: VerificationParams
    protocol: Literal["headline", "full"]
    absent: Mapping[str, str]

    @property
    def trials(self) -> Trials:
        """All pairs of test."""
        return self.lists[ALL_PAIRS].trials


def make_evaluation(
    utterances: Mapping[str, Sequence[Utterance]],
    params: VerificationParams,
    protocol: Literal["headline", "full"],
    seed: int,
) -> Evaluation:
    """Make the lists of trials, and draw the speakers for bands, by streams named after each.

    Args:
        utterances: of each split, sorted by id.
        params: section `verification`.
        protocol: how much is evaluated.
        seed: of the run.

    Raises:
        TrialError: test has only one kind of trial.
    """
    most = params.most_trials
    random = generator(seed, "verification", "trials", "test")
    every = all_pairs(utterances["test"], most, random)
    random = generator(seed, "verification", "trials", "conditions")
    others = other_lists(utterances["test"], every.trials, most, random)
    lists = {ALL_PAIRS: every, **others.lists}
    absent = {f"conditions.{name}": reason for name, reason in others.absent.items()}
    absent |= lists_without_intervals(lists)
    random = generator(seed, "verification", "speakers", ALL_PAIRS)
    draws = resample_speakers(every.trials, params.bootstrap, random)
    dev = None
    try:
        random = generator(seed, "verification", "trials", "dev")
        dev = all_pairs(utterances["dev"], most, random).trials
    except TrialError as error:
        absent["dev"] = str(error)
    train_speakers = tuple(one.speaker for one in utterances["train"])
    return Evaluation(train_speakers, dev, lists, draws, params, protocol, absent)


def lists_without_intervals(lists: Mapping[str, TrialList]) -> dict[str, str]:
    """Name the lists that allow no interval, and say why; `intervals` is of all pairs."""
    found = {}
    for name, listed in lists.items():
        if reason := why_no_eer_interval(listed.trials):
            found[INTERVALS if name == ALL_PAIRS else f"conditions.{name}.{INTERVALS}"] = reason
    return found


def write_lists(folder: Path, evaluation: Evaluation) -> dict[str, str]:
    """Write every list of trials as `trials/<name>.tsv`; give the sha256 of each."""
    return {
        name: write_trials(folder / "trials" / f"{name}.tsv", listed.trials)
        for name, listed in evaluation.lists.items()
    }


@dataclass(frozen=True)
class VectorTask:
    """One kind of vector, of all three splits."""

    name: str
    train: Vectors
    dev: Vectors
    test: Vectors


@dataclass(frozen=True)
class Curve:
    """A DET curve with its band; None where speakers are too few for one."""

    points: ErrorCurve
    band: Band | None


@dataclass(frozen=True)
class VectorResult:
    """All that is known of one kind of vector.

    Attributes:
        name: of the vector.
        metrics: by back-end, and of `best`, the best supervised one on dev.
        by_list: those of the other lists of trials, by list and back-end.
        left_out: EER of all pairs without each speaker, of `cos` and `best`.
        calibrations: by back-end.
        curves: of `cos` and `best`, for the vectors of the plot.
        absent: what is not there, and why.
    """

    name: str
    metrics: dict[str, Metrics]
    by_list: dict[str, dict[str, Metrics]]
    left_out: dict[str, np.ndarray]
    calibrations: dict[str, Calibration]
    curves: dict[str, Curve]
    absent: dict[str, str]


def evaluate_vector(task: VectorTask, evaluation: Evaluation, scores: Path) -> VectorResult:
    """Fit all back-ends, score all lists of trials, compute all metrics.

    Args:
        task: the vectors.
        evaluation: trials and draws.
        scores: folder for the files of scores.
    """
    train = TrainVectors(task.train, evaluation.train_speakers)
    dev = None if evaluation.dev is None else DevVectors(task.dev, evaluation.dev)
    backends = fit_backends(train, dev, evaluation.params)
    absent = {f"{task.name}.{name}": reason for name, reason in backends.absent.items()}
    systems: dict[str, System] = {}
    for name, backend in backends.fitted.items():
        try:
            systems[name] = make_system(backend, task.test, dev, evaluation)
        except TrialError as error:
            absent[f"{task.name}.{name}"] = str(error)
            continue
        if dev is not None and systems[name].calibration is None:
            absent[f"{task.name}.{name}.calibration"] = SEPARATED
    main = main_systems(systems)
    if BEST not in main:
        absent[f"{task.name}.{BEST}"] = "no supervised back-end could be chosen on dev"
    rows = main if evaluation.protocol == "headline" else {name: name for name in systems} | main
    for name in sorted(set(rows.values())):
        system, file_name = systems[name], f"{task.name}.{name}.tsv"
        write_scores(scores / file_name, evaluation.trials, system.scores)
        if dev is not None and system.dev_scores is not None:
            write_scores(scores / "dev" / file_name, dev.trials, system.dev_scores)
    drawn = main if task.name in WITH_CURVES else {}
    return VectorResult(
        name=task.name,
        metrics=_collect_metrics(systems, main),
        by_list=_score_lists(task, rows, systems, evaluation, absent),
        left_out={key: systems[name].left_out for key, name in main.items()},
        calibrations={
            name: system.calibration
            for name, system in systems.items()
            if system.calibration is not None
        },
        curves={key: _with_band(systems[name], evaluation) for key, name in drawn.items()},
        absent=absent,
    )


@dataclass(frozen=True)
class System:
    """A fitted back-end, what it says, and how right it is.

    Attributes:
        backend: fitted.
        scores: `[trial]` of all pairs, rounded as they are written.
        ranked: the same pairs by these scores.
        curve: their error rates.
        dev_scores: `[trial]` of the dev split, rounded; None where dev has no trials.
        calibration: of the scores, on dev; None where dev has no trials, or they are separated.
        left_out: EER of all pairs without each speaker, `[speaker]`; empty without intervals.
        metrics: by name.
    """

    backend: Backend
    scores: np.ndarray
    ranked: RankedTrials
    curve: ErrorCurve
    dev_scores: np.ndarray | None
    calibration: Calibration | None
    left_out: np.ndarray
    metrics: Metrics


def make_system(
    backend: Backend, test: Vectors, dev: DevVectors | None, evaluation: Evaluation
) -> System:
    """Score all pairs of test and of dev, and compute every metric.

    Raises:
        TrialError: a vector has no direction; the message names the utterance.
    """
    trials = evaluation.trials
    scores = as_written(score_trials(backend, test, trials))
    ranked = rank_trials(scores, trials.is_target)
    curve = error_curve(ranked)
    left_out, hull = leave_one_out_eer(trials, ranked), lower_hull(curve)
    priors = evaluation.params.priors
    metrics: Metrics = {
        **error_rates(trials, ranked, left_out, priors),
        "eer_legacy": legacy_equal_error_rate(curve),
        "eer_rocch": float(equal_error_rate(hull)),
        "cllr_min": minimum_cllr(hull),
    }
    dev_scores, calibration = None, None
    if dev is not None:
        dev_scores = as_written(score_trials(backend, dev.vectors, dev.trials))
        if not are_separated(dev_scores, dev.trials.is_target):
            calibration = fit_calibration(dev_scores, dev.trials.is_target)
            metrics |= calibrated_costs(calibration.apply(scores), trials.is_target, priors)
        metrics["dev_eer"] = eer(dev_scores, dev.trials.is_target)
    return System(backend, scores, ranked, curve, dev_scores, calibration, left_out, metrics)


def error_rates(
    trials: Trials, ranked: RankedTrials, left_out: np.ndarray, priors: Sequence[float]
) -> Metrics:
    """Lay out the EER with its interval and the errors behind it, and the least detection costs.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        left_out: their EER without each speaker, of `leave_one_out_eer`.
        priors: of a target trial, one cost for each.
    """
    curve = error_curve(ranked)
    rate, targets = float(equal_error_rate(curve)), int(np.count_nonzero(ranked.is_target))
    errors = round(rate * targets)
    metrics: Metrics = {
        **rate_interval(rate, left_out, targets).metrics("eer"),
        "n_err_eer": errors,
        "speakers_err_eer": speakers_missed(trials, ranked, curve),
        "rule_of_30": int(errors >= FEW_ERRORS),
    }
    for prior in priors:
        metrics[f"mindcf_{prior_name(prior)}"] = minimum_detection_cost(curve, prior)
    return metrics


def speakers_missed(trials: Trials, ranked: RankedTrials, curve: ErrorCurve) -> int:
    """Count the speakers with a target trial below the threshold at which FNR reaches FPR."""
    refused = slice(int(ranked.below[np.argmax(curve.fnr >= curve.fpr)]))
    missed = ranked.order[refused][ranked.is_target[refused]]
    return len(np.unique(trials.enrol_speakers[missed]))


def prior_name(prior: float) -> str:
    """Write a prior as metrics name it: 0.01 -> p01."""
    return f"p{prior:g}".replace("0.", "")


def calibrated_costs(
    ratios: np.ndarray, is_target: np.ndarray, priors: Sequence[float]
) -> dict[str, float]:
    """Compute what it costs to trust calibrated scores, `[trial]`."""
    costs = {"cllr": cllr(ratios, is_target)}
    for prior in priors:
        costs[f"actdcf_{prior_name(prior)}"] = actual_detection_cost(ratios, is_target, prior)
    return costs


def main_systems(systems: Mapping[str, System]) -> dict[str, str]:
    """Name the back-ends of the headline: `cos`, and as `best` the supervised one best on dev.

    Of equals the first of `SUPERVISED`. Either may be missing.
    """
    main = {"cos": "cos"} if "cos" in systems else {}
    known = [name for name in SUPERVISED if name in systems and "dev_eer" in systems[name].metrics]
    if known:
        main[BEST] = min(known, key=lambda name: systems[name].metrics["dev_eer"])
    return main


def _collect_metrics(systems: Mapping[str, System], main: Mapping[str, str]) -> dict[str, Metrics]:
    """Lay out the metrics by back-end; those of `best` say which it is."""
    metrics = {}
    for name, system in systems.items():
        metrics[name] = dict(system.metrics)
        if "lda" in name:
            metrics[name]["dimensions"] = system.backend.dimensions
    if BEST in main:
        metrics[BEST] = {**metrics[main[BEST]], "backend": main[BEST]}
    return metrics


def _score_lists(
    task: VectorTask,
    rows: Mapping[str, str],
    systems: Mapping[str, System],
    evaluation: Evaluation,
    absent: dict[str, str],
) -> dict[str, dict[str, Metrics]]:
    """Score the other lists of trials, by list and row; what cannot be goes to `absent`.

    Args:
        task: the vectors.
        rows: what a row is called to the back-end that it is of.
        systems: by back-end.
        evaluation: the lists.
        absent: is added to.
    """
    by_list: dict[str, dict[str, Metrics]] = {}
    for name, listed in evaluation.lists.items():
        if name == ALL_PAIRS:
            continue
        found: dict[str, Metrics] = {}
        for backend in sorted(set(rows.values())):
            try:
                scores = _scores_of_list(systems[backend], task.test, listed)
            except TrialError as error:
                absent[f"conditions.{name}.{task.name}.{backend}"] = str(error)
                continue
            ranked = rank_trials(scores, listed.trials.is_target)
            left_out = leave_one_out_eer(listed.trials, ranked)
            priors = evaluation.params.priors
            found[backend] = error_rates(listed.trials, ranked, left_out, priors)
        by_list[name] = {key: found[value] for key, value in rows.items() if value in found}
    return by_list


def _scores_of_list(system: System, test: Vectors, listed: TrialList) -> np.ndarray:
    """Take the scores of pairs that are known already; score models, rounded as all are.

    Raises:
        TrialError: the vector of a model has no direction.
    """
    if listed.places is not None:
        return np.asarray(system.scores[listed.places])
    vectors = listed.vectors(test)
    return as_written(score_trials(system.backend, vectors, listed.trials, listed.counts))


def _with_band(system: System, evaluation: Evaluation) -> Curve:
    return Curve(system.curve, det_band(evaluation.trials, system.ranked, evaluation.draws))
