"""What earlier stages left -> the material of the questions."""

from dataclasses import dataclass
from pathlib import Path

from fhvae.artifacts import Packed, read_packed
from fhvae.controls.pca import read_pca
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.device import choose_device
from fhvae.latents import Latents, read_latents
from fhvae.model.weights import read_model
from fhvae.params.probes import ProbesParams
from fhvae.probes.extras import measure_f0
from fhvae.probes.factors import Material
from fhvae.probes.noisy import Codes, noisy_rows
from fhvae.probes.rows import Controls, segment_rows


@dataclass(frozen=True)
class Folders:
    """Where earlier stages left their outputs."""

    corpus: Path
    fbank: Path
    latents: Path
    model: Path
    controls: Path
    domains: Path


@dataclass(frozen=True)
class Gathered:
    """All that the stage probe reads.

    Attributes:
        corpus: with phone times.
        frames: normalized, by split.
        latents: by split.
        codes: networks and PCA.
    """

    corpus: Corpus
    frames: dict[str, Packed]
    latents: dict[str, Latents]
    codes: Codes


def gather(folders: Folders, shift: int) -> Gathered:
    """Read what earlier stages left; `shift` is that of the latents, in frames."""
    device = choose_device()
    return Gathered(
        corpus=read_corpus(folders.corpus),
        frames={split: read_packed(folders.fbank / split) for split in SPLITS},
        latents={split: read_latents(folders.latents / f"{split}.safetensors") for split in SPLITS},
        codes=Codes(
            trained=read_model(folders.model, device),
            untrained=read_model(folders.controls / "untrained", device),
            pca=read_pca(folders.controls / "pca.safetensors"),
            shift=shift,
        ),
    )


def make_material(
    gathered: Gathered, folders: Folders, params: ProbesParams, seed: int, stacked: bool
) -> Material:
    """Lay out rows of all splits, measure F0, and encode the noisy copies of test.

    Args:
        gathered: what earlier stages left.
        folders: where the rest of it is.
        params: section `probes`.
        seed: of the run.
        stacked: whether whole segments of frames are a code too.
    """
    corpus = gathered.corpus
    rows = {}
    for split in SPLITS:
        latents = read_latents(folders.controls / "untrained_latents" / f"{split}.safetensors")
        controls = Controls(latents, gathered.codes.pca, stacked=stacked)
        rows[split] = segment_rows(
            gathered.latents[split], gathered.frames[split], corpus.split(split), controls
        )
    return Material(
        rows=rows,
        utterances=corpus.utterances,
        phones=corpus.phones,
        hop_ms=gathered.codes.trained.fbank.hop_ms,
        max_segments=params.max_segments,
        clusters=params.control_clusters,
        seed=seed,
        log_f0=measure_f0(corpus),
        noisy=noisy_rows(folders.domains, gathered.codes, corpus.split("test")),
    )
