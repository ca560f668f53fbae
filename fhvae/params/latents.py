"""Section `latents`: where segments lie once the model is trained."""

from dataclasses import dataclass

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class LatentsParams:
    """The grid on which latents are written, and what their t-SNE maps show."""

    shift: int = number(least=1)
    tsne_points: int = number(least=50)
    tsne_perplexity: float = number(least=1)
