"""Every vector with every back-end: the scores, error rates and intervals of each system."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.artifacts import new_folder
from fhvae.corpus.manifest import Utterance
from fhvae.errors import ArtifactError, TrialError
from fhvae.verification.backends import cosine_scores, fit_lda, lda_speakers, project
from fhvae.verification.error_rates import eer_legacy, equal_error_rate, min_dcf
from fhvae.verification.intervals import SpeakerDraws, metric_interval
from fhvae.verification.trials import Trials, as_written, write_scores
from fhvae.verification.vectors import Vectors

log = logging.getLogger(__name__)

BACKENDS = ("cos", "lda")
PRIOR = 0.01  # of mindcf_p01


@dataclass(frozen=True)
class TrainVectors:
    """What LDA is fitted on.

    Attributes:
        vectors: by name, one per train utterance.
        speakers: of the train utterances, in the same order.
    """

    vectors: Mapping[str, Vectors]
    speakers: Sequence[str]


@dataclass(frozen=True)
class Systems:
    """The scores of every system, and why a system has none.

    Attributes:
        scores: `<vector>.<backend>` to `[trial]`, rounded as they are written.
        absent: `<vector>.<backend>` to the reason.
    """

    scores: Mapping[str, np.ndarray]
    absent: Mapping[str, str]


def speakers_of(utterance_ids: Sequence[str], utterances: Sequence[Utterance]) -> list[str]:
    """Look up who speaks each utterance.

    Raises:
        ArtifactError: an utterance is not in this split of the manifest.
    """
    known = {utterance.utterance_id: utterance.speaker for utterance in utterances}
    for utterance_id in utterance_ids:
        if utterance_id not in known:
            raise ArtifactError(
                f"utterance {utterance_id} of the latents must be in the same split of the "
                "manifest and is not; rerun fbank and latents"
            )
    return [known[utterance_id] for utterance_id in utterance_ids]


def score_systems(
    test: Mapping[str, Vectors], trials: Trials, train: TrainVectors, lda_dimensions: int
) -> Systems:
    """Score the trials with every vector, by cosine and by LDA and cosine.

    Args:
        test: vectors by name, one per test utterance.
        trials: pairs of test utterances.
        train: vectors of the same names.
        lda_dimensions: directions kept, at most.
    """
    scores, absent = {}, {}
    for name, vectors in test.items():
        for backend in BACKENDS:
            try:
                if backend == "lda":
                    lda = fit_lda(train.vectors[name], train.speakers, lda_dimensions)
                    vectors = project(lda, vectors)
                scores[f"{name}.{backend}"] = as_written(cosine_scores(vectors, trials))
            except TrialError as error:
                log.warning("%s.%s is absent: %s", name, backend, error)
                absent[f"{name}.{backend}"] = str(error)
    return Systems(scores, absent)


def write_system_scores(folder: Path, systems: Systems, trials: Trials) -> None:
    """Write `<vector>.<backend>.tsv` for every system, all or none."""
    with new_folder(folder) as partial:
        for system, scores in systems.scores.items():
            write_scores(partial / f"{system}.tsv", trials, scores)


def summarize(
    systems: Systems, trials: Trials, draws: SpeakerDraws, train: TrainVectors
) -> dict[str, Any]:
    """Lay out the metrics of the stage verify, nested by vector and back-end."""
    targets = int(trials.is_target.sum())
    usable = len(lda_speakers(train.speakers))
    metrics: dict[str, Any] = {
        "trials": {"target": targets, "nontarget": len(trials) - targets},
        "speakers": len(trials.speaker_names),
        "redrawn": draws.redrawn,
        "lda_train": {"speakers": usable, "left_out": len(set(train.speakers)) - usable},
        "absent": dict(systems.absent),
    }
    for system, scores in systems.scores.items():
        vector, backend = system.split(".")
        interval = metric_interval(trials, scores, draws, equal_error_rate)
        log.info("%s: EER %.4f [%.4f, %.4f]", system, interval.value, interval.low, interval.high)
        metrics.setdefault(vector, {})[backend] = {
            "eer": interval.value,
            "eer_low": interval.low,
            "eer_high": interval.high,
            "eer_legacy": eer_legacy(scores, trials.is_target),
            "mindcf_p01": min_dcf(scores, trials.is_target, PRIOR),
        }
    return metrics
