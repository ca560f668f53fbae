"""The network of the speaker attack, and how sequences of unlike length are laid before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.artifacts import Packed

CONTEXT = 3  # codes that a convolution sees at a time; two of them see five
COSINE_SCALE = 15.0  # of the softmax over cosines: 1 could never make a speaker certain
MIN_STD = 1e-5  # of an input dimension and of a pooled channel


class AttackNetwork(nn.Module):
    """Two convolutions over time, statistics pooling, an embedding, cosines to the speakers."""

    def __init__(self, dimension: int, channels: int, embedding: int, speakers: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(dimension, channels, CONTEXT, padding=CONTEXT // 2)
        self.second = nn.Conv1d(channels, channels, CONTEXT, padding=CONTEXT // 2)
        self.embedding = nn.Linear(2 * channels, embedding)
        self.speakers = nn.Parameter(torch.empty(speakers, embedding))
        nn.init.xavier_uniform_(self.speakers)

    def embed(self, codes: Tensor, present: Tensor) -> Tensor:
        """Embed utterances, `[utterance, embedding]`.

        Args:
            codes: `[utterance, dimension, segment]`, zero where there is no segment.
            present: `[utterance, segment]`, 1 where there is one.
        """
        present = present[:, None]
        hidden = torch.relu(self.first(codes)) * present
        hidden = torch.relu(self.second(hidden)) * present
        count = present.sum(dim=2)
        mean = hidden.sum(dim=2) / count
        variance = ((hidden - mean[:, :, None]).square() * present).sum(dim=2) / count
        std = (variance + MIN_STD).sqrt()  # of one segment 0, where a root has no slope
        pooled: Tensor = self.embedding(torch.cat([mean, std], dim=1))
        return pooled

    def forward(self, codes: Tensor, present: Tensor) -> Tensor:
        """Score every train speaker, `[utterance, speaker]` logits."""
        embedded = nn.functional.normalize(self.embed(codes, present))
        return COSINE_SCALE * embedded @ nn.functional.normalize(self.speakers).T


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of the train codes, `[dimension]`."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, codes: Packed) -> "Scale":
        """Estimate from all segments; a dimension that does not vary stays as it is."""
        rows = np.asarray(codes.rows, np.float64)
        return cls(rows.mean(axis=0), np.maximum(rows.std(axis=0), MIN_STD))


@dataclass(frozen=True)
class Padded:
    """Utterances of unlike length in one array.

    Attributes:
        codes: `[utterance, dimension, segment]`, zero beyond an utterance's end.
        present: `[utterance, segment]`, 1 or 0.
    """

    codes: Tensor
    present: Tensor


def pad(codes: Packed, positions: Sequence[int], scale: Scale) -> Padded:
    """Scale the codes of some utterances and lay them side by side."""
    rows = [(codes[position] - scale.mean) / scale.std for position in positions]
    longest = max(len(one) for one in rows)
    padded = np.zeros((len(rows), rows[0].shape[1], longest), np.float32)
    present = np.zeros((len(rows), longest), np.float32)
    for place, one in enumerate(rows):
        padded[place, :, : len(one)] = one.T
        present[place, : len(one)] = 1
    return Padded(torch.from_numpy(padded), torch.from_numpy(present))


def embed_all(network: AttackNetwork, batches: Sequence[Padded]) -> np.ndarray:
    """Embed the utterances of several batches, `[utterance, embedding]` float64."""
    with torch.inference_mode():
        parts = [network.embed(batch.codes, batch.present).numpy() for batch in batches]
    return np.concatenate(parts).astype(np.float64)
