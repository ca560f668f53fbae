"""Train and test every recogniser of the matrix, each in a process of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fhvae.parallel import map_in_order
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.conditions import TargetCondition, TrainCondition
from fhvae.recognition.inputs import Input
from fhvae.recognition.labels import Labels
from fhvae.recognition.materials import Materials
from fhvae.recognition.scoring import count_edits
from fhvae.recognition.training import Attempt, Learned, learn, recognize

COLUMNS = (
    "recognizer", "input", "train", "domain", "repeat", "utterance_id", "speaker", "phones",
    "substitutions", "deletions", "insertions", "reference", "hypothesis", "operations",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One recogniser, input and training condition, with all learning rates and seeds.

    Attributes:
        recognizer: blstm, or linear for the variant of low capacity.
        source, condition: what it reads and who teaches.
        tests: one condition per domain, the largest.
        speakers: by utterance id.
    """

    recognizer: str
    source: Input
    condition: TrainCondition
    tests: tuple[TargetCondition, ...]
    labels: Labels
    params: RecognizerParams
    speakers: Mapping[str, str]
    seed: int


@dataclass(frozen=True)
class JobResult:
    """What a job found.

    Attributes:
        table: one row per repeat, domain and test utterance, columns `COLUMNS`.
        learning_rate: the best on dev, chosen with the first recogniser seed.
        dev_per: mean over recogniser seeds of the lowest error rates on dev.
        steps: after how many steps they were met, on average.
    """

    table: pd.DataFrame
    learning_rate: float
    dev_per: float
    steps: float


def plan_jobs(
    inputs: Sequence[Input], materials: Materials, params: RecognizerParams, seed: int
) -> list[Job]:
    """List the jobs: every input in every condition, toplines only for `topline_inputs`."""
    matrix = materials.matrix
    tests = tuple(one for one in matrix.test if one.name == one.domain)
    return [
        Job(recognizer, source, one, tests, materials.labels, params, materials.speakers, seed)
        for recognizer in params.recognizers
        for source in inputs
        for one in matrix.train
        if not one.topline or source.name in params.topline_inputs
    ]


def run_job(job: Job) -> JobResult:
    """Choose the learning rate on dev, train all recogniser seeds, recognise all test domains."""
    layers = job.params.layers if job.recognizer == "blstm" else 0

    def train(rate: float, repeat: int) -> Learned:
        attempt = Attempt(layers, rate, repeat)
        return learn(job.source, job.condition, job.labels, job.params, attempt, job.seed)

    first = {rate: train(rate, 0) for rate in job.params.learning_rates}
    rate = min(first, key=lambda one: first[one].dev_per)
    learned = [first[rate], *(train(rate, repeat) for repeat in range(1, job.params.repeats))]
    tables = [
        target_table(job, one, repeat, test)
        for repeat, one in enumerate(learned)
        for test in job.tests
    ]
    return JobResult(
        table=pd.concat(tables, ignore_index=True),
        learning_rate=rate,
        dev_per=sum(one.dev_per for one in learned) / len(learned),
        steps=sum(one.step for one in learned) / len(learned),
    )


def target_table(job: Job, learned: Learned, repeat: int, test: TargetCondition) -> pd.DataFrame:
    """Recognise one test domain and lay its edits out, one row per utterance."""
    reader = job.source.open(test.domain, "test")
    found = recognize(learned.network, reader, learned.scale, test.utterance_ids, job.labels)
    names = sorted(found)
    references = [job.labels.references[name] for name in names]
    edits = count_edits(references, [found[name] for name in names])
    key = (job.recognizer, job.source.name, job.condition.name, test.domain, repeat)
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
        training: `<input>.<train condition>`, under the name of the recogniser.
    """

    table: pd.DataFrame
    training: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]


def run_jobs(jobs: Sequence[Job]) -> Experiment:
    """Run the jobs in worker processes; the result does not depend on their number."""
    tables = []
    training: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    results = map_in_order(run_job, jobs, "recognisers", "run")
    for job, result in zip(jobs, results, strict=True):
        tables.append(result.table)
        of_input = training.setdefault(job.recognizer, {}).setdefault(job.source.name, {})
        of_input[job.condition.name] = {
            "learning_rate": result.learning_rate,
            "dev_per": result.dev_per,
            "steps": result.steps,
        }
    empty = pd.DataFrame(columns=list(COLUMNS))
    return Experiment(pd.concat(tables, ignore_index=True) if tables else empty, training)
