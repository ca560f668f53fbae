"""Tasks of probes: rows to fit, to choose and to score on, and labels without meaning.

Labels without meaning tell how much of an accuracy is the probe's own memory. Frames are sorted
into clusters, and every cluster gets a phone drawn at random. A probe can only memorize such
labels (Hewitt and Liang, 2019). Its accuracy on the phones minus that on these labels is its
*selectivity*.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fhvae.errors import TrialError
from fhvae.params.probes import ProbesParams
from fhvae.probes.rows import LabeledRows, Rows, label, take

MIN_UTTERANCES = 3  # of a test speaker: one to fit, one to choose, one to score
MIN_ROWS = 16  # per cluster, on average; a small corpus gets fewer clusters


@dataclass(frozen=True)
class ControlLabels:
    """Labels that depend on the frame alone and mean nothing.

    Attributes:
        fit, score: `[row]`, in place of the labels of a task.
    """

    fit: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Task:
    """A question with the data to answer it.

    Attributes:
        name: such as "phone" or "speaker".
        fit: rows the probes are fitted on.
        choose: rows the penalty is chosen on.
        score: rows the result is of.
        folding: from a label fitted on to the class that is scored; the others are their own.
        silence: scored classes that are pauses.
        control: labels without meaning, where selectivity is asked for.
    """

    name: str
    fit: LabeledRows
    choose: LabeledRows
    score: LabeledRows
    folding: Mapping[str, str] = field(default_factory=dict)
    silence: frozenset[str] = frozenset()
    control: ControlLabels | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the labels are numbers."""
        return self.fit.labels.dtype.kind == "f"


@dataclass(frozen=True)
class SpeakerSplit:
    """Parts of the test utterances, for the speaker probe.

    Attributes:
        part: utterance id to "fit", "choose" or "score".
        left_out: speakers with fewer than three utterances, sorted.
    """

    part: Mapping[str, str]
    left_out: tuple[str, ...]


def check_task(task: Task) -> Task:
    """Give back a task that can be answered.

    Raises:
        TrialError: a part has no row, or the fitting or the scored rows have one label only.
    """
    parts = {"fit": task.fit, "choose": task.choose, "score": task.score}
    for part, rows in parts.items():
        if len(rows) == 0:
            raise TrialError(f"the {task.name} probe needs labeled segments to {part} on, found 0")
    for part in ("fit", "score"):
        labels = len(np.unique(fold_labels(parts[part].labels, task.folding)))
        if labels < 2:
            raise TrialError(f"the {task.name} probe needs at least 2 labels to {part}, found 1")
    return task


def fold_labels(labels: np.ndarray, folding: Mapping[str, str]) -> np.ndarray:
    """Replace labels by the classes they count as, `[row]`."""
    if not folding:
        return labels
    return np.array([folding.get(name, name) for name in labels.tolist()], dtype=str)


def chance(task: Task) -> float:
    """Compute what an answer without a look at the code reaches.

    The accuracy of always saying the class most frequent in the fitting rows; R2 of 0.
    """
    if task.is_regression:
        return 0.0
    classes, counts = np.unique(fold_labels(task.fit.labels, task.folding), return_counts=True)
    labels = fold_labels(task.score.labels, task.folding)
    return float((labels == classes[np.argmax(counts)]).mean())


def split_speakers(rows: Rows, fit_share: float, random: np.random.Generator) -> SpeakerSplit:
    """Part each speaker's utterances at random: `fit_share` fit, half of the rest choose, score."""
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
            part.update(zip(shuffled, _parts(len(own), fit_share), strict=True))
    left_out = [name for name, own in utterances.items() if len(own) < MIN_UTTERANCES]
    return SpeakerSplit(part, tuple(sorted(left_out)))


def _parts(utterances: int, fit_share: float) -> list[str]:
    """Name the part of each of a speaker's shuffled utterances; every part gets at least one."""
    fit = min(max(1, round(fit_share * utterances)), utterances - 2)
    choose = (utterances - fit) // 2
    return ["fit"] * fit + ["choose"] * choose + ["score"] * (utterances - fit - choose)


def speaker_task(
    rows: Rows,
    split: SpeakerSplit,
    most: int | None = None,
    random: np.random.Generator | None = None,
) -> Task:
    """Ask which of the test speakers speaks a segment of an utterance not fitted on.

    Args:
        rows: of the test split.
        split: of its utterances.
        most, random: fitting rows to sample, as in `label`.

    Raises:
        TrialError: fewer than two speakers have three utterances.
    """
    usable = {name for name in rows.speakers.tolist()} - set(split.left_out)
    if len(usable) < 2:
        raise TrialError(
            f"the speaker probe needs at least 2 test speakers with {MIN_UTTERANCES} utterances "
            f"each, found {len(usable)}; {len(split.left_out)} speakers have fewer"
        )
    pairs = zip(rows.utterance_ids.tolist(), rows.speakers.tolist(), strict=True)
    whose = [(split.part.get(utterance_id), speaker) for utterance_id, speaker in pairs]
    fit, choose, score = (
        label(rows, [name if part == wanted else None for part, name in whose])
        for wanted in ("fit", "choose", "score")
    )
    if most is not None and random is not None and len(fit) > most:
        fit = take(fit, np.sort(random.permutation(len(fit))[:most]))
    return check_task(Task("speaker", fit, choose, score))


def deal_speakers(
    genders: Mapping[str, str], parts: Sequence[str], random: np.random.Generator
) -> dict[str, str]:
    """Deal speakers out to parts, each gender in turn, so that parts are balanced by sex.

    Args:
        genders: by speaker.
        parts: names of the parts, in the order in which speakers go to them; a name that stands
            there twice gets two of each round.
        random: who goes where.

    Returns:
        Part by speaker.
    """
    dealt: dict[str, str] = {}
    for gender in sorted(set(genders.values())):
        own = sorted(name for name, found in genders.items() if found == gender)
        for place in random.permutation(len(own)):
            dealt[own[place]] = parts[len(dealt) % len(parts)]
    return dealt


def cluster_count(rows: int, most: int) -> int:
    """Give the number of clusters for that many frames, at least 2."""
    return max(2, min(most, rows // MIN_ROWS))


def control_labels(
    train_frames: np.ndarray,
    phones: np.ndarray,
    parts: tuple[np.ndarray, ...],
    clusters: int,
    params: ProbesParams,
    random: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Label frames by their cluster, each cluster by a phone drawn at random.

    Args:
        train_frames: `[frame, mel]`, to find the clusters.
        phones: `[row]`, labels of fitting rows; a cluster's phone is drawn as often as it
            occurs here.
        parts: frames `[row, mel]` to label.
        clusters: how many.
        params: frames to find them on and iterations of k-means, both at most: the labels need
            clusters, not the best ones.
        random: of the sample, the first centers and the phones.

    Returns:
        Labels `[row]` for each of `parts`.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    sample = train_frames[np.sort(random.permutation(len(train_frames))[: params.max_segments])]
    seed = int(random.integers(2**31))
    names = random.choice(phones, size=clusters)
    model = KMeans(clusters, n_init=1, max_iter=params.control_iterations, random_state=seed)
    with threadpool_limits(1):  # sums in another order would change the last digits
        model.fit(np.asarray(sample, np.float64))
        return tuple(names[model.predict(np.asarray(part, np.float64))] for part in parts)
