"""Which lists of trials are scored: all pairs, and lists that leave something out.

all_pairs        every two utterances; the list of the paper
same_sex         non-targets of one sex only
different_text   no pair that says the same sentence
same_text        targets of different sentences, non-targets of the same sentence
cross_session    targets of different sessions, non-targets of one sex
multi3           enrolled with the mean of three utterances, tested with one; other sentences
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.text import normalize_text
from fhvae.errors import ArtifactError, TrialError
from fhvae.trials.cosine import Vectors
from fhvae.trials.error_rates import check_both_kinds
from fhvae.trials.pairs import Trials, pairs_of
from fhvae.verification.sampling import Candidates, choose_pairs, sex_numbers

ALL_PAIRS = "all_pairs"
ENROLLED = 3  # utterances in a model of multi3


@dataclass(frozen=True)
class Labels:
    """What is known of the utterances of a split; "" where it is not.

    Attributes:
        utterance_ids: sorted.
        speakers, sexes, texts, sessions: theirs, in the same order.
    """

    utterance_ids: tuple[str, ...]
    speakers: tuple[str, ...]
    sexes: tuple[str, ...]
    texts: tuple[str, ...]
    sessions: tuple[str, ...]


@dataclass(frozen=True)
class TrialList:
    """Trials, some of whose vectors may be means of several utterances.

    Attributes:
        trials: of utterances and, behind them, models.
        models: `[model, 3]`, positions of the utterances of each model; `[0, 3]` without any.
    """

    trials: Trials
    models: np.ndarray

    def vectors(self, vectors: Vectors) -> Vectors:
        """Put the vectors of the models behind those of the utterances."""
        if len(self.models) == 0:
            return vectors
        means = vectors.values[self.models].mean(axis=1)
        return Vectors(self.trials.utterance_ids, np.vstack([vectors.values, means]))


@dataclass(frozen=True)
class Conditions:
    """Lists of trials by name, and why a list is not there."""

    lists: dict[str, TrialList]
    absent: dict[str, str]


def labels_of(utterance_ids: Sequence[str], utterances: Sequence[Utterance]) -> Labels:
    """Look up what the manifest knows of each utterance.

    Raises:
        ArtifactError: an utterance is not in this split of the manifest.
    """
    known = {utterance.utterance_id: utterance for utterance in utterances}
    for utterance_id in utterance_ids:
        if utterance_id not in known:
            raise ArtifactError(
                f"utterance {utterance_id} of the latents must be in the same split of the "
                "manifest and is not; rerun fbank and latents"
            )
    own = [known[utterance_id] for utterance_id in utterance_ids]
    return Labels(
        utterance_ids=tuple(utterance_ids),
        speakers=tuple(utterance.speaker for utterance in own),
        sexes=tuple(utterance.gender for utterance in own),
        texts=tuple(normalize_text(utterance.text) for utterance in own),
        sessions=tuple(utterance.session for utterance in own),
    )


def all_pairs_list(labels: Labels, most: int, random: np.random.Generator) -> TrialList:
    """Compare every two utterances, or a stratified sample of `most` of these pairs.

    Raises:
        TrialError: there is only one kind of trial.
    """
    count = len(labels.utterance_ids)
    no_models = np.empty((0, ENROLLED), np.int64)
    if count * (count - 1) // 2 <= most:
        return TrialList(pairs_of(labels.utterance_ids, labels.speakers), no_models)
    names, speakers = np.unique(np.array(labels.speakers), return_inverse=True)
    sexes = sex_numbers(labels.sexes)
    candidates = Candidates(
        count, lambda row: np.arange(row + 1, count), speakers, sexes, speakers, sexes
    )
    pairs = choose_pairs(candidates, most, random)
    speaker_names = tuple(str(name) for name in names)
    trials = Trials(labels.utterance_ids, speaker_names, speakers, pairs.row, pairs.test)
    check_both_kinds(trials.is_target)
    return TrialList(trials, no_models)


def make_conditions(
    labels: Labels, every: TrialList, most: int, random: np.random.Generator
) -> Conditions:
    """Derive the other lists of trials.

    Args:
        labels: of the utterances.
        every: list of all pairs.
        most: trials of a list; a stratified sample beyond.
        random: of the samples.
    """
    makers: dict[str, Callable[[], TrialList]] = {
        "same_sex": lambda: TrialList(same_sex(every.trials, labels), every.models),
        "different_text": lambda: TrialList(different_text(every.trials, labels), every.models),
        "same_text": lambda: TrialList(same_text(every.trials, labels), every.models),
        "cross_session": lambda: TrialList(cross_session(every.trials, labels), every.models),
        "multi3": lambda: several_enrolled(labels, most, random),
    }
    lists, absent = {}, {}
    for name, make in makers.items():
        try:
            lists[name] = make()
        except TrialError as error:
            absent[name] = str(error)
    return Conditions(lists, absent)


def same_sex(trials: Trials, labels: Labels) -> Trials:
    """Keep the targets, and the non-targets of two speakers known to be of one sex."""
    return trials.take(trials.is_target | _equal(trials, labels.sexes, "genders"))


def different_text(trials: Trials, labels: Labels) -> Trials:
    """Keep the pairs of two known and different sentences."""
    return trials.take(_unequal(trials, labels.texts, "texts"))


def same_text(trials: Trials, labels: Labels) -> Trials:
    """Keep targets of different sentences, and non-targets of the same sentence."""
    texts = labels.texts
    other, same = _unequal(trials, texts, "texts"), _equal(trials, texts, "texts")
    return trials.take(np.where(trials.is_target, other, same))


def cross_session(trials: Trials, labels: Labels) -> Trials:
    """Keep targets of different sessions, and non-targets of one sex where sexes are known."""
    other = _unequal(trials, labels.sessions, "sessions")
    known = any(labels.sexes)
    alike = _equal(trials, labels.sexes, "genders") if known else np.ones(len(trials), bool)
    return trials.take(np.where(trials.is_target, other, alike))


def _known(names: Sequence[str], what: str) -> np.ndarray:
    """Give the labels as an array; raise TrialError where the corpus has none."""
    if not any(names):
        raise TrialError(f"the corpus has no {what}")
    return np.array(names)


def _equal(trials: Trials, names: Sequence[str], what: str) -> np.ndarray:
    own = _known(names, what)
    enrol, test = own[trials.enrol], own[trials.test]
    return np.asarray((enrol == test) & (enrol != ""))


def _unequal(trials: Trials, names: Sequence[str], what: str) -> np.ndarray:
    own = _known(names, what)
    enrol, test = own[trials.enrol], own[trials.test]
    return np.asarray((enrol != test) & (enrol != "") & (test != ""))


def several_enrolled(labels: Labels, most: int, random: np.random.Generator) -> TrialList:
    """Enrol each speaker with means of three utterances, and test all that say other sentences.

    A speaker's utterances, in the order of their ids, make one model of each full three; a
    rest is only tested. No utterance is tested against a model that it, or its sentence, is in.
    """
    models = triples(labels.speakers)
    names, speakers = np.unique(np.array(labels.speakers), return_inverse=True)
    if len(models) == 0:
        raise TrialError(
            f"models of {ENROLLED} utterances need speakers with as many, there is none"
        )
    texts, sexes = np.array(labels.texts), sex_numbers(labels.sexes)
    owner = speakers[models[:, 0]]

    def tests(model: int) -> np.ndarray:
        said = texts[models[model]]
        free = ~np.isin(texts, said[said != ""])
        free[models[model]] = False
        return np.flatnonzero(free)

    owner_sexes = sexes[models[:, 0]]
    candidates = Candidates(len(models), tests, owner, owner_sexes, speakers, sexes)
    pairs = choose_pairs(candidates, most, random)
    ids = labels.utterance_ids
    trials = Trials(
        utterance_ids=ids + tuple("+".join(ids[place] for place in model) for model in models),
        speaker_names=tuple(str(name) for name in names),
        speakers=np.concatenate([speakers, owner]),
        enrol=len(ids) + pairs.row,
        test=pairs.test,
    )
    check_both_kinds(trials.is_target)
    return TrialList(trials, models)


def triples(speakers: Sequence[str]) -> np.ndarray:
    """Group each speaker's utterances by three, `[model, 3]` positions; a rest is left out."""
    models = []
    for speaker in sorted(set(speakers)):
        own = [place for place, name in enumerate(speakers) if name == speaker]
        full = len(own) - len(own) % ENROLLED
        models += [own[start : start + ENROLLED] for start in range(0, full, ENROLLED)]
    return np.array(models, np.int64).reshape(-1, ENROLLED)
