"""Noisy copies of test utterances as rows, for the question how much noise a code shows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhvae.artifacts import Packed, read_packed
from fhvae.controls.pca import Pca
from fhvae.corpus.manifest import Utterance
from fhvae.inference import infer_latents
from fhvae.model.weights import TrainedModel
from fhvae.probes.rows import Controls, Rows, segment_rows

NOISE_DOMAIN = re.compile(r"noise(\d+)")  # the number is the signal-to-noise ratio in dB


@dataclass(frozen=True)
class Codes:
    """What turns frames into the codes that are compared.

    Attributes:
        trained, untrained: networks.
        pca: fitted on train segments.
        shift: frames between two segments.
    """

    trained: TrainedModel
    untrained: TrainedModel
    pca: Pca
    shift: int


def noisy_rows(folder: Path, codes: Codes, utterances: Sequence[Utterance]) -> dict[float, Rows]:
    """Encode the noisy copies of test utterances.

    Args:
        folder: of the stage domains, one folder per domain in it.
        codes: networks and PCA.
        utterances: of the test split.

    Returns:
        Rows by signal-to-noise ratio in dB; empty where the corpus has no noisy copies.
    """
    return {
        snr_db: encode_rows(frames, codes, utterances) for snr_db, frames in noise_domains(folder)
    }


def noise_domains(folder: Path) -> Iterator[tuple[float, Packed]]:
    """Walk over (signal-to-noise ratio in dB, frames of test), the least noise first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = [
        (float(match[1]), match[0]) for name in names if (match := NOISE_DOMAIN.fullmatch(name))
    ]
    for snr_db, name in sorted(found, reverse=True):
        yield snr_db, read_packed(folder / name / "test")


def encode_rows(frames: Packed, codes: Codes, utterances: Sequence[Utterance]) -> Rows:
    """Infer latents of frames and lay them out with the controls beside them."""
    latents = infer_latents(codes.trained, frames, codes.shift)
    controls = Controls(infer_latents(codes.untrained, frames, codes.shift), codes.pca)
    return segment_rows(latents, frames, utterances, controls)
