"""How well mu2 of speech alone, and of pauses alone, tells who speaks.

With one session per speaker a pause is the room and the microphone, and they are the speaker. Not
every utterance has a segment of pauses: those that have are compared, by the part and as a whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials import Trials, Vectors, check_both_kinds, cosine_scores, rank_trials
from fhvae.verification.evaluate import Metrics, error_rates
from fhvae.verification.resampling import leave_one_out_eer
from fhvae.verification.scores import as_written


def compare_parts(
    parts: Mapping[str, Vectors | None], whole: Vectors, trials: Trials, priors: Sequence[float]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Compute the error rates of each part by cosine, and of the whole on the same trials.

    Args:
        parts: mu2 by the name of the part, of the utterances that have a segment of it; None
            where none has.
        whole: mu2 of all utterances.
        trials: of all utterances.
        priors: of a target trial, one cost for each.

    Returns:
        Metrics by part, and what is absent, with the reason.
    """
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name, part in parts.items():
        count = 0 if part is None else len(part.utterance_ids)
        if count < len(whole.utterance_ids):
            absent[name] = (
                f"{count} of {len(whole.utterance_ids)} test utterances have a segment of {name}; "
                f"parts.{name} is of those"
            )
        try:
            found[name] = _compare(part, whole, trials, priors) | {"utterances": count}
        except TrialError as error:
            absent[f"parts.{name}"] = str(error)
    return found, absent


def _compare(
    part: Vectors | None, whole: Vectors, trials: Trials, priors: Sequence[float]
) -> dict[str, Any]:
    if part is None:
        raise TrialError("no test utterance has a segment of it")
    shared = trials_among(trials, part.utterance_ids)
    kept = np.isin(whole.utterance_ids, part.utterance_ids)
    same = Vectors(part.utterance_ids, whole.values[kept])
    return {
        "cos": _rates(part, shared, priors),
        "whole": {"cos": _rates(same, shared, priors)},
    }


def _rates(vectors: Vectors, trials: Trials, priors: Sequence[float]) -> Metrics:
    ranked = rank_trials(as_written(cosine_scores(vectors, trials)), trials.is_target)
    return error_rates(trials, ranked, leave_one_out_eer(trials, ranked), priors)


def trials_among(trials: Trials, utterance_ids: Sequence[str]) -> Trials:
    """Keep the trials whose two utterances are both listed; others, and their speakers, go.

    Raises:
        TrialError: one kind of trial is not among them.
    """
    kept = np.isin(trials.utterance_ids, utterance_ids)
    place = np.cumsum(kept) - 1
    chosen = kept[trials.enrol] & kept[trials.test]
    known, speakers = np.unique(trials.speakers[kept], return_inverse=True)
    among = Trials(
        utterance_ids=tuple(np.array(trials.utterance_ids)[kept].tolist()),
        speaker_names=tuple(trials.speaker_names[speaker] for speaker in known),
        speakers=speakers,
        enrol=place[trials.enrol[chosen]],
        test=place[trials.test[chosen]],
    )
    check_both_kinds(among.is_target)
    return among
