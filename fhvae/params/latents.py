"""Section `latents`: where segments lie once the model is trained."""

from dataclasses import dataclass

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class LatentsParams:
    """The grid on which latents are written, and how many of them the t-SNE map of z1 shows."""

    shift: int = number(least=1)
    tsne_points: int = number(least=50)
