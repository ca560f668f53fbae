"""The recognizer: linear, bidirectional LSTM, linear to phones and CTC's blank.

Batches are padded to their longest utterance. Padding changes no result: the forward LSTM
reads it only after an utterance, and the backward one reads each utterance reversed within
its own length (as packing would do, at twice the speed of a packed LSTM on a CPU).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

BLANK = 0  # index of CTC's blank; classes begin at 1

Drop = Callable[[Tensor], Tensor]  # zeros some values, in training alone


def keep_all(values: Tensor) -> Tensor:
    """Drop nothing, as outside of training."""
    return values


def drop_some(values: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Zero a random share of the values and scale the others, so that the mean stays.

    The draws are numpy's, so that they are the same on every device.
    """
    drawn = random.random(tuple(values.shape), dtype=np.float32)
    kept = torch.from_numpy(drawn >= np.float32(share)).to(values.device)
    return values * kept / (1 - share)


def dropout(share: float, random: np.random.Generator) -> Drop:
    """Give the `drop_some` of a training; a share of 0 draws nothing."""
    return partial(drop_some, share=share, random=random) if share else keep_all


def reversal(lengths: Tensor, rows: int) -> Tensor:
    """Index that reverses each utterance within its length and leaves its padding in place.

    Args:
        lengths: `[utterance]`, in rows.
        rows: rows of the padded batch.

    Returns:
        `[row, utterance]` int64; applying it twice changes nothing.
    """
    places = torch.arange(rows, device=lengths.device)[:, None]
    return torch.where(places < lengths, lengths - 1 - places, places)


def reverse(
    values: Float[Tensor, "row utterance dimension"], index: Int[Tensor, "row utterance"]
) -> Float[Tensor, "row utterance dimension"]:
    """Take rows in the order of `reversal`."""
    return values.gather(0, index[:, :, None].expand_as(values))


class BidirectionalLayer(nn.Module):
    """Read padded utterances forward and backward with one LSTM each."""

    def __init__(self, inputs: int, cells: int) -> None:
        super().__init__()
        self.forward_lstm = nn.LSTM(inputs, cells)
        self.backward_lstm = nn.LSTM(inputs, cells)

    def forward(
        self, values: Float[Tensor, "row utterance dimension"], index: Int[Tensor, "row utterance"]
    ) -> Float[Tensor, "row utterance cell"]:
        """Give both directions side by side; `index` is that of `reversal`."""
        ahead, _ = self.forward_lstm(values)
        back, _ = self.backward_lstm(reverse(values, index))
        return torch.cat([ahead, reverse(back, index)], dim=2)


class Recognizer(nn.Module):
    """Score phones and the blank in every row; with 0 layers a linear function of the row."""

    def __init__(self, dimensions: int, labels: int, layers: int, cells: int) -> None:
        super().__init__()
        self.entry = nn.Linear(dimensions, cells) if layers else nn.Identity()
        widths = [cells, *[2 * cells] * (layers - 1)][:layers]
        self.layers = nn.ModuleList(BidirectionalLayer(width, cells) for width in widths)
        self.exit = nn.Linear(2 * cells if layers else dimensions, labels)

    def forward(
        self,
        rows: Float[Tensor, "row utterance dimension"],
        lengths: Int[Tensor, " utterance"],
        drop: Drop = keep_all,
    ) -> Float[Tensor, "row utterance label"]:
        """Compute log probabilities; those of padded rows mean nothing.

        Args:
            rows: padded.
            lengths: in rows.
            drop: applied to what each layer gives; `dropout` in training.
        """
        values = self.entry(rows)
        index = reversal(lengths, len(rows))
        for layer in self.layers:
            values = drop(layer(values, index))
        return self.exit(values).log_softmax(dim=2)  # type: ignore[no-any-return]
