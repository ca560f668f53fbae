"""The whole i-vector extractor: learned from packed speech frames, applied to them, kept in a file.

The file lets a later stage judge other speech with the same extractor.
"""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.baselines.ivector.extraction import collect_statistics, sample_frames
from fhvae.baselines.ivector.total_variability import (
    TotalVariability,
    Trained,
    affordable_rank,
    ivectors,
    train,
)
from fhvae.baselines.ivector.ubm import FittedUbm, Statistics, Ubm, fit_ubm
from fhvae.features.extraction import frame_chunks
from fhvae.features.normalize import Normalizer, estimate_normalizer
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.files.tensors import write_tensors
from fhvae.parallel import map_in_order
from fhvae.params.ivector import IvectorParams
from fhvae.seeds import generator, stream_seed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mixture:
    """The scale of the features and the mixture fitted to them."""

    normalizer: Normalizer
    fitted: FittedUbm

    def statistics(self, stem: Path) -> Statistics:
        """Collect the statistics of packed speech frames, utterances sorted by id."""
        return collect_statistics(stem, self.normalizer, self.fitted.ubm)


@dataclass(frozen=True)
class Extractor:
    """All that turns speech frames into an i-vector."""

    normalizer: Normalizer
    ubm: Ubm
    subspace: TotalVariability

    def extract(self, stem: Path) -> np.ndarray:
        """Infer the i-vectors of packed speech frames, `[utterance, rank]`, sorted by id."""
        return ivectors(self.subspace, collect_statistics(stem, self.normalizer, self.ubm))

    def write(self, path: Path, stem: Path) -> None:
        """Infer the i-vectors of packed speech frames and pack them, one row per utterance."""
        values = self.extract(stem)
        with PackedWriter(path, "float32", values.shape[1:]) as writer:
            for utterance_id, row in zip(read_packed(stem).utterance_ids, values, strict=True):
                writer.append(utterance_id, row[None])


def learn_mixture(stem: Path, gaussians: int, params: IvectorParams, seed: int) -> Mixture:
    """Fit the mixture to packed speech frames of the train split, or to a sample of them.

    Args:
        stem: of the packed frames.
        gaussians: of the mixture.
        params: section `ivector`.
        seed: of the run.
    """
    normalizer = estimate_normalizer(frame_chunks([read_packed(stem).rows]))
    sample = sample_frames(stem, params.ubm_frames, generator(seed, "ivector", "frames"))
    start_seed = stream_seed(seed, "ivector", "mixture") % 2**32
    frames = normalizer.apply(sample)
    fitted = fit_ubm(frames, gaussians, params.ubm_iterations, start_seed)
    log.info(
        "UBM: %d Gaussians, %d frames, %d iterations", gaussians, len(frames), fitted.iterations
    )
    return Mixture(normalizer, fitted)


def learn_subspaces(
    ubm: Ubm, statistics: Statistics, params: IvectorParams, seed: int
) -> list[Trained]:
    """Learn a subspace of each rank in worker processes; ranks too high are lowered.

    Two ranks lowered to the same are learned once. Rising ranks come out.
    """
    utterances = len(statistics.counts)
    each = params.rank_utterances
    ranks = sorted({affordable_rank(rank, utterances, each) for rank in params.ranks})
    work = partial(_learn_rank, ubm, statistics, params.iterations, seed)
    learned = list(map_in_order(work, ranks[::-1], "total variability", "rank"))  # longest first
    return learned[::-1]


def _learn_rank(ubm: Ubm, statistics: Statistics, iterations: int, seed: int, rank: int) -> Trained:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in another order would move every vector
        random = generator(seed, "ivector", "subspace", rank)
        return train(ubm, statistics, rank, iterations, random)


def write_extractor(path: Path, extractor: Extractor) -> None:
    """Write scale, mixture and subspace; equal ones give equal bytes."""
    ubm, subspace = extractor.ubm, extractor.subspace
    arrays = {
        "feature_mean": extractor.normalizer.mean,
        "feature_std": extractor.normalizer.std,
        "weights": ubm.weights,
        "ubm_means": ubm.means,
        "variances": ubm.variances,
        "means": subspace.means,
        "matrix": subspace.matrix,
    }
    write_tensors(path, arrays)
