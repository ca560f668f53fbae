"""Where each vector of the comparison comes from: the model, its controls, the baselines."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.artifacts import Packed, read_packed
from fhvae.controls.pca import Pca, apply_pca, read_pca, segment_rows
from fhvae.latents import Latents, read_latents
from fhvae.seeds import generator
from fhvae.trials.cosine import Vectors
from fhvae.verification.vectors import (
    check_same_utterances,
    frame_statistics,
    latent_vectors,
    packed_vectors,
    random_vectors,
    segment_means,
)

# Vectors that are mu2 of other latents, and the folder of `controls` that holds those.
MU2_OF = {"untrained": "untrained_latents", "mean_removed": "mean_removed", "level": "level"}


@dataclass(frozen=True)
class Sources:
    """Folders of the stages that vectors are made from."""

    fbank: Path
    latents: Path
    ivectors: Path
    controls: Path


def read_vectors(sources: Sources, split: str, seed: int) -> dict[str, Vectors]:
    """Read or compute every vector of one split, by name.

    Returns:
        Those of `latent_vectors`, and
        ivector: of the i-vector baseline.
        fbank: mean and standard deviation of the frames.
        pca: mean of the PCA codes of the segments.
        untrained: mu2 of networks with the same seed and no training.
        random: N(0, 1), of the size of z2.
        mean_removed, level: mu2 of frames without their mean spectrum, without their level.

    Raises:
        ArtifactError: a file is missing, or two hold different utterances.
    """
    latents = read_latents(sources.latents / f"{split}.safetensors")
    frames = read_packed(sources.fbank / split)
    ids = latents.utterance_ids
    check_same_utterances(ids, frames.utterance_ids)
    ivectors = packed_vectors(read_packed(sources.ivectors / split))
    check_same_utterances(ivectors.utterance_ids, ids, ("ivector", "latents"))
    random = generator(seed, "verification", "random vectors", split)
    pca = read_pca(sources.controls / "pca.safetensors")
    controls = {
        name: _mu2_of(sources.controls / folder / f"{split}.safetensors", ids)
        for name, folder in MU2_OF.items()
    }
    return {
        **latent_vectors(latents),
        "ivector": ivectors,
        "fbank": frame_statistics(frames),
        "pca": pca_means(pca, latents, frames),
        "random": random_vectors(ids, latents.mu2.shape[1], random),
        **controls,
    }


def _mu2_of(path: Path, utterance_ids: tuple[str, ...]) -> Vectors:
    latents = read_latents(path)
    check_same_utterances(latents.utterance_ids, utterance_ids, ("controls", "latents"))
    return Vectors(latents.utterance_ids, latents.mu2.astype(np.float64))


def pca_means(pca: Pca, latents: Latents, frames: Packed) -> Vectors:
    """Average the PCA codes of each utterance's segments, those that the latents are of.

    Args:
        pca: directions of whole segments.
        latents: they say where the segments start.
        frames: rows `[frame, mel]`, of the same utterances.
    """
    offset_of = dict(zip(frames.utterance_ids, frames.offsets, strict=True))
    codes = []
    for utterance_id, segments in latents.slices():
        starts = offset_of[utterance_id] + latents.starts[segments]
        codes.append(apply_pca(pca, segment_rows(frames, starts, latents.segment_frames)))
    return Vectors(latents.utterance_ids, segment_means(latents, np.concatenate(codes)))
