"""Section `latents`: where segments lie once the model is trained."""

from dataclasses import dataclass
from typing import Literal

from fhvae.params.reading import number

Mu2Rule = Literal["mean", "precision"]


@dataclass(frozen=True, kw_only=True)
class LatentsParams:
    """The grid on which latents are written, how mu2 comes of it, what t-SNE maps show."""

    shift: int = number(least=1)
    mu2: Mu2Rule
    tsne_points: int = number(least=50)
    tsne_perplexity: float = number(least=1)
