"""Which utterances are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fhvae.trials.error_rates import check_both_kinds


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
