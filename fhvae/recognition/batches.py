"""Batches of utterances of like length, padded, and the order in which training meets them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fhvae.recognition.inputs import RowReader, Scale


@dataclass(frozen=True)
class Batch:
    """Rows of a few utterances, time first, zeros after the end of the shorter ones.

    Attributes:
        rows: `[row, utterance, dimension]` float32.
        lengths: `[utterance]` int64, in rows.
    """

    rows: Tensor
    lengths: Tensor


def pad(utterances: Sequence[np.ndarray]) -> Batch:
    """Put utterances, each `[row, dimension]`, side by side."""
    lengths = [len(rows) for rows in utterances]
    padded = np.zeros((max(lengths), len(utterances), utterances[0].shape[1]), np.float32)
    for place, rows in enumerate(utterances):
        padded[: len(rows), place] = rows
    return Batch(torch.from_numpy(padded), torch.tensor(lengths))


def load_batch(reader: RowReader, scale: Scale, utterance_ids: Sequence[str]) -> Batch:
    """Read, standardize and pad the rows of a few utterances."""
    return pad([scale.apply(reader.rows(utterance_id)) for utterance_id in utterance_ids])


def group_by_length(
    lengths: Mapping[str, int], utterance_ids: Sequence[str], size: int
) -> list[list[str]]:
    """Cut utterances, sorted by length and id, into groups of `size`; the last may be smaller."""
    ordered = sorted(utterance_ids, key=lambda name: (lengths[name], name))
    return [ordered[first : first + size] for first in range(0, len(ordered), size)]


def endless_order(groups: int, random: np.random.Generator) -> Iterator[int]:
    """Give positions of groups for ever: each pass takes every group once, in a new order."""
    while True:
        yield from (int(place) for place in random.permutation(groups))
