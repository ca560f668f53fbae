"""Which lists of trials are scored: all pairs, and lists that leave something out.

all_pairs        every two utterances; the list of the paper
same_sex         non-targets of one sex only
different_text   no pair that says the same sentence
same_text        targets of different sentences, non-targets of the same sentence
cross_session    targets of different sessions, non-targets of one sex
multi3           enrolled with the mean of three utterances, tested with one; other sentences

Where there are more trials than can be scored in reasonable time, a list is a seeded sample. All
target trials are kept while they are no more than half; the sexes of the two speakers keep
their shares among the trials of each label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.text import normalize_text
from fhvae.errors import ArtifactError, TrialError
from fhvae.trials import Trials, Vectors, check_both_kinds, pairs_of

ALL_PAIRS = "all_pairs"
ENROLLED = 3  # utterances in a model of multi3
SEXES = ("", "F", "M")


@dataclass(frozen=True)
class TrialList:
    """Trials that are some of all pairs, or whose enrolments are means of several utterances.

    Attributes:
        trials: of utterances and, behind them, models.
        places: `[trial]`, position of each among all pairs; None where models are enrolled.
        models: `[model, 3]`, positions of the utterances of each model; None without any.
    """

    trials: Trials
    places: np.ndarray | None = None
    models: np.ndarray | None = None

    def vectors(self, vectors: Vectors) -> Vectors:
        """Put the vectors of the models behind those of the utterances."""
        if self.models is None:
            return vectors
        means = vectors.values[self.models].mean(axis=1)
        return Vectors(self.trials.utterance_ids, np.vstack([vectors.values, means]))

    @property
    def counts(self) -> np.ndarray:
        """Say how many utterances each vector is the mean of, `[utterance and model]`."""
        counts = np.ones(len(self.trials.utterance_ids), np.int64)
        if self.models is not None:
            counts[-len(self.models) :] = self.models.shape[1]
        return counts


@dataclass(frozen=True)
class TrialLists:
    """Lists of trials by name, and why a list is not there."""

    lists: Mapping[str, TrialList]
    absent: Mapping[str, str]


def find_utterances(
    utterance_ids: Sequence[str], utterances: Sequence[Utterance]
) -> tuple[Utterance, ...]:
    """Look up utterances in their split of the manifest, in the order of the ids.

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
    return tuple(known[utterance_id] for utterance_id in utterance_ids)


def all_pairs(utterances: Sequence[Utterance], most: int, random: np.random.Generator) -> TrialList:
    """Compare every two utterances, or a stratified sample of `most` of these pairs.

    Args:
        utterances: sorted by id.
        most: trials of the list.
        random: of the sample.

    Raises:
        TrialError: there is only one kind of trial.
    """
    ids = tuple(one.utterance_id for one in utterances)
    count, owners = len(ids), [one.speaker for one in utterances]
    if count * (count - 1) // 2 <= most:
        trials = pairs_of(ids, owners)
    else:
        names, speakers = np.unique(np.array(owners), return_inverse=True)
        sexes = _sex_numbers(utterances)
        candidates = Candidates(
            count, lambda row: np.arange(row + 1, count), speakers, sexes, speakers, sexes
        )
        pairs = choose_pairs(candidates, most, random)
        trials = Trials(ids, tuple(str(name) for name in names), speakers, pairs.row, pairs.test)
        check_both_kinds(trials.is_target)
    return TrialList(trials, places=np.arange(len(trials)))


def other_lists(
    utterances: Sequence[Utterance], every: Trials, most: int, random: np.random.Generator
) -> TrialLists:
    """Derive the other lists of trials.

    Args:
        utterances: sorted by id.
        every: all pairs of them.
        most: trials of a list; a stratified sample beyond.
        random: of the samples.
    """
    choosers = {
        "same_sex": same_sex,
        "different_text": different_text,
        "same_text": same_text,
        "cross_session": cross_session,
    }
    lists: dict[str, TrialList] = {}
    absent: dict[str, str] = {}
    for name, choose in choosers.items():
        try:
            places = np.flatnonzero(choose(every, utterances))
            lists[name] = TrialList(every.take(places), places)
        except TrialError as error:
            absent[name] = str(error)
    try:
        lists["multi3"] = several_enrolled(utterances, most, random)
    except TrialError as error:
        absent["multi3"] = str(error)
    return TrialLists(lists, absent)


def same_sex(trials: Trials, utterances: Sequence[Utterance]) -> np.ndarray:
    """Choose the targets, and the non-targets of two speakers known to be of one sex."""
    alike = _equal(trials, [one.gender for one in utterances], "genders")
    return np.asarray(trials.is_target | alike)


def different_text(trials: Trials, utterances: Sequence[Utterance]) -> np.ndarray:
    """Choose the pairs of two known and different sentences."""
    return _unequal(trials, _sentences(utterances), "texts")


def same_text(trials: Trials, utterances: Sequence[Utterance]) -> np.ndarray:
    """Choose targets of different sentences, and non-targets of the same sentence."""
    same = _equal(trials, _sentences(utterances), "texts")
    return np.where(trials.is_target, different_text(trials, utterances), same)


def cross_session(trials: Trials, utterances: Sequence[Utterance]) -> np.ndarray:
    """Choose targets of different sessions, and non-targets of one sex where sexes are known."""
    other = _unequal(trials, [one.session for one in utterances], "sessions")
    genders = [one.gender for one in utterances]
    alike = _equal(trials, genders, "genders") if any(genders) else np.ones(len(trials), bool)
    return np.where(trials.is_target, other, alike)


def _sentences(utterances: Sequence[Utterance]) -> list[str]:
    return [normalize_text(one.text) for one in utterances]


def _known(names: Sequence[str], what: str) -> np.ndarray:
    """Give what is known of the utterances; raise TrialError where the corpus says nothing."""
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


def several_enrolled(
    utterances: Sequence[Utterance], most: int, random: np.random.Generator
) -> TrialList:
    """Enrol each speaker with means of three utterances, and test all that say other sentences.

    A speaker's utterances, in the order of their ids, make one model of each full three; a
    rest is only tested. No utterance is tested against a model that it, or its sentence, is in.
    """
    owners = [one.speaker for one in utterances]
    models = triples(owners)
    names, speakers = np.unique(np.array(owners), return_inverse=True)
    if len(models) == 0:
        raise TrialError(
            f"models of {ENROLLED} utterances need speakers with as many, there is none"
        )
    texts, sexes = np.array(_sentences(utterances)), _sex_numbers(utterances)

    def tests(model: int) -> np.ndarray:
        said = texts[models[model]]
        free = ~np.isin(texts, said[said != ""])
        free[models[model]] = False
        return np.flatnonzero(free)

    first = models[:, 0]
    candidates = Candidates(len(models), tests, speakers[first], sexes[first], speakers, sexes)
    pairs = choose_pairs(candidates, most, random)
    ids = tuple(one.utterance_id for one in utterances)
    trials = Trials(
        utterance_ids=ids + tuple("+".join(ids[place] for place in model) for model in models),
        speaker_names=tuple(str(name) for name in names),
        speakers=np.concatenate([speakers, speakers[first]]),
        enrol=len(ids) + pairs.row,
        test=pairs.test,
    )
    check_both_kinds(trials.is_target)
    return TrialList(trials, models=models)


def triples(speakers: Sequence[str]) -> np.ndarray:
    """Group each speaker's utterances by three, `[model, 3]` positions; a rest is left out."""
    models = []
    for speaker in sorted(set(speakers)):
        own = [place for place, name in enumerate(speakers) if name == speaker]
        full = len(own) - len(own) % ENROLLED
        models += [own[start : start + ENROLLED] for start in range(0, full, ENROLLED)]
    return np.array(models, np.int64).reshape(-1, ENROLLED)


@dataclass(frozen=True)
class Candidates:
    """All pairs there could be, one row at a time, so that they need not be held at once.

    Attributes:
        rows: number of rows; an enrolment each.
        tests: row -> `[pair]`, positions of the utterances it is compared with.
        row_speakers, row_sexes: `[row]`, as numbers.
        test_speakers, test_sexes: `[utterance]`, as numbers.
    """

    rows: int
    tests: Callable[[int], np.ndarray]
    row_speakers: np.ndarray
    row_sexes: np.ndarray
    test_speakers: np.ndarray
    test_sexes: np.ndarray

    def strata(self, row: int, tests: np.ndarray) -> np.ndarray:
        """Number each pair of a row by label and sexes, `[pair]`; odd ones are targets."""
        own, other = self.row_sexes[row], self.test_sexes[tests]
        sexes = np.minimum(own, other) * len(SEXES) + np.maximum(own, other)
        return np.asarray(2 * sexes + (self.row_speakers[row] == self.test_speakers[tests]))


@dataclass(frozen=True)
class Pairs:
    """Chosen pairs, in the order of their rows.

    Attributes:
        row, test: `[pair]` int64.
    """

    row: np.ndarray
    test: np.ndarray


def _sex_numbers(utterances: Sequence[Utterance]) -> np.ndarray:
    """Number the sexes, `[utterance]`; unknown ones 0."""
    sexes = [one.gender for one in utterances]
    return np.array([SEXES.index(sex) if sex in SEXES else 0 for sex in sexes], np.int64)


def choose_pairs(candidates: Candidates, most: int, random: np.random.Generator) -> Pairs:
    """Take all pairs, or a sample of exactly `most`, stratified by label and sexes."""
    sizes = np.zeros(2 * len(SEXES) ** 2, np.int64)
    for row in range(candidates.rows):
        strata = candidates.strata(row, candidates.tests(row))
        sizes += np.bincount(strata, minlength=len(sizes))
    quotas = sizes.copy() if sizes.sum() <= most else share_out(sizes, most)
    left, rows, chosen = sizes.copy(), [], []
    for row in range(candidates.rows):
        tests = candidates.tests(row)
        strata = candidates.strata(row, tests)
        kept = []
        for stratum in np.unique(strata):
            inside = tests[strata == stratum]
            take = _share_of_row(len(inside), left[stratum], quotas[stratum], random)
            kept.append(
                random.choice(inside, take, replace=False) if take < len(inside) else inside
            )
            left[stratum] -= len(inside)
            quotas[stratum] -= take
        ordered = np.sort(np.concatenate(kept)) if kept else tests
        rows.append(np.full(len(ordered), row, np.int64))
        chosen.append(ordered)
    return Pairs(np.concatenate(rows), np.concatenate(chosen).astype(np.int64))


def _share_of_row(here: int, left: int, wanted: int, random: np.random.Generator) -> int:
    """Draw how many of the wanted pairs fall on this row, of all rows from here on."""
    if wanted == left:
        return here
    return int(random.hypergeometric(here, left - here, wanted))


def share_out(sizes: np.ndarray, most: int) -> np.ndarray:
    """Say how many pairs of each stratum to take: `most` in all.

    Args:
        sizes: `[stratum]`, odd ones of targets; more than `most` in all.
        most: pairs to take.
    """
    targets = np.arange(len(sizes)) % 2 == 1
    whole = int(sizes[targets].sum())
    of_targets = min(whole, max(most // 2, most - int(sizes[~targets].sum())))
    own = _proportional(np.where(targets, sizes, 0), of_targets)
    return np.asarray(own + _proportional(np.where(targets, 0, sizes), most - of_targets))


def _proportional(sizes: np.ndarray, wanted: int) -> np.ndarray:
    """Divide `wanted` in proportion to sizes, in whole numbers; the largest remainders round up."""
    exact = sizes * (wanted / max(1, int(sizes.sum())))
    quotas = np.floor(exact).astype(np.int64)
    quotas[np.argsort(quotas - exact, kind="stable")[: wanted - int(quotas.sum())]] += 1
    return quotas
