"""Who teaches the recogniser and on what it is tested: the two sides of the mismatch matrix."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fhvae.corpus.manifest import Utterance
from fhvae.domains.aurora import MULTI, TESTS
from fhvae.recognition.inputs import CLEAN
from fhvae.seeds import generator

GENDERS = {"male": "M", "female": "F"}
MIN_SPEAKERS = 2  # of a share of the speakers, and of a test condition: one has no interval


@dataclass(frozen=True)
class TrainCondition:
    """What one recogniser learns from.

    Attributes:
        name: as in the metrics.
        domain: of its frames, in training and on dev.
        train_ids, dev_ids: sorted utterance ids; every choice is made on dev.
        topline: whether it is trained in a domain that others meet in the test only.
    """

    name: str
    domain: str
    train_ids: tuple[str, ...]
    dev_ids: tuple[str, ...]
    topline: bool = False


@dataclass(frozen=True)
class TargetCondition:
    """Test utterances on which an error rate is counted."""

    name: str
    domain: str
    utterance_ids: tuple[str, ...]
    speaker_count: int


@dataclass(frozen=True)
class Matrix:
    """All training and test conditions that a corpus allows.

    Attributes:
        train, test: conditions in the order of the metrics.
        absent: by condition that the corpus does not allow, why.
    """

    train: tuple[TrainCondition, ...]
    test: tuple[TargetCondition, ...]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Domains:
    """Domains beside clean: those with train and dev frames, and those with test frames."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def few_name(share: float) -> str:
    """Name the condition that learns from a share of the speakers: 0.1 -> few10."""
    return f"few{100 * share:g}"


def choose_speakers(speakers: Iterable[str], share: float, seed: int) -> list[str]:
    """Draw a share of the speakers, at least two; a smaller share lies within a larger one."""
    ordered = sorted(set(speakers))
    drawn = generator(seed, "recognition", "few speakers").permutation(len(ordered))
    count = max(MIN_SPEAKERS, math.ceil(share * len(ordered) - 1e-9))
    return sorted(ordered[place] for place in drawn[:count])


def make_matrix(
    labelled: Mapping[str, Sequence[Utterance]],
    domains: Domains,
    shares: Sequence[float],
    seed: int,
) -> Matrix:
    """Lay out the conditions of the mismatch matrix.

    Args:
        labelled: by split (train, dev, test), utterances with frames and a transcript.
        domains: what the stage domains has made.
        shares: of the train speakers, for the label budget.
        seed: of the run.
    """
    ids = {split: _ids(items) for split, items in labelled.items()}
    train = [TrainCondition(CLEAN, CLEAN, ids["train"], ids["dev"])]
    test = [_target(CLEAN, CLEAN, labelled["test"])]
    absent = {}
    for name, gender in GENDERS.items():
        own = {
            split: [item for item in items if item.gender == gender]
            for split, items in labelled.items()
        }
        if reason := _why_not(own, gender):
            absent[name] = reason
            continue
        found = {split: _ids(items) for split, items in own.items()}
        train.append(TrainCondition(name, CLEAN, found["train"], found["dev"]))
        test.append(_target(name, CLEAN, own["test"]))
    for share in shares:
        chosen = set(choose_speakers((u.speaker for u in labelled["train"]), share, seed))
        few = _ids([u for u in labelled["train"] if u.speaker in chosen])
        train.append(TrainCondition(few_name(share), CLEAN, few, ids["dev"]))
    train += [TrainCondition(name, name, ids["train"], ids["dev"], True) for name in domains.train]
    test += [_target(name, name, labelled["test"]) for name in domains.test]
    return Matrix(tuple(train), tuple(test), absent)


def _why_not(own: Mapping[str, Sequence[Utterance]], gender: str) -> str | None:
    """Say why a gender makes no condition; None where it does."""
    for split, items in own.items():
        wanted = MIN_SPEAKERS if split == "test" else 1
        found = len({item.speaker for item in items})
        if found < wanted:
            return (
                f"{split} has {found} speakers of gender {gender} with transcripts, "
                f"needed are {wanted}"
            )
    return None


def _target(name: str, domain: str, utterances: Sequence[Utterance]) -> TargetCondition:
    speakers = len({item.speaker for item in utterances})
    return TargetCondition(name, domain, _ids(utterances), speakers)


def _ids(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    return tuple(sorted(item.utterance_id for item in utterances))


@dataclass(frozen=True)
class Direction:
    """A mismatch: trained on `source`, tested on `target`, `topline` trained where it is tested."""

    source: str
    target: str
    topline: str


def directions(matrix: Matrix) -> list[Direction]:
    """List the mismatches whose topline is trained, in the order of the metrics."""
    trained = {one.name for one in matrix.train}
    tested = {one.name for one in matrix.test}
    wanted = [Direction("male", "female", "female"), Direction("female", "male", "male")]
    toplines = [one.name for one in matrix.train if one.topline]
    wanted += [Direction(CLEAN, name, name) for name in toplines]
    if MULTI in toplines:  # one recogniser of the mixture is the topline of every Aurora test
        wanted += [Direction(CLEAN, name, MULTI) for name in TESTS]
    wanted += [Direction(name, CLEAN, CLEAN) for name in trained_on_few(matrix)]
    return [one for one in wanted if {one.source, one.topline} <= trained and one.target in tested]


def trained_on_few(matrix: Matrix) -> list[str]:
    """Name the conditions that learn from a share of the speakers."""
    return [one.name for one in matrix.train if one.name.startswith("few")]
