"""A running average of the weights: what is shown to dev, and kept.

Why: docs/decisions/0013-average.md. PyTorch's AveragedModel does the same with a counter that is a
tensor, which on a GPU would have every step wait.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from fhvae.model.network import FHVAE

HEAD_START = 10  # steps; the first weights, drawn at random, must not linger


class RunningAverage:
    """An exponential average of the weights over about the last 1 / (1 - share) steps.

    Early on a step counts for more, or the random weights of the start would be in it for long.
    Nothing in an update waits for the device.
    """

    def __init__(self, network: FHVAE, share: float) -> None:
        """Begin with a copy of the network; `share` is kept at each step."""
        self.network: FHVAE = deepcopy(network).requires_grad_(False)
        for module in self.network.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # one block again for cuDNN, after the copy
        self.share = share
        self.updates = 0

    @torch.no_grad()
    def update(self, network: FHVAE) -> None:
        """Take in the weights after a step."""
        averaged: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        if self.updates == 0:
            torch._foreach_copy_(averaged, current)
        else:
            kept = min(self.share, (1 + self.updates) / (HEAD_START + self.updates))
            torch._foreach_lerp_(averaged, current, 1 - kept)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Give all that a resume needs."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.updates = int(state["updates"])
