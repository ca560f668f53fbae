"""Extractors by every setting that is tried, and which of them is the baseline: the best on dev."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.baselines.ivector.extractor import (
    Extractor,
    Mixture,
    learn_mixture,
    learn_subspaces,
)
from fhvae.baselines.ivector.total_variability import Trained, ivectors
from fhvae.baselines.ivector.ubm import affordable_gaussians
from fhvae.files.packed import read_packed
from fhvae.params.ivector import FrontEnd, IvectorParams

# i-vectors of train and of dev, `[utterance, rank]`, sorted by id -> EER on dev: by cosine, and by
# the best supervised back-end; None where dev has no answer
Judge = Callable[[np.ndarray, np.ndarray], tuple[float | None, float | None]]


@dataclass(frozen=True)
class Tried:
    """One extractor, judged on dev.

    Attributes:
        front: how its features were made.
        mixture, learned: its parts.
        dev_eer: cosine EER on dev; None where dev has no answer.
        dev_eer_supervised: the same of the best supervised back-end.
    """

    front: FrontEnd
    mixture: Mixture
    learned: Trained
    dev_eer: float | None
    dev_eer_supervised: float | None

    @property
    def extractor(self) -> Extractor:
        """All that turns speech frames into its i-vectors."""
        return Extractor(self.mixture.normalizer, self.mixture.fitted.ubm, self.learned.model)

    def setting(self) -> dict[str, Any]:
        """Lay out what it is and how well it does on dev."""
        found = {
            "vad_db": self.front.vad_db,
            "normalization": self.front.normalization,
            "gaussians": len(self.mixture.fitted.ubm.weights),
            "rank": self.learned.model.rank,
        }
        errors = {"dev_eer": self.dev_eer, "dev_eer_supervised": self.dev_eer_supervised}
        return found | {name: error for name, error in errors.items() if error is not None}

    def metrics(self) -> dict[str, Any]:
        """Lay out the setting, sizes, and the course of the likelihoods, nats per frame."""
        likelihoods, fitted = self.learned.log_likelihoods, self.mixture.fitted
        steps = [f"iteration_{step:02d}" for step in range(1, len(likelihoods) - 1)]
        names = ["start", *steps, "minimum_divergence"]
        return {
            **self.setting(),
            "ubm_frames": fitted.frames,
            "ubm_iterations": fitted.iterations,
            "ubm_converged": fitted.converged,
            "gain_over_ubm": dict(zip(names, likelihoods, strict=True)),
        }


def try_front_end(
    speech: Path, front: FrontEnd, judge: Judge, params: IvectorParams, seed: int
) -> list[Tried]:
    """Learn extractors of every size from the frames of one front end, and judge them on dev.

    Sizes that the data do not allow are lowered; two lowered to the same are learned once.

    Args:
        speech: folder of the packed speech frames of each split.
        front: that made them.
        judge: says how well i-vectors tell the speakers of dev.
        params: section `ivector`.
        seed: of the run.
    """
    frames = min(len(read_packed(speech / "train").rows), params.ubm_frames)
    each, tried = params.gaussian_frames, []
    for size in sorted({affordable_gaussians(one, frames, each) for one in params.gaussians}):
        mixture = learn_mixture(speech / "train", size, params, seed)
        of_train, of_dev = (mixture.statistics(speech / split) for split in ("train", "dev"))
        learned = learn_subspaces(mixture.fitted.ubm, of_train, params, seed)
        for one in learned:
            errors = judge(ivectors(one.model, of_train), ivectors(one.model, of_dev))
            tried.append(Tried(front, mixture, one, *errors))
    return tried


def best(tried: Sequence[Tried]) -> Tried:
    """Find the one with the lowest error on dev; of equals, and where there is none, the first."""
    return min(tried, key=lambda one: float("inf") if one.dev_eer is None else one.dev_eer)


def best_supervised(tried: Sequence[Tried]) -> Tried:
    """Find the one whose best back-end errs least on dev; where there is none, that of `best`."""
    known = [one for one in tried if one.dev_eer_supervised is not None]
    return min(known, key=lambda one: one.dev_eer_supervised or 0.0, default=best(tried))


def best_by_detector(tried: Sequence[Tried]) -> dict[str, Tried]:
    """Find the best of each detector, by its name."""
    names = dict.fromkeys(one.front.detector for one in tried)
    return {name: best([one for one in tried if one.front.detector == name]) for name in names}


def choice_metrics(tried: Sequence[Tried]) -> dict[str, Any]:
    """Lay out the baseline, the best of each detector, and everything that was tried."""
    found: dict[str, Any] = {}
    for one in tried:
        of_front = found.setdefault(one.front.detector, {}).setdefault(one.front.normalization, {})
        of_size = of_front.setdefault(f"gaussians_{len(one.mixture.fitted.ubm.weights)}", {})
        of_size[f"rank_{one.learned.model.rank}"] = one.metrics()
    return {
        "chosen": best(tried).setting(),
        "supervised": best_supervised(tried).setting(),
        "by_detector": {name: one.setting() for name, one in best_by_detector(tried).items()},
        "tried": found,
    }
