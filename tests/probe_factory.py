"""What the stage probe needs beside latents: a model, an untrained one, PCA, noisy copies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fhvae.baselines.pca import PCA_FILE, Pca, write_pca
from fhvae.corpus.manifest import Utterance
from fhvae.device import choose_device
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.inference import infer_latents
from fhvae.latents import Latents, write_latents
from fhvae.model.network import new_network
from fhvae.model.weights import NORMALIZER, TrainedModel, read_model, write_model
from fhvae.params.probes import ProbesParams
from fhvae.params.segments import SegmentsParams
from fhvae.probes.questions import Material
from fhvae.probes.rows import segment_rows
from tests.latent_factory import (
    HOP_S,
    MELS,
    SEGMENT_FRAMES,
    SHIFT,
    Z1,
    Z2,
    alignment,
    make_frames,
    make_latents,
    make_utterances,
    write_frames,
)
from tests.params_factory import fbank_params, model_params

MODEL = model_params(cells=5, z1=Z1, z2=Z2)
SEGMENTS = SegmentsParams(frames=SEGMENT_FRAMES, train_shift=2, shift=SHIFT)
FBANK = fbank_params(hop_ms=1000 * HOP_S, mels=MELS)
PROBES = ProbesParams(
    penalties=(1e-3, 1.0),
    max_segments=10_000,
    fit_share=0.6,
    smoothing=0.001,
    control_clusters=12,
    control_iterations=25,
    mlp_hidden=8,
    mlp_epochs=30,
    mlp_patience=20,
    mlp_learning_rate=0.001,
    mlp_batch=256,
    abx_items=10,
    abx_speakers=5,
)
SPEAKERS = {"train": 6, "dev": 2, "test": 4}
EACH = 4
SEGMENTS_EACH = 6


def write_network(folder: Path, seed: int) -> TrainedModel:
    """Write and read back a network with first weights of `seed`."""
    network = new_network(MELS, SEGMENT_FRAMES, MODEL, seed)
    normalizer = folder.parent / f"{folder.name}-{NORMALIZER}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_normalizer(normalizer, Normalizer(np.zeros(MELS), np.ones(MELS)))
    write_model(folder, network.state_dict(), MODEL, SEGMENTS, FBANK, normalizer)
    return read_model(folder, choose_device())


def write_f0(folder: Path, tracks: Mapping[str, Sequence[float]]) -> None:
    """Write the F0 of every utterance of a fake run; three unvoiced frames where none is given."""
    for split, speakers in SPEAKERS.items():
        with PackedWriter(folder / split, "float64") as writer:
            for item in make_utterances(split, speakers, EACH):
                track = tracks.get(item.utterance_id, (0.0, 0.0, 0.0))
                writer.append(item.utterance_id, np.array(track))


def write_coders(folder: Path) -> None:
    """Add `f0`, `model`, `baselines` and `domains` to the folder of a fake run."""
    write_f0(folder / "f0", {})
    write_network(folder / "model", seed=1)
    untrained = write_network(folder / "baselines" / "untrained", seed=2)
    directions = np.linalg.qr(np.random.default_rng(3).normal(size=(SEGMENT_FRAMES * MELS, Z1)))[0]
    pca = Pca(np.zeros(SEGMENT_FRAMES * MELS, np.float32), directions.astype(np.float32))
    write_pca(folder / "baselines" / "pca" / PCA_FILE, pca)
    for split in SPEAKERS:
        latents = infer_latents(untrained, read_packed(folder / "fbank" / split), SHIFT)
        write_latents(folder / "baselines" / "untrained_latents" / f"{split}.safetensors", latents)
    clean = read_packed(folder / "fbank" / "test")
    for snr_db in (20, 0):
        louder = np.asarray(clean.rows) + np.float32(2 - snr_db / 10)
        domain = folder / "domains" / f"noise{snr_db}"
        write_frames(domain / "test", replace(clean, rows=louder))
    write_frames(folder / "domains" / "room" / "test", clean)


def make_material(
    latents: dict[str, Latents], utterances: dict[str, Sequence[Utterance]], **more: object
) -> Material:
    """Lay out what the questions are made of, with the phones that z1 was placed by."""
    everyone = [item for own in utterances.values() for item in own]
    rows = {
        split: segment_rows(own, make_frames(own), utterances[split])
        for split, own in latents.items()
    }
    given: dict[str, object] = {
        "rows": rows,
        "utterances": everyone,
        "phones": {item.utterance_id: alignment(item, SEGMENTS_EACH) for item in everyone},
        "hop_ms": 1000 * HOP_S,
        "params": PROBES,
        "seed": 0,
    }
    return Material(**(given | more))


def split_utterances(texts: Iterable[str] = ()) -> dict[str, list[Utterance]]:
    """Name the utterances of each split; the first of each speaker say `texts`."""
    said = [*texts, *[""] * EACH][:EACH]
    return {
        split: [
            replace(item, text=said[place % EACH])
            for place, item in enumerate(make_utterances(split, count, EACH))
        ]
        for split, count in SPEAKERS.items()
    }


def split_latents(utterances: dict[str, Sequence[Utterance]], noise: float) -> dict[str, Latents]:
    """Place z1 by phone and z2 by speaker in each split, each `noise` around its point."""
    return {
        split: make_latents(own, noise=noise, segments=SEGMENTS_EACH, seed=place)
        for place, (split, own) in enumerate(utterances.items())
    }


def swap(latents: Latents) -> Latents:
    """Put what z1 says into z2 and mu2, and what z2 and mu2 say into z1."""
    each = np.add.reduceat(latents.z1_mean.astype(np.float64), latents.offsets, axis=0)
    return replace(
        latents,
        z1_mean=latents.mu2[latents.segment_utterance],
        z1_log_variance=latents.z2_log_variance,
        z2_mean=latents.z1_mean,
        z2_log_variance=latents.z1_log_variance,
        mu2=(each / latents.lengths[:, None]).astype(np.float32),
    )


def randomize(latents: Latents, seed: int) -> Latents:
    """Replace all codes by noise that depends on nothing."""
    random = np.random.default_rng(seed)
    return replace(
        latents,
        **{
            name: random.normal(size=getattr(latents, name).shape).astype(np.float32)
            for name in ("z1_mean", "z2_mean", "mu2")
        },
    )
