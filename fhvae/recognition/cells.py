"""Edits of utterances -> phone error rates per cell of the matrix, and what an input recovers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.artifacts import write_csv
from fhvae.errors import ArtifactError
from fhvae.intervals import (
    Interval,
    draw_counts,
    percentile_interval,
    ratio_interval,
    resample_ratio,
)
from fhvae.recognition.conditions import Matrix, TargetCondition
from fhvae.recognition.experiment import COLUMNS
from fhvae.seeds import generator

TABLE = "utterances.csv"
COUNTED = ("substitutions", "deletions", "insertions")
TEXTS = ("recognizer", "input", "train", "domain", "utterance_id", "speaker", "reference",
         "hypothesis", "operations")  # fmt: skip


@dataclass(frozen=True)
class CellKey:
    """One cell: which recogniser, from which input, trained and tested where."""

    recognizer: str
    source: str
    train: str
    test: str


@dataclass(frozen=True)
class Cell:
    """Edits of one cell, summed over recogniser seeds.

    Attributes:
        speakers: of the test condition, sorted.
        errors, phones: `[speaker]`, all edits and all spoken phones.
        edits: by kind (`COUNTED`), over all speakers.
        repeat_rates: `[recogniser seed]`, error rate of each alone.
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
    """Read what `write_edits` wrote.

    Raises:
        ArtifactError: the file is missing or has other columns.
    """
    path = folder / TABLE
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} must exist; rerun the stage recognize_baselines") from error
    if tuple(table.columns) != COLUMNS:
        raise ArtifactError(f"{path} must have the columns {', '.join(COLUMNS)}; rerun its stage")
    return table


def fill_cells(table: pd.DataFrame, matrix: Matrix) -> dict[CellKey, Cell]:
    """Sum the edits of every cell, in the order of the table and of the test conditions."""
    cells = {}
    for (recognizer, source, train), rows in table.groupby(
        ["recognizer", "input", "train"], sort=False
    ):
        for target in matrix.test:
            key = CellKey(recognizer, source, train, target.name)
            cells[key] = _fill_cell(rows, target, key)
    return cells


def _fill_cell(rows: pd.DataFrame, target: TargetCondition, key: CellKey) -> Cell:
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


def draw_speakers(matrix: Matrix, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Draw the speakers of each test condition once for all cells: differences are then paired.

    Returns:
        by test condition, `[draw, speaker]`.
    """
    counts = {}
    for target in matrix.test:
        random = generator(seed, "recognition", "speakers", target.name)
        counts[target.name] = draw_counts(target.speaker_count, draws, random)
    return counts


@dataclass(frozen=True)
class Gap:
    """What an input recovers of what a mismatch costs FBANK.

    Attributes:
        cost: PER of FBANK mismatched minus PER of FBANK trained where it is tested.
        gain: PER of FBANK mismatched minus PER of the input, equally mismatched.
        recovered: gain / cost; None where the interval of the cost does not lie above 0, or
            there is none.
        discarded: draws without a cost above 0, left out of the interval of `recovered`.
    """

    cost: Interval
    gain: Interval
    recovered: Interval | None
    discarded: int


def recovered_gap(fbank: Cell, own: Cell, topline: Cell, counts: np.ndarray) -> Gap:
    """Compare three cells of one test condition, under the same draws of speakers.

    Args:
        fbank: FBANK, mismatched.
        own: the input, equally mismatched.
        topline: FBANK, trained where it is tested.
        counts: `[draw, speaker]`.

    Raises:
        ValueError: the cells do not have the same speakers.
    """
    if not fbank.speakers == own.speakers == topline.speakers:
        raise ValueError("the cells of a gap must have the same test speakers")
    drawn = {
        name: resample_ratio(cell.errors, cell.phones, counts)
        for name, cell in (("fbank", fbank), ("own", own), ("topline", topline))
    }
    costs, gains = drawn["fbank"] - drawn["topline"], drawn["fbank"] - drawn["own"]
    cost = percentile_interval(fbank.rate - topline.rate, costs)
    gain = percentile_interval(fbank.rate - own.rate, gains)
    usable = costs > 0
    recovered = None
    if cost.is_above_zero:
        recovered = percentile_interval(gain.value / cost.value, gains[usable] / costs[usable])
    return Gap(cost, gain, recovered, int((~usable).sum()))


def cell_interval(cell: Cell, counts: np.ndarray) -> Interval:
    """Give the error rate of a cell with its interval over speakers."""
    return ratio_interval(cell.errors, cell.phones, counts)
