"""Train and test every recognizer of the matrix: edits of utterances, error rates of cells.

Each recognizer is trained in a process of its own. The edits of every test utterance go to a
table; a cell sums them over the utterances of a test side.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError, TrainingError
from fhvae.files.atomic import write_csv
from fhvae.files.columns import ANY_TEXT, COUNT, NAME, Column, read_csv
from fhvae.intervals import Interval, ratio_interval
from fhvae.parallel import map_in_order
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.inputs import Input
from fhvae.recognition.labels import Labels, count_edits
from fhvae.recognition.matrix import Materials, Matrix, TargetSide, TrainSide
from fhvae.recognition.train import Attempt, Learned, learn, recognize

log = logging.getLogger(__name__)

STAGE = "recognize_baselines"  # whose edits another stage reads
KEY = ("recognizer", "input", "train", "domain", "repeat", "utterance_id")
KINDS = {  # a reference has a phone at least
    **dict.fromkeys(KEY, NAME),
    "repeat": COUNT,
    "speaker": NAME,
    "phones": Column(int, least=1),
    **dict.fromkeys(("substitutions", "deletions", "insertions"), COUNT),
    "reference": NAME,
    "hypothesis": ANY_TEXT,
    "operations": NAME,
}
COLUMNS = tuple(KINDS)
TABLE = "utterances.csv"
COUNTED = ("substitutions", "deletions", "insertions")


@dataclass(frozen=True)
class TrainingJob:
    """One recognizer, input and training side, with all learning rates and seeds.

    Attributes:
        recognizer: blstm, or linear for the variant of low capacity.
        source, side: what it reads and who teaches.
        tests: one side per domain, the largest.
        speakers: by utterance id.
    """

    recognizer: str
    source: Input
    side: TrainSide
    tests: tuple[TargetSide, ...]
    labels: Labels
    params: RecognizerParams
    speakers: Mapping[str, str]
    seed: int


@dataclass(frozen=True)
class TrainingResult:
    """What a job found.

    Attributes:
        table: one row per repeat, domain and test utterance, columns `COLUMNS`.
        learning_rate: the best on dev, chosen with the first recognizer seed.
        dev_per: mean over recognizer seeds of the lowest error rates on dev.
        steps: after how many steps they were reached, on average.
        diverged: how many of the learning rates were too high to be chosen from.
    """

    table: pd.DataFrame
    learning_rate: float
    dev_per: float
    steps: float
    diverged: int

    @property
    def is_silent(self) -> bool:
        """Whether nothing was recognized in any utterance: 100 % errors, and all are deletions."""
        return not self.table["hypothesis"].any()

    def metrics(self) -> dict[str, float]:
        """Lay out how the training went; `diverged` and `silent` only where there is something."""
        found = {"learning_rate": self.learning_rate, "dev_per": self.dev_per, "steps": self.steps}
        warnings = {"diverged": self.diverged, "silent": int(self.is_silent)}
        return found | {name: count for name, count in warnings.items() if count}


def plan_jobs(
    inputs: Sequence[Input], materials: Materials, params: RecognizerParams, seed: int
) -> list[TrainingJob]:
    """List the jobs: every input in every side, toplines only for `topline_inputs`."""
    matrix = materials.matrix
    tests = tuple(one for one in matrix.test if one.name == one.domain)
    return [
        TrainingJob(
            recognizer, source, one, tests, materials.labels, params, materials.speakers, seed
        )
        for recognizer in params.recognizers
        for source in inputs
        for one in matrix.train
        if not one.topline or source.name in params.topline_inputs
    ]


def run_job(job: TrainingJob) -> TrainingResult:
    """Choose the learning rate on dev, train all recognizer seeds, recognize all test domains.

    Raises:
        TrainingError: a training diverged under every learning rate, or under the best of them
            with another seed.
    """
    layers = job.params.layers if job.recognizer == "blstm" else 0

    def train(rate: float, repeat: int) -> Learned:
        attempt = Attempt(layers, rate, repeat)
        return learn(job.source, job.side, job.labels, job.params, attempt, job.seed)

    first: dict[float, Learned] = {}
    failed: list[TrainingError] = []
    for rate in job.params.learning_rates:
        try:
            first[rate] = train(rate, 0)
        except TrainingError as error:
            failed.append(error)
    if not first:
        raise failed[-1]
    rate = min(first, key=lambda one: first[one].dev_per)
    learned = [first[rate], *(train(rate, repeat) for repeat in range(1, job.params.repeats))]
    tables = [
        target_table(job, one, repeat, test)
        for repeat, one in enumerate(learned)
        for test in job.tests
    ]
    return TrainingResult(
        table=pd.concat(tables, ignore_index=True),
        learning_rate=rate,
        dev_per=sum(one.dev_per for one in learned) / len(learned),
        steps=sum(one.step for one in learned) / len(learned),
        diverged=len(failed),
    )


def target_table(job: TrainingJob, learned: Learned, repeat: int, test: TargetSide) -> pd.DataFrame:
    """Recognize one test domain and lay its edits out, one row per utterance."""
    reader = job.source.open(test.domain, "test")
    found = recognize(learned.network, reader, learned.normalizer, test.utterance_ids, job.labels)
    names = sorted(found)
    references = [job.labels.references[name] for name in names]
    edits = count_edits(references, [found[name] for name in names])
    key = (job.recognizer, job.source.name, job.side.name, test.domain, repeat)
    rows = [
        (*key, name, job.speakers[name], len(reference), one.substitutions, one.deletions,
         one.insertions, " ".join(reference), " ".join(found[name]), one.operations)
        for name, reference, one in zip(names, references, edits, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class Experiment:
    """All jobs with what they found.

    Attributes:
        table: rows of all jobs, columns `COLUMNS`.
        training: `<input>.<train side>`, under the name of the recognizer.
    """

    table: pd.DataFrame
    training: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]


def run_jobs(jobs: Sequence[TrainingJob]) -> Experiment:
    """Run the jobs in worker processes; the result does not depend on their number."""
    tables = []
    training: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    results = map_in_order(run_job, jobs, "recognizers", "run")
    for job, result in zip(jobs, results, strict=True):
        tables.append(result.table)
        of_input = training.setdefault(job.recognizer, {}).setdefault(job.source.name, {})
        of_input[job.side.name] = result.metrics()
        where = f"{job.recognizer} from {job.source.name}, taught by {job.side.name}"
        if result.diverged:
            log.warning("%s, diverged at %d learning rates", where, result.diverged)
        if result.is_silent:
            log.warning(
                "%s, recognizes nothing in any test utterance: an error rate of 1 says that it was "
                "not trained enough (recognition.<protocol>.steps)",
                where,
            )
    empty = pd.DataFrame(columns=list(COLUMNS))
    return Experiment(pd.concat(tables, ignore_index=True) if tables else empty, training)


@dataclass(frozen=True)
class CellKey:
    """One cell: which recognizer, from which input, trained and tested where."""

    recognizer: str
    source: str
    train: str
    test: str


@dataclass(frozen=True)
class Cell:
    """Edits of one cell, summed over recognizer seeds.

    Attributes:
        speakers: of the test side, sorted.
        errors, phones: `[speaker]`, all edits and all spoken phones.
        edits: by kind (`COUNTED`), over all speakers.
        repeat_rates: `[recognizer seed]`, error rate of each alone.
    """

    speakers: tuple[str, ...]
    errors: np.ndarray
    phones: np.ndarray
    edits: Mapping[str, int]
    repeat_rates: np.ndarray

    @property
    def rate(self) -> float:
        """The phone error rate: all edits by all spoken phones."""
        return float(self.errors.sum() / self.phones.sum())


def write_edits(folder: Path, table: pd.DataFrame) -> None:
    """Write the edits of every utterance, `COLUMNS`."""
    write_csv(folder / TABLE, table)


def read_edits(folder: Path) -> pd.DataFrame:
    """Read what `write_edits` of the stage recognize_baselines wrote.

    Raises:
        ArtifactError: the file is missing or broken, or counts are not those of the operations.
    """
    path = folder / TABLE
    table = read_csv(path, KINDS, STAGE)
    said, heard = (_count_phones(table[name]) for name in ("reference", "hypothesis"))
    steps = {letter: table["operations"].str.count(letter) for letter in "=SDI"}
    counted = {
        "substitutions": steps["S"],
        "deletions": steps["D"],
        "insertions": steps["I"],
        "phones": said,
    }
    sound = steps["="] + steps["S"] + steps["D"] == said
    sound &= steps["="] + steps["S"] + steps["I"] == heard
    sound &= sum(steps.values()) == table["operations"].str.len()
    for name, own in counted.items():
        sound &= table[name] == own
    sound &= ~table.duplicated(list(KEY))
    if not sound.all():
        number = int(np.flatnonzero(~sound)[0]) + 2
        raise ArtifactError(
            f"{path} row {number}: counts must be those of its operations, and no utterance twice; "
            f"rerun the stage {STAGE}"
        )
    return table


def _count_phones(joined: pd.Series) -> pd.Series:
    return joined.str.count(" ") + (joined != "")


def fill_cells(table: pd.DataFrame, matrix: Matrix) -> dict[CellKey, Cell]:
    """Sum the edits of every cell, in the order of the table and of the test sides."""
    cells = {}
    for (recognizer, source, train), rows in table.groupby(
        ["recognizer", "input", "train"], sort=False
    ):
        for target in matrix.test:
            key = CellKey(recognizer, source, train, target.name)
            cells[key] = _fill_cell(rows, target, key)
    return cells


def _fill_cell(rows: pd.DataFrame, target: TargetSide, key: CellKey) -> Cell:
    chosen = rows[
        (rows["domain"] == target.domain) & rows["utterance_id"].isin(target.utterance_ids)
    ]
    missing = sorted(set(target.utterance_ids) - set(chosen["utterance_id"]))
    if missing:
        raise ArtifactError(
            f"{key.source} trained on {key.train} must be tested on all utterances of "
            f"{target.name}, {missing[0]} is missing; rerun the stage recognize_baselines"
        )
    errors = chosen[list(COUNTED)].sum(axis=1)
    by_speaker = chosen.assign(errors=errors).groupby("speaker")[["errors", "phones"]].sum()
    by_repeat = chosen.assign(errors=errors).groupby("repeat")[["errors", "phones"]].sum()
    return Cell(
        speakers=tuple(by_speaker.index),
        errors=by_speaker["errors"].to_numpy(np.int64),
        phones=by_speaker["phones"].to_numpy(np.int64),
        edits={kind: int(chosen[kind].sum()) for kind in COUNTED},
        repeat_rates=(by_repeat["errors"] / by_repeat["phones"]).to_numpy(np.float64),
    )


def cell_interval(cell: Cell) -> Interval:
    """Give the error rate of a cell with its interval over speakers.

    Insertions can bring it above 1, so it is bounded as a share of edits among edits and phones,
    whose odds it is.
    """
    share = ratio_interval(cell.errors, cell.errors + cell.phones)
    low, high = (None if end is None else end / (1 - end) for end in (share.low, share.high))
    return Interval(cell.rate, low, high)
