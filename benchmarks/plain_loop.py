"""The shortest loop that trains the default model: what the project's step is compared with.

Nothing but nn.LSTM, nn.Linear, a table and the formulas; no checks, no curve, no passes,
and no log p(mu2), which costs nothing.
"""

import torch
from torch import Tensor, nn

from fhvae.params.model import ModelParams


class PlainStep:
    """One step of a plain FHVAE of single LSTM layers at alpha 10."""

    def __init__(
        self, mels: int, sequences: int, params: ModelParams, learning_rate: float
    ) -> None:
        cells, self.z1, self.z2 = params.cells, params.z1, params.z2
        self.lstm2 = nn.LSTM(mels, cells)
        self.lstm1 = nn.LSTM(mels + self.z2, cells)
        self.lstm_x = nn.LSTM(self.z1 + self.z2, cells)
        self.head2, self.head1 = nn.Linear(cells, 2 * self.z2), nn.Linear(cells, 2 * self.z1)
        self.head_x = nn.Linear(cells, 2 * mels)
        parts = (self.lstm2, self.lstm1, self.lstm_x, self.head2, self.head1, self.head_x)
        weights = [weight for part in parts for weight in part.parameters()]
        self.table = nn.Parameter(torch.zeros(sequences, self.z2))
        weights.append(self.table)
        self.optimizer = torch.optim.Adam(weights, learning_rate, (0.95, 0.999), fused=True)

    def __call__(self, x: Tensor, sequence: Tensor) -> float:
        """Train on one batch, `[frame, segment, mel]`; returns the loss."""
        frames, segments, _ = x.shape
        m2, v2 = self.head2(self.lstm2(x)[1][0][-1]).chunk(2, dim=1)
        z2 = m2 + (v2 / 2).exp() * torch.randn_like(m2)
        x_z2 = torch.cat([x, z2.expand(frames, -1, -1)], dim=2)
        m1, v1 = self.head1(self.lstm1(x_z2)[1][0][-1]).chunk(2, dim=1)
        z1 = m1 + (v1 / 2).exp() * torch.randn_like(m1)
        fed = torch.cat([z1, z2], dim=1).expand(frames, -1, -1)
        m, v = self.head_x(self.lstm_x(fed)[0]).chunk(2, dim=2)
        loss = 0.5 * (v + (x - m).square() / v.exp()).sum()
        loss = loss + 0.5 * (v1.exp() + m1.square() - 1 - v1).sum()
        loss = loss + 0.5 * ((v2.exp() + (m2 - self.table[sequence]).square()) * 4 - 1 - v2).sum()
        logits = 4 * m2 @ self.table.T - 2 * self.table.square().sum(dim=1)
        loss = loss + 10 * nn.functional.cross_entropy(logits, sequence, reduction="sum")
        self.optimizer.zero_grad()
        (loss / segments).backward()
        self.optimizer.step()
        return float(loss.detach())
