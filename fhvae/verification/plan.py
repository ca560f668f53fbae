"""What the stage verify has to do: lists of trials, draws of speakers, a task per vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fhvae.errors import TrialError
from fhvae.intervals import INTERVALS, are_enough, why_no_interval
from fhvae.params.verification import VerificationParams
from fhvae.seeds import generator
from fhvae.trials.cosine import Vectors
from fhvae.trials.pairs import Trials
from fhvae.verification.comparison import VectorTask
from fhvae.verification.conditions import (
    ALL_PAIRS,
    Labels,
    TrialList,
    all_pairs_list,
    make_conditions,
)
from fhvae.verification.intervals import FEW_SPEAKERS, check_jackknife, draw_speakers
from fhvae.verification.scoring import DevVectors, TrainVectors
from fhvae.verification.systems import Setting
from fhvae.verification.trials import write_trials


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated, and how.

    Attributes:
        tasks: one per vector.
        setting: what they share.
        absent: lists and intervals that the corpus does not allow, and why.
    """

    tasks: list[VectorTask]
    setting: Setting
    absent: dict[str, str]


def make_plan(
    vectors: Mapping[str, Mapping[str, Vectors]],
    labels: Mapping[str, Labels],
    params: VerificationParams,
    protocol: Literal["headline", "full"],
    seed: int,
) -> Plan:
    """Make the lists of trials and draw the speakers, by streams named after each list.

    Args:
        vectors: of each split, by name.
        labels: of the utterances of each split.
        params: section `verification`.
        protocol: how much is evaluated.
        seed: of the run.

    Raises:
        TrialError: test has only one kind of trial.
    """
    every = all_pairs_list(
        labels["test"], params.most_trials, generator(seed, "verification", "trials", "test")
    )
    random = generator(seed, "verification", "trials", "conditions")
    conditions = make_conditions(labels["test"], every, params.most_trials, random)
    absent = {f"conditions.{name}": reason for name, reason in conditions.absent.items()}
    lists = {ALL_PAIRS: every, **conditions.lists}
    absent |= lists_without_intervals(lists)
    draws = {
        name: draw_speakers(
            listed.trials,
            params.bootstrap,
            generator(seed, "verification", "speakers", name),
        )
        for name, listed in lists.items()
    }
    speakers = len(every.trials.speaker_names)
    jackknife = are_enough(speakers) and speakers < FEW_SPEAKERS
    dev_trials = None
    try:
        if jackknife:
            check_jackknife(every.trials)
    except TrialError as error:
        jackknife = False
        absent["eer_jackknife"] = str(error)
    try:
        random = generator(seed, "verification", "trials", "dev")
        dev_trials = all_pairs_list(labels["dev"], params.most_trials, random).trials
    except TrialError as error:
        absent["dev"] = str(error)
    tasks = [make_task(name, vectors, labels, dev_trials) for name in vectors["test"]]
    return Plan(tasks, Setting(lists, draws, params.lda_dimensions, protocol, jackknife), absent)


def lists_without_intervals(lists: Mapping[str, TrialList]) -> dict[str, str]:
    """Name the lists whose speakers are too few, and say why; `intervals` is of all pairs."""
    found = {}
    for name, listed in lists.items():
        reason = why_no_interval(len(listed.trials.speaker_names))
        if reason is not None:
            found[INTERVALS if name == ALL_PAIRS else f"conditions.{name}.{INTERVALS}"] = reason
    return found


def make_task(
    name: str,
    vectors: Mapping[str, Mapping[str, Vectors]],
    labels: Mapping[str, Labels],
    dev_trials: Trials | None,
) -> VectorTask:
    """Put together one vector of all splits, and what the back-ends may know of them."""
    return VectorTask(
        name=name,
        train=TrainVectors(vectors["train"][name], labels["train"].speakers),
        dev=None if dev_trials is None else DevVectors(vectors["dev"][name], dev_trials),
        test=vectors["test"][name],
    )


def write_lists(folder: Path, setting: Setting) -> dict[str, str]:
    """Write every list of trials as `trials/<name>.tsv`; give the sha256 of each."""
    return {
        name: write_trials(folder / "trials" / f"{name}.tsv", listed.trials)
        for name, listed in setting.lists.items()
    }
