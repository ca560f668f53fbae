"""A running average of the weights: what is shown to dev, and kept (docs/decisions/0013)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from fhvae.model.network import FHVAE

HEAD_START = 10  # steps; the first weights, drawn at random, must not linger


class RunningAverage(AveragedModel):
    """An exponential average of the weights over about the last 1 / (1 - share) steps.

    Early on a step counts for more, or the random weights of the start would be in it for long.
    """

    module: FHVAE

    def __init__(self, network: FHVAE, share: float) -> None:
        """Begin with a copy of the network; `share` is kept at each step."""

        @torch.no_grad()
        def blend(
            averaged: Sequence[Tensor], current: Sequence[Tensor], number: Tensor | int
        ) -> None:
            kept = min(share, (1 + float(number)) / (HEAD_START + float(number)))
            for mean, own in zip(averaged, current, strict=True):
                mean.lerp_(own, 1 - kept)

        super().__init__(network, multi_avg_fn=blend)
        self.module.requires_grad_(False)
