"""Maps of the latents of the test split: who is near whom in mu2, and in z1."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.corpus.store import Corpus
from fhvae.latents import Latents
from fhvae.params.latents import LatentsParams
from fhvae.report.figures.tsne import draw_tsne, tsne_map
from fhvae.seeds import generator, stream_seed


@dataclass(frozen=True)
class LatentMap:
    """A map, computed once and drawn in every format.

    Attributes:
        title: above it.
        points: `[point, 2]`; None where there are too few.
        speakers, genders: of each point.
    """

    title: str
    points: np.ndarray | None
    speakers: list[str]
    genders: list[str]

    def draw(self, path: Path) -> None:
        """Draw it to a file."""
        draw_tsne(path, self.points, self.speakers, self.genders, self.title)


def latent_maps(
    latents: Latents, corpus: Corpus, params: LatentsParams, seed: int
) -> dict[str, LatentMap]:
    """Compute t-SNE maps: mu2 of test utterances, z1 of a seeded sample of their segments.

    Args:
        latents: of the test split.
        corpus: says who speaks.
        params: section `latents`: segments in the map of z1, perplexity of both.
        seed: of the run.

    Returns:
        `tsne_mu2` and `tsne_z1`.
    """
    people = {item.utterance_id: (item.speaker, item.gender) for item in corpus.utterances}
    who = np.array([people[utterance_id] for utterance_id in latents.utterance_ids])
    count = len(latents.starts)
    chosen = np.sort(generator(seed, "tsne points").permutation(count)[: params.tsne_points])
    wanted = {
        "tsne_mu2": ("mu2 of test utterances", latents.mu2, who),
        "tsne_z1": (
            "z1 of test segments",
            latents.z1_mean[chosen],
            who[latents.segment_utterance[chosen]],
        ),
    }
    start = stream_seed(seed, "tsne") % 2**32
    return {
        name: LatentMap(
            title,
            tsne_map(vectors, params.tsne_perplexity, start),
            said_by[:, 0].tolist(),
            said_by[:, 1].tolist(),
        )
        for name, (title, vectors, said_by) in wanted.items()
    }
