"""Maps of the latents of the test split: who is near whom in mu2, and in z1."""

from pathlib import Path

import numpy as np

from fhvae.corpus.store import Corpus
from fhvae.latents import Latents
from fhvae.params.latents import LatentsParams
from fhvae.report.figures.tsne import draw_tsne
from fhvae.seeds import generator, stream_seed


def draw_maps(
    folder: Path, latents: Latents, corpus: Corpus, params: LatentsParams, seed: int
) -> None:
    """Draw t-SNE maps: mu2 of test utterances, z1 of a seeded sample of their segments.

    Args:
        folder: of the PNG files `tsne_mu2.png` and `tsne_z1.png`.
        latents: of the test split.
        corpus: says who speaks.
        params: section `latents`: segments in the map of z1, perplexity of both.
        seed: of the run.
    """
    people = {item.utterance_id: (item.speaker, item.gender) for item in corpus.utterances}
    who = np.array([people[utterance_id] for utterance_id in latents.utterance_ids])
    draw_tsne(
        folder / "tsne_mu2.png",
        latents.mu2,
        who[:, 0].tolist(),
        who[:, 1].tolist(),
        "mu2 of test utterances",
        params.tsne_perplexity,
        stream_seed(seed, "tsne") % 2**32,
    )
    count = len(latents.starts)
    chosen = np.sort(generator(seed, "tsne points").permutation(count)[: params.tsne_points])
    said_by = who[latents.segment_utterance[chosen]]
    draw_tsne(
        folder / "tsne_z1.png",
        latents.z1_mean[chosen],
        said_by[:, 0].tolist(),
        said_by[:, 1].tolist(),
        "z1 of test segments",
        params.tsne_perplexity,
        stream_seed(seed, "tsne") % 2**32,
    )
