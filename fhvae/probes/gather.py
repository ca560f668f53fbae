"""What earlier stages left -> the material of the questions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhvae.baselines.pca import PCA_FILE, read_pca
from fhvae.corpus.manifest import COMMON, SPLITS, Utterance
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.corpus.text import heard_in_training
from fhvae.device import choose_device
from fhvae.features.f0 import mean_log_f0, read_tracks
from fhvae.files.packed import FRAMES, Packed, read_packed
from fhvae.latents import Latents, read_latents
from fhvae.model.weights import read_model
from fhvae.params.latents import Mu2Rule
from fhvae.params.probes import ProbesParams
from fhvae.probes.questions import Material
from fhvae.probes.rows import Coders, Controls, Rows, encode_rows, segment_rows

NOISE_DOMAIN = re.compile(r"noise(\d+)")  # the number is the signal-to-noise ratio in dB


@dataclass(frozen=True)
class Folders:
    """Where earlier stages left their outputs."""

    corpus: Path
    fbank: Path
    f0: Path
    latents: Path
    model: Path
    baselines: Path
    domains: Path


@dataclass(frozen=True)
class Gathered:
    """All that the stage probe reads.

    Attributes:
        corpus: with phone times.
        frames: normalized, by split.
        latents: by split.
        coders: networks and PCA.
    """

    corpus: Corpus
    frames: dict[str, Packed]
    latents: dict[str, Latents]
    coders: Coders


def gather(folders: Folders, mu2: Mu2Rule) -> Gathered:
    """Read what earlier stages left; `mu2` is how the latents there have it."""
    device = choose_device()
    return Gathered(
        corpus=read_corpus(folders.corpus),
        frames={split: read_packed(folders.fbank / split, FRAMES) for split in SPLITS},
        latents={split: read_latents(folders.latents / f"{split}.safetensors") for split in SPLITS},
        coders=Coders(
            trained=read_model(folders.model, device, mu2),
            untrained=read_model(folders.baselines / "untrained", device, mu2),
            pca=read_pca(folders.baselines / "pca" / PCA_FILE),
        ),
    )


def make_material(
    gathered: Gathered,
    folders: Folders,
    params: ProbesParams,
    shift: int,
    seed: int,
    stacked: bool,
) -> Material:
    """Lay out rows of all splits, average F0, and encode the noisy copies of test.

    Args:
        gathered: what earlier stages left.
        folders: where the rest of it is.
        params: section `probes`.
        shift: of the latents, in frames.
        seed: of the run.
        stacked: whether whole segments of frames are a code too.
    """
    corpus, coders = gathered.corpus, gathered.coders
    rows = {}
    log_f0: dict[str, float | None] = {}
    for split in SPLITS:
        path = folders.baselines / "untrained_latents" / f"{split}.safetensors"
        latents = read_latents(path, "baselines")
        controls = Controls(latents, coders.pca, stacked=stacked)
        rows[split] = segment_rows(
            gathered.latents[split], gathered.frames[split], corpus.split(split), controls
        )
        tracks = read_tracks(folders.f0 / split)
        log_f0 |= {name: mean_log_f0(f0) for name, f0 in tracks.items()}
    return Material(
        rows=rows,
        utterances=corpus.utterances,
        phones=corpus.phones,
        hop_ms=coders.trained.fbank.hop_ms,
        params=params,
        seed=seed,
        log_f0=log_f0,
        noisy=noisy_rows(folders.domains, coders, shift, corpus.split("test")),
        common=common_rows(folders.fbank, coders, shift, corpus),
        heard=heard_in_training(corpus.utterances),
    )


def common_rows(fbank: Path, coders: Coders, shift: int, corpus: Corpus) -> Rows | None:
    """Encode the sentences that speakers of all splits read; None where none stand apart."""
    if COMMON not in corpus.splits:
        return None
    return encode_rows(read_packed(fbank / COMMON, FRAMES), coders, shift, corpus.split(COMMON))


def noisy_rows(
    folder: Path, coders: Coders, shift: int, utterances: Sequence[Utterance]
) -> dict[float, Rows]:
    """Encode the noisy copies of test utterances.

    Args:
        folder: of the stage domains, one folder per domain in it.
        coders: networks and PCA.
        shift: frames between two segments.
        utterances: of the test split.

    Returns:
        Rows by signal-to-noise ratio in dB; empty where the corpus has no noisy copies.
    """
    return {
        snr_db: encode_rows(frames, coders, shift, utterances)
        for snr_db, frames in noise_domains(folder)
    }


def noise_domains(folder: Path) -> Iterator[tuple[float, Packed]]:
    """Walk over (signal-to-noise ratio in dB, frames of test), the least noise first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = [
        (float(match[1]), match[0]) for name in names if (match := NOISE_DOMAIN.fullmatch(name))
    ]
    for snr_db, name in sorted(found, reverse=True):
        yield snr_db, read_packed(folder / name / "test", FRAMES)
