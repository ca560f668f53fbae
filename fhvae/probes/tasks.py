"""The two questions put to probes: which phone, and which speaker."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.probes.rows import LabelledRows, Rows, label, take

FIT_SHARE = 0.6  # of a test speaker's utterances; the rest is halved to choose and to score
MIN_UTTERANCES = 3  # of a test speaker: one to fit, one to choose, one to score


@dataclass(frozen=True)
class Task:
    """A question with the data to answer it.

    Attributes:
        name: "phone" or "speaker".
        fit: rows the classifiers are fitted on.
        choose: rows the penalty is chosen on.
        score: rows the accuracy is of.
    """

    name: str
    fit: LabelledRows
    choose: LabelledRows
    score: LabelledRows


@dataclass(frozen=True)
class SpeakerSplit:
    """Parts of the test utterances, for the speaker probe.

    Attributes:
        part: utterance id to "fit", "choose" or "score".
        left_out: speakers with fewer than three utterances, sorted.
    """

    part: Mapping[str, str]
    left_out: tuple[str, ...]


def make_task(name: str, fit: LabelledRows, choose: LabelledRows, score: LabelledRows) -> Task:
    """Check the rows of a task and put them together.

    Raises:
        TrialError: a part has no row, or the fitting rows have one label only.
    """
    for part, rows in (("fit", fit), ("choose", choose), ("score", score)):
        if len(rows) == 0:
            raise TrialError(f"the {name} probe needs labelled segments to {part} on, found 0")
    classes = len(np.unique(fit.labels))
    if classes < 2:
        raise TrialError(f"the {name} probe needs at least 2 labels to fit, found {classes}")
    return Task(name, fit, choose, score)


def split_speakers(rows: Rows, random: np.random.Generator) -> SpeakerSplit:
    """Part each speaker's utterances at random: about 60 % fit, 20 % choose, 20 % score."""
    utterances: dict[str, list[str]] = defaultdict(list)
    for utterance_id, speaker in sorted(
        set(zip(rows.utterance_ids.tolist(), rows.speakers.tolist(), strict=True))
    ):
        utterances[speaker].append(utterance_id)
    part: dict[str, str] = {}
    for speaker in sorted(utterances):
        own = utterances[speaker]
        shuffled = [own[place] for place in random.permutation(len(own))]
        if len(own) >= MIN_UTTERANCES:
            part.update(zip(shuffled, _parts(len(own)), strict=True))
    left_out = [name for name, own in utterances.items() if len(own) < MIN_UTTERANCES]
    return SpeakerSplit(part, tuple(sorted(left_out)))


def _parts(utterances: int) -> list[str]:
    """Name the part of each of a speaker's shuffled utterances; every part gets at least one."""
    fit = min(max(1, round(FIT_SHARE * utterances)), utterances - 2)
    choose = (utterances - fit) // 2
    return ["fit"] * fit + ["choose"] * choose + ["score"] * (utterances - fit - choose)


def speaker_task(rows: Rows, split: SpeakerSplit) -> Task:
    """Ask which of the test speakers speaks a segment of an utterance not fitted on.

    Raises:
        TrialError: fewer than two speakers have three utterances.
    """
    usable = {name for name in rows.speakers.tolist()} - set(split.left_out)
    if len(usable) < 2:
        raise TrialError(
            f"the speaker probe needs at least 2 test speakers with {MIN_UTTERANCES} utterances "
            f"each, found {len(usable)}; {len(split.left_out)} speakers have fewer"
        )
    labelled = label(rows, rows.speakers.tolist())
    parts = np.array([split.part.get(name, "") for name in rows.utterance_ids.tolist()])
    fit, choose, score = (take(labelled, parts == part) for part in ("fit", "choose", "score"))
    return make_task("speaker", fit, choose, score)
