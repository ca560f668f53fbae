"""Which utterances are compared, and the files of their scores."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.artifacts import new_file
from fhvae.corpus.manifest import Utterance
from fhvae.errors import ArtifactError
from fhvae.verification.error_rates import check_both_kinds

SCORE_FORMAT = "%.9g"
SCORE_COLUMNS = ("enrol", "test", "label", "score")
LABELS = ("nontarget", "target")


@dataclass(frozen=True)
class Trials:
    """Pairs of utterances, each a target (same speaker) or a non-target trial.

    Attributes:
        utterance_ids: sorted.
        speaker_names: sorted.
        speakers: `[utterance]`, position in `speaker_names`.
        enrol, test: `[trial]`, positions in `utterance_ids`.
    """

    utterance_ids: tuple[str, ...]
    speaker_names: tuple[str, ...]
    speakers: np.ndarray
    enrol: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        """Count the trials."""
        return len(self.enrol)

    @property
    def enrol_speakers(self) -> np.ndarray:
        """Speaker of each trial's first utterance, `[trial]`."""
        return np.asarray(self.speakers[self.enrol])

    @property
    def test_speakers(self) -> np.ndarray:
        """Speaker of each trial's second utterance, `[trial]`."""
        return np.asarray(self.speakers[self.test])

    @property
    def is_target(self) -> np.ndarray:
        """Whether both utterances are of one speaker, `[trial]`."""
        return np.asarray(self.enrol_speakers == self.test_speakers)

    def take(self, chosen: np.ndarray) -> "Trials":
        """Keep the chosen trials, `[trial]` bool or positions.

        Raises:
            TrialError: one kind of trial is not among them.
        """
        kept = replace(self, enrol=self.enrol[chosen], test=self.test[chosen])
        check_both_kinds(kept.is_target)
        return kept


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


def pairs_of(utterance_ids: Sequence[str], speakers: Sequence[str]) -> Trials:
    """Compare every two of these utterances once; `speakers` are theirs, in the same order."""
    ordered = sorted(zip(utterance_ids, speakers, strict=True))
    names, indices = np.unique([speaker for _, speaker in ordered], return_inverse=True)
    enrol, test = np.triu_indices(len(ordered), k=1)
    trials = Trials(
        utterance_ids=tuple(name for name, _ in ordered),
        speaker_names=tuple(str(name) for name in names),
        speakers=indices,
        enrol=enrol,
        test=test,
    )
    check_both_kinds(trials.is_target)
    return trials


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
