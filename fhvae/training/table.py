"""The table of mu2: one trained vector per sequence that is trained on.

It lives and dies with training; a model is used without it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import FHVAE
from fhvae.model.objective import infer_mu2
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.segments import Segments, gather, grid_segments
from fhvae.training.batches import SequenceData

INFERENCE_BATCH = 1024  # segments; bounds memory, changes no result that matters


def new_table(sequences: int, model: ModelParams, device: torch.device) -> nn.Parameter:
    """Draw the paper's table, N(0, mu2_std^2), from PyTorch's global generator."""
    return nn.Parameter((model.mu2_std * torch.randn(sequences, model.z2)).to(device))


def sequence_grid(data: SequenceData, segments: SegmentsParams) -> Segments:
    """Cut a split on the grid from which mu2 is inferred."""
    return grid_segments(data.offsets, data.lengths, segments.frames, segments.shift)


def z2_posteriors(
    network: FHVAE, data: SequenceData, grid: Segments, segment_frames: int
) -> Iterator[DiagonalGaussian]:
    """Infer q(z2 | x) of the segments of a grid, `INFERENCE_BATCH` at a time."""
    starts, _ = data.on_device(grid)
    for part in torch.split(starts, INFERENCE_BATCH):
        yield network.encode_z2(gather(data.frames, part, segment_frames))


def table_of_means(
    z2_means: Tensor, data: SequenceData, grid: Segments, model: ModelParams
) -> Tensor:
    """Infer the mu2 of every sequence from the means of q(z2 | x) on a grid, `[sequence, z2]`.

    The row of a sequence that is not in `data` is 0.
    """
    shrinkage = (model.z2_std / model.mu2_std) ** 2
    rows, place = (
        torch.from_numpy(found).to(z2_means.device)
        for found in np.unique(data.sequence[grid.utterance], return_inverse=True)
    )
    inferred = infer_mu2(z2_means, place, len(rows), shrinkage)
    return inferred.new_zeros(data.sequences, inferred.shape[1]).index_copy(0, rows, inferred)


@torch.no_grad()
def closed_form_table(network: FHVAE, data: SequenceData, segments: SegmentsParams) -> Tensor:
    """Infer the table from the current z2 encoder, as `table_of_means` does.

    Done at the start of each pass over all sequences this is hierarchical sampling with one
    block (paper-map: hierarchical-sampling, mu2-table), and what keeps z2 from collapsing
    (docs/decisions/0004-mu2-table.md).
    """
    grid = sequence_grid(data, segments)
    means = [z2.mean for z2 in z2_posteriors(network, data, grid, segments.frames)]
    return table_of_means(torch.cat(means), data, grid, network.params)
