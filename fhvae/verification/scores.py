"""Lists of trials and their scores as files, from which every metric comes back."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError
from fhvae.files.atomic import new_file
from fhvae.files.columns import NAME, Column, read_columns
from fhvae.trials import Trials

SCORE_FORMAT = "%.9g"
LABELS = ("nontarget", "target")
KINDS = {"enrol": NAME, "test": NAME, "label": Column(among=LABELS), "score": Column(float)}
SCORE_COLUMNS = tuple(KINDS)


def as_written(scores: np.ndarray) -> np.ndarray:
    """Round scores to the nine significant digits of a score file, `[trial]` float64.

    Metrics are computed from these, so the file gives every metric back to the last bit.
    """
    return np.array([float(SCORE_FORMAT % score) for score in scores.tolist()])


def write_trials(path: Path, trials: Trials) -> str:
    """Write one line per trial without scores: enrol, test, label; give the file's sha256."""
    content = _lines(SCORE_COLUMNS[:-1], _trial_lines(trials))
    with new_file(path) as partial:
        partial.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_scores(path: Path, trials: Trials, scores: np.ndarray) -> None:
    """Write one line per trial: enrol, test, label, score; separated by tabs."""
    rows = [
        f"{line}\t{SCORE_FORMAT % score}"
        for line, score in zip(_trial_lines(trials), scores.tolist(), strict=True)
    ]
    with new_file(path) as partial:
        partial.write_bytes(_lines(SCORE_COLUMNS, rows))


def _lines(columns: tuple[str, ...], rows: list[str]) -> bytes:
    return ("\n".join(["\t".join(columns), *rows]) + "\n").encode()


def _trial_lines(trials: Trials) -> list[str]:
    """Write each trial as enrol, test, label; ids are quoted where they need be."""
    ids = np.array(trials.utterance_ids, dtype=object)
    columns = {
        "enrol": ids[trials.enrol],
        "test": ids[trials.test],
        "label": np.array(LABELS, dtype=object)[trials.is_target.astype(int)],
    }
    table = pd.DataFrame(columns)
    text: str = table.to_csv(None, sep="\t", index=False, header=False, lineterminator="\n")
    return text.split("\n")[:-1]


@dataclass(frozen=True)
class ScoredTrials:
    """What a file of scores says of each trial.

    Attributes:
        scores: `[trial]` float64.
        is_target: `[trial]` bool.
    """

    scores: np.ndarray
    is_target: np.ndarray


def read_scores(path: Path) -> ScoredTrials:
    """Read a file of scores.

    Raises:
        ArtifactError: the file is missing, a line is not that of a trial, or one kind is missing.
    """
    found = read_columns(path, KINDS, "verify", separator="\t")
    is_target = np.array([label == "target" for label in found["label"]], bool)
    if is_target.all() or not is_target.any():
        raise ArtifactError(
            f"{path} must hold target and non-target trials, it holds {is_target.sum()} and "
            f"{(~is_target).sum()}; rerun the stage verify"
        )
    return ScoredTrials(np.array(found["score"], np.float64), is_target)
