"""One vector per utterance: of the model, of its controls, of the baselines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.baselines.pca import PCA_FILE, Pca, apply_pca, read_pca, segment_rows
from fhvae.errors import ArtifactError
from fhvae.files.packed import FRAMES, VECTORS, Packed, read_packed, sorted_positions
from fhvae.latents import Latents, check_within, read_latents
from fhvae.seeds import generator
from fhvae.trials import Vectors

PARTS = ("speech", "pauses")  # of an utterance, mu2 of each alone


@dataclass(frozen=True)
class Sources:
    """Folders of the stages that vectors are made from."""

    fbank: Path
    latents: Path
    ivectors: Path
    baselines: Path
    controls: Path


def read_vectors(sources: Sources, split: str, seed: int) -> dict[str, Vectors]:
    """Read or compute every vector of one split, by name.

    Returns:
        Those of `latent_vectors`, and
        ivector: of the i-vector baseline, all settings chosen on dev by cosine.
        ivector_supervised: chosen on dev by the best supervised back-end.
        ivector_vad30 and the like: of the best one with each detector of speech.
        fbank: mean and standard deviation of the frames.
        pca: mean of the PCA codes of the segments.
        random: N(0, 1), of the size of z2.
        untrained: mu2 of networks with the same seed and no training.
        mean_removed, level: mu2 of frames without their mean spectrum, without their level.
        speech, pauses: of those frames alone, where every utterance has a segment of them.

    Raises:
        ArtifactError: a file is missing, or two hold different utterances.
    """
    latents = read_latents(sources.latents / f"{split}.safetensors")
    frames = read_packed(sources.fbank / split, FRAMES)
    ids = latents.utterance_ids
    check_within(latents, frames)
    random = generator(seed, "verification", "random vectors", split)
    pca = read_pca(sources.baselines / "pca" / PCA_FILE)
    file = f"{split}.safetensors"
    return {
        **latent_vectors(latents),
        **ivectors(sources.ivectors, split, ids),
        "fbank": row_statistics(frames),
        "pca": pca_means(pca, latents, frames),
        "random": random_vectors(ids, latents.mu2.shape[1], random),
        "untrained": _mu2_of(sources.baselines / "untrained_latents" / file, ids, "baselines"),
        "mean_removed": _mu2_of(sources.controls / "mean_removed" / file, ids, "controls"),
        "level": _mu2_of(sources.controls / "level" / file, ids, "controls"),
        **{
            name: part
            for name, part in read_parts(sources.controls, split, ids).items()
            if part is not None and part.utterance_ids == ids
        },
    }


def ivectors(folder: Path, split: str, utterance_ids: tuple[str, ...]) -> dict[str, Vectors]:
    """Read the i-vectors that dev chose, twice, and those of the best of each detector."""
    found = {"ivector": folder / split, "ivector_supervised": folder / "supervised" / split}
    detectors = sorted(path for path in folder.glob("vad*") if path.is_dir())
    found |= {f"ivector_{path.name}": path / split for path in detectors}
    vectors = {name: packed_vectors(read_packed(stem, VECTORS)) for name, stem in found.items()}
    for own in vectors.values():
        check_same_utterances(own.utterance_ids, utterance_ids, ("ivector", "latents"))
    return vectors


def read_parts(
    controls: Path, split: str, utterance_ids: tuple[str, ...]
) -> dict[str, Vectors | None]:
    """Read mu2 of speech alone and of pauses alone, of the utterances that have a segment of it.

    None where no utterance has.

    Raises:
        ArtifactError: one is not among `utterance_ids`.
    """
    found: dict[str, Vectors | None] = {}
    for name in PARTS:
        path = controls / name / f"{split}.safetensors"
        found[name] = part = _mu2(path, "controls") if path.exists() else None
        if part is not None:
            known = set(part.utterance_ids) & set(utterance_ids)
            check_same_utterances(part.utterance_ids, known, ("controls", "latents"))
    return found


def check_same_utterances(
    first: Iterable[str], second: Iterable[str], names: tuple[str, str] = ("latents", "fbank")
) -> None:
    """Raise ArtifactError, naming one utterance, unless both have the same ones.

    Args:
        first, second: utterance ids.
        names: of the stages that wrote them; the first is the one to rerun.
    """
    in_first, in_second = set(first), set(second)
    for name in sorted(in_first ^ in_second):
        place, other = names if name in in_first else names[::-1]
        raise ArtifactError(
            f"{names[0]} and {names[1]} must hold the same utterances, {name} is in {place} and "
            f"not in {other} ({len(in_first)} and {len(in_second)} utterances); rerun {names[0]}"
        )


def latent_vectors(latents: Latents) -> dict[str, Vectors]:
    """Build the vectors that come from latents, by name.

    Returns:
        mu2: closed-form posterior mean of the utterance.
        z2: plain mean of z2 over the segments.
        mu1: mean of z1 over the segments: it should not know who.
        z1_stats: mean and standard deviation of z1 over the segments.
    """
    ids = latents.utterance_ids
    z1 = segment_means(latents, latents.z1_mean)
    away = latents.z1_mean - z1[latents.segment_utterance]
    return {
        "mu2": Vectors(ids, latents.mu2.astype(np.float64)),
        "z2": Vectors(ids, segment_means(latents, latents.z2_mean)),
        "mu1": Vectors(ids, latents.mu1.astype(np.float64)),
        "z1_stats": Vectors(ids, np.hstack([z1, np.sqrt(segment_means(latents, away**2))])),
    }


def segment_means(latents: Latents, values: np.ndarray) -> np.ndarray:
    """Average values `[segment, dimension]` over the segments of each utterance, float64."""
    sums = np.add.reduceat(values.astype(np.float64), latents.offsets, axis=0)
    return np.asarray(sums / latents.lengths[:, None])


def row_statistics(packed: Packed) -> Vectors:
    """Compute mean and standard deviation of each utterance's rows, frames or codes.

    Returns:
        `[utterance, 2 dimension]`, utterances sorted: means first, then standard deviations.
    """
    statistics = {}
    for utterance_id, rows in packed.items():
        wide = rows.astype(np.float64)
        statistics[utterance_id] = np.concatenate([wide.mean(axis=0), wide.std(axis=0)])
    ids = tuple(sorted(statistics))
    return Vectors(ids, np.array([statistics[utterance_id] for utterance_id in ids]))


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


def packed_vectors(packed: Packed) -> Vectors:
    """Take vectors that were packed one row per utterance, such as i-vectors.

    Raises:
        ArtifactError: an utterance has not one row; the message names it.
    """
    for utterance_id, length in zip(packed.utterance_ids, packed.lengths, strict=True):
        if length != 1:
            raise ArtifactError(
                f"utterance {utterance_id} must have one i-vector, found {length}; rerun ivector"
            )
    order = sorted_positions(packed.utterance_ids)
    ids = tuple(packed.utterance_ids[position] for position in order)
    return Vectors(ids, packed.take(packed.offsets[order]).astype(np.float64))


def random_vectors(
    utterance_ids: Sequence[str], dimension: int, random: np.random.Generator
) -> Vectors:
    """Draw vectors that know nothing, each number from N(0, 1): the bottom of every table."""
    return Vectors(tuple(utterance_ids), random.normal(size=(len(utterance_ids), dimension)))


def _mu2_of(path: Path, utterance_ids: tuple[str, ...], stage: str) -> Vectors:
    found = _mu2(path, stage)
    check_same_utterances(found.utterance_ids, utterance_ids, (stage, "latents"))
    return found


def _mu2(path: Path, stage: str) -> Vectors:
    latents = read_latents(path, stage)
    return Vectors(latents.utterance_ids, latents.mu2.astype(np.float64))
