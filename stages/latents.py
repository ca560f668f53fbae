"""Infer latents with the trained model: z1, z2 per segment and mu2 per utterance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fhvae.artifacts import Packed, new_folder, read_packed, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.device import choose_device
from fhvae.features.normalize import Normalizer, read_normalizer
from fhvae.inference import factor_grid, infer_latents, sorted_positions
from fhvae.latents import Latents, write_latents
from fhvae.model.gaussian import ACTIVE_VARIANCE
from fhvae.model.weights import NORMALIZER, TrainedModel, read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.run import Seeded
from fhvae.plots.drawing import can_draw
from fhvae.plots.factor_grid import draw_factor_grid
from fhvae.plots.tsne import draw_tsne
from fhvae.seeds import generator, stream_seed

GRID_UTTERANCES = 5


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    latents: LatentsParams


def split_metrics(latents: Latents) -> dict[str, int]:
    """Count utterances, segments, and the dimensions that are in use."""
    return {
        "utterances": len(latents.utterance_ids),
        "segments": len(latents.starts),
        "active_z1": int((latents.z1_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
        "active_z2": int((latents.z2_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
    }


def draw_maps(folder: Path, latents: Latents, corpus: Corpus, points: int, seed: int) -> None:
    """Draw t-SNE maps: mu2 of test utterances, z1 of a seeded sample of their segments."""
    people = {item.utterance_id: (item.speaker, item.gender) for item in corpus.utterances}
    who = np.array([people[utterance_id] for utterance_id in latents.utterance_ids])
    draw_tsne(
        folder / "tsne_mu2.png",
        latents.mu2,
        who[:, 0].tolist(),
        who[:, 1].tolist(),
        "mu2 of test utterances",
        stream_seed(seed, "tsne") % 2**32,
    )
    count = len(latents.starts)
    chosen = np.sort(generator(seed, "tsne points").permutation(count)[:points])
    said_by = who[latents.segment_utterance[chosen]]
    draw_tsne(
        folder / "tsne_z1.png",
        latents.z1_mean[chosen],
        said_by[:, 0].tolist(),
        said_by[:, 1].tolist(),
        "z1 of test segments",
        stream_seed(seed, "tsne") % 2**32,
    )


def different_utterances(utterance_ids: Sequence[str], speakers: dict[str, str]) -> list[int]:
    """Choose positions of one utterance each of a few speakers spread over the split.

    The k-th speaker gives the k-th utterance: the first may be a sentence that all read.
    """
    by_speaker: dict[str, list[int]] = {}
    for position in sorted_positions(utterance_ids):
        by_speaker.setdefault(speakers[utterance_ids[position]], []).append(position)
    spread = list(by_speaker.values())[:: max(1, len(by_speaker) // GRID_UTTERANCES)]
    return [
        positions[place % len(positions)]
        for place, positions in enumerate(spread[:GRID_UTTERANCES])
    ]


def draw_grid(
    path: Path, trained: TrainedModel, packed: Packed, speakers: dict[str, str], undo: Normalizer
) -> None:
    """Draw the middle segments of a few speakers, every pair of z1 and z2 decoded."""
    chosen = different_utterances(packed.utterance_ids, speakers)
    frames = trained.segments.frames
    middles = [(len(packed[position]) - frames) // 2 for position in chosen]
    segments = np.stack(
        [
            packed[position][start : start + frames]
            for position, start in zip(chosen, middles, strict=True)
        ],
        axis=1,
    )
    device = next(trained.network.parameters()).device
    decoded = factor_grid(trained, torch.from_numpy(segments).to(device))
    draw_factor_grid(
        path,
        undo.undo(decoded.originals),
        undo.undo(decoded.reconstructions),
        undo.undo(decoded.grid),
        [speakers[packed.utterance_ids[position]] for position in chosen],
    )


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, model, latents_path, metrics, plots = parse_paths(
        __doc__, "corpus", "fbank", "model", "latents", "metrics", "plots"
    )
    params = read_params(Params)
    corpus = read_corpus(corpus_path)
    trained = read_model(model, choose_device())
    drawing = can_draw("matplotlib", "sklearn")
    report = {}
    with new_folder(latents_path) as folder:
        for split in corpus.splits:
            packed = read_packed(fbank / split)
            latents = infer_latents(trained, packed, params.latents.shift, f"latents {split}")
            write_latents(folder / f"{split}.safetensors", latents)
            report[split] = split_metrics(latents)
            if split == "test" and drawing:
                draw_maps(plots, latents, corpus, params.latents.tsne_points, params.seed)
    if drawing:
        draw_grid(
            plots / "factor_grid.png",
            trained,
            read_packed(fbank / "test"),
            {item.utterance_id: item.speaker for item in corpus.utterances},
            read_normalizer(model / NORMALIZER),
        )
    write_metrics(metrics, report)


if __name__ == "__main__":
    run(main)
