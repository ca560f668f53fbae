"""Who teaches the recognizer and on what it is tested: the two sides of the mismatch matrix."""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from fhvae.acoustics.aurora import MULTI, TESTS
from fhvae.corpus.manifest import SPLITS, Utterance
from fhvae.corpus.store import Corpus
from fhvae.corpus.text import heard_in_training
from fhvae.errors import ArtifactError
from fhvae.files.packed import FRAMES, read_packed
from fhvae.params.domain_names import by_noise
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.labels import Labels, make_labels, row_count, rows_needed
from fhvae.seeds import generator

CLEAN = "clean"  # the corpus as it is; every other domain is a copy of it
GENDERS = {"male": "M", "female": "F"}
MIN_SPEAKERS = 2  # of a share of the speakers, and of a test side: one has no interval


@dataclass(frozen=True)
class FramePaths:
    """Packed frames, or packed rows, of every domain and split.

    Attributes:
        clean: folder of `<split>`.
        train_domains: folder of `<domain>/train` and `<domain>/dev`, for toplines.
        test_domains: folder of `<domain>/test`.
    """

    clean: Path
    train_domains: Path
    test_domains: Path

    def stem(self, domain: str, split: str) -> Path:
        """Find the packed file of a domain and split."""
        if domain == CLEAN:
            return self.clean / split
        return (self.test_domains if split == "test" else self.train_domains) / domain / split

    def domains(self, split: str) -> list[str]:
        """Name the domains that exist beside clean, from little noise to much.

        Raises:
            ArtifactError: there is no folder of domains.
        """
        folder = self.test_domains if split == "test" else self.train_domains
        if not folder.is_dir():
            raise ArtifactError(f"{folder} must exist; rerun the stage domains")
        names = [path.parent.name for path in folder.glob(f"*/{split}.csv")]
        return sorted(names, key=by_noise)


@dataclass(frozen=True)
class TrainSide:
    """What one recognizer learns from.

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
class TargetSide:
    """Test utterances on which an error rate is counted."""

    name: str
    domain: str
    utterance_ids: tuple[str, ...]
    speaker_count: int


@dataclass(frozen=True)
class Matrix:
    """All training and test sides that a corpus allows.

    Attributes:
        train, test: sides in the order of the metrics.
        absent: by side that the corpus does not allow, why.
    """

    train: tuple[TrainSide, ...]
    test: tuple[TargetSide, ...]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Domains:
    """Domains beside clean: those with train and dev frames, and those with test frames."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def few_name(share: float) -> str:
    """Name the side that learns from a share of the speakers: 0.1 -> few10."""
    return f"few{100 * share:g}"


def choose_speakers(speakers: Iterable[str], share: float, seed: int) -> list[str]:
    """Draw a share of the speakers, at least two; a smaller share lies within a larger one."""
    ordered = sorted(set(speakers))
    drawn = generator(seed, "recognition", "few speakers").permutation(len(ordered))
    count = max(MIN_SPEAKERS, math.ceil(share * len(ordered) - 1e-9))
    return sorted(ordered[place] for place in drawn[:count])


def make_matrix(
    labeled: Mapping[str, Sequence[Utterance]],
    domains: Domains,
    shares: Sequence[float],
    seed: int,
) -> Matrix:
    """Lay out the sides of the mismatch matrix.

    Args:
        labeled: by split (train, dev, test), utterances with frames and a transcript.
        domains: what the stage domains has made.
        shares: of the train speakers, for the label budget.
        seed: of the run.
    """
    ids = {split: _ids(items) for split, items in labeled.items()}
    train = [TrainSide(CLEAN, CLEAN, ids["train"], ids["dev"])]
    test = [_target(CLEAN, CLEAN, labeled["test"])]
    absent = {}
    for name, gender in GENDERS.items():
        own = {
            split: [item for item in items if item.gender == gender]
            for split, items in labeled.items()
        }
        if reason := _why_not(own, gender):
            absent[name] = reason
            continue
        found = {split: _ids(items) for split, items in own.items()}
        train.append(TrainSide(name, CLEAN, found["train"], found["dev"]))
        test.append(_target(name, CLEAN, own["test"]))
    for share in shares:
        chosen = set(choose_speakers((u.speaker for u in labeled["train"]), share, seed))
        few = _ids([u for u in labeled["train"] if u.speaker in chosen])
        train.append(TrainSide(few_name(share), CLEAN, few, ids["dev"]))
    train += [TrainSide(name, name, ids["train"], ids["dev"], True) for name in domains.train]
    test += [_target(name, name, labeled["test"]) for name in domains.test]
    return Matrix(tuple(train), tuple(test), absent)


def _why_not(own: Mapping[str, Sequence[Utterance]], gender: str) -> str | None:
    """Say why a gender makes no side; None where it does."""
    for split, items in own.items():
        wanted = MIN_SPEAKERS if split == "test" else 1
        found = len({item.speaker for item in items})
        if found < wanted:
            return (
                f"{split} has {found} speakers of gender {gender} with transcripts, "
                f"needed are {wanted}"
            )
    return None


def _target(name: str, domain: str, utterances: Sequence[Utterance]) -> TargetSide:
    speakers = len({item.speaker for item in utterances})
    return TargetSide(name, domain, _ids(utterances), speakers)


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
    if MULTI in toplines:  # one recognizer of the mixture is the topline of every Aurora test
        wanted += [Direction(CLEAN, name, MULTI) for name in TESTS]
    wanted += [Direction(name, CLEAN, CLEAN) for name in trained_on_few(matrix)]
    return [one for one in wanted if {one.source, one.topline} <= trained and one.target in tested]


def trained_on_few(matrix: Matrix) -> list[str]:
    """Name the sides that learn from a share of the speakers."""
    return [one.name for one in matrix.train if one.name.startswith("few")]


@dataclass(frozen=True)
class Materials:
    """Labels and sides of a corpus.

    Attributes:
        labels: of all utterances with a transcript.
        matrix: training and test sides.
        speakers: by utterance id.
        left_out: by split, utterances with frames but `without_transcript`, with an
            `empty_reference` after folding, or of a sentence `heard` in training.
        test_phones: scored phones of the clean test utterances.
        unknown_phones: those of them that no train utterance has: errors whatever is said.
        too_fast: train utterances with more phones than CTC can say in their rows.
    """

    labels: Labels
    matrix: Matrix
    speakers: Mapping[str, str]
    left_out: Mapping[str, Mapping[str, int]]
    test_phones: int
    unknown_phones: int
    too_fast: int


def gather_materials(
    corpus: Corpus, frames: FramePaths, params: RecognizerParams, seed: int
) -> Materials:
    """Lay out labels and sides; no side, and the reason, where a split has no labels."""
    present = {split: _with_frames(corpus, frames, split) for split in SPLITS}
    labels = make_labels(corpus.transcripts, [item.utterance_id for item in present["train"]])
    heard = heard_in_training(corpus.utterances)
    asked = labels.references.keys() - heard
    usable = {
        split: [item for item in items if item.utterance_id in asked]
        for split, items in present.items()
    }
    references = [labels.references[item.utterance_id] for item in usable["test"]]
    known = {name for item in usable["train"] for name in labels.references[item.utterance_id]}
    return Materials(
        labels=labels,
        matrix=_matrix(usable, frames, params, seed),
        speakers=corpus.speaker_of,
        left_out={
            split: _left_out(items, corpus.transcripts, labels, heard)
            for split, items in present.items()
        },
        test_phones=sum(len(phones) for phones in references),
        unknown_phones=sum(name not in known for phones in references for name in phones),
        too_fast=_too_fast(frames, labels, params.shift),
    )


def _matrix(
    usable: Mapping[str, Sequence[Utterance]],
    frames: FramePaths,
    params: RecognizerParams,
    seed: int,
) -> Matrix:
    empty = [split for split, items in usable.items() if not items]
    if empty:
        reason = (
            f"no utterance of {', '.join(empty)} has a transcript in phones and a sentence that "
            "train does not have"
        )
        return Matrix((), (), {"per": reason, "gap": reason})
    domains = Domains(tuple(frames.domains("train")), tuple(frames.domains("test")))
    return make_matrix(usable, domains, params.speaker_shares, seed)


def _with_frames(corpus: Corpus, frames: FramePaths, split: str) -> list[Utterance]:
    """Take the utterances of a split that the stage fbank has kept."""
    kept = set(read_packed(frames.stem(CLEAN, split), FRAMES).utterance_ids)
    return [item for item in corpus.split(split) if item.utterance_id in kept]


def _left_out(
    items: list[Utterance],
    transcripts: Mapping[str, tuple[str, ...]],
    labels: Labels,
    heard: Set[str],
) -> dict[str, int]:
    names = [item.utterance_id for item in items]
    return {
        "without_transcript": sum(name not in transcripts for name in names),
        "empty_reference": sum(name in labels.empty for name in names),
        "heard": sum(name in heard for name in names),
    }


def _too_fast(frames: FramePaths, labels: Labels, shift: int) -> int:
    """Count train utterances whose labels do not fit into their rows; their CTC loss is 0."""
    train = read_packed(frames.stem(CLEAN, "train"), FRAMES)
    return sum(
        rows_needed(taught) > row_count(int(train.lengths[train.position(name)]), shift)
        for name, taught in labels.taught.items()
    )
