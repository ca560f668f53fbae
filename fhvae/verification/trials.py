"""The files of trials and of their scores."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.artifacts import new_file
from fhvae.corpus.manifest import Utterance
from fhvae.errors import ArtifactError
from fhvae.trials.pairs import Trials, pairs_of

SCORE_FORMAT = "%.9g"
SCORE_COLUMNS = ("enrol", "test", "label", "score")
LABELS = ("nontarget", "target")


@dataclass(frozen=True)
class ScoreFile:
    """A file of scores as read back.

    Attributes:
        enrol, test: `[trial]` utterance ids.
        is_target: `[trial]` bool.
        scores: `[trial]` float64.
    """

    enrol: tuple[str, ...]
    test: tuple[str, ...]
    is_target: np.ndarray
    scores: np.ndarray


def all_pairs(utterances: Sequence[Utterance]) -> Trials:
    """Compare every two utterances once, in the order of their ids.

    Raises:
        TrialError: no speaker has two utterances, or there is one speaker only.
    """
    pairs = [(utterance.utterance_id, utterance.speaker) for utterance in utterances]
    return pairs_of([name for name, _ in pairs], [speaker for _, speaker in pairs])


def as_written(scores: np.ndarray) -> np.ndarray:
    """Round scores to the nine significant digits of a score file, `[trial]` float64.

    Metrics are computed from these, so the file gives every metric back to the last bit.
    """
    return np.array([float(SCORE_FORMAT % score) for score in scores.tolist()])


def trial_lines(trials: Trials) -> list[str]:
    """Write each trial as text: enrol, test, label; separated by tabs."""
    ids = np.array(trials.utterance_ids, dtype=object)
    columns = (
        ids[trials.enrol],
        ids[trials.test],
        np.array(LABELS, dtype=object)[trials.is_target.astype(int)],
    )
    table = pd.DataFrame(dict(zip(SCORE_COLUMNS, columns, strict=False)))
    text: str = table.to_csv(None, sep="\t", index=False, header=False, lineterminator="\n")
    return text.split("\n")[:-1]


def write_trials(path: Path, trials: Trials) -> str:
    """Write one line per trial without scores: enrol, test, label; give the file's sha256."""
    text = "\n".join(["\t".join(SCORE_COLUMNS[:-1]), *trial_lines(trials)]) + "\n"
    with new_file(path) as partial:
        partial.write_bytes(text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


def write_scores(
    path: Path, trials: Trials, scores: np.ndarray, lines: Sequence[str] | None = None
) -> None:
    """Write one line per trial: enrol, test, label, score; separated by tabs.

    Args:
        path: of the file.
        trials: the pairs.
        scores: `[trial]`.
        lines: `trial_lines(trials)`, if many systems scored the same trials.
    """
    lines = trial_lines(trials) if lines is None else lines
    rows = [
        f"{line}\t{SCORE_FORMAT % score}\n"
        for line, score in zip(lines, scores.tolist(), strict=True)
    ]
    with new_file(path) as partial:
        partial.write_bytes(("\t".join(SCORE_COLUMNS) + "\n" + "".join(rows)).encode())


def read_scores(path: Path) -> ScoreFile:
    """Read a file of scores.

    Raises:
        ArtifactError: the file is missing, or a line is not that of a trial.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        scores = table["score"].astype(float).to_numpy()
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} must exist; rerun the stage verify") from error
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is not a score file ({error}); rerun verify") from error
    if tuple(table.columns) != SCORE_COLUMNS or not table["label"].isin(LABELS).all():
        raise ArtifactError(
            f"{path} must have columns {', '.join(SCORE_COLUMNS)} and labels "
            f"{' or '.join(LABELS)}; rerun verify"
        )
    return ScoreFile(
        enrol=tuple(table["enrol"]),
        test=tuple(table["test"]),
        is_target=(table["label"] == "target").to_numpy(),
        scores=scores,
    )
