"""How segments are heard in training: levers against what a session tells, each off by default.

gain_db          a segment is louder or softer, by up to so many decibels
noise_floor_db   a floor of noise of the mean spectrum of train, so many decibels from it
mask_mels        the encoders do not see a band of up to so many mels; the decoder generates it

Gain and floor change what is modeled. A mask changes what the posteriors know, and the bound
stays that of all mels. The draws are those of a pass, each lever's from a stream of its own: a
resume needs no memory of them, and no lever moves another's.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fhvae.features.normalize import Normalizer
from fhvae.params.training import TrainingParams
from fhvae.seeds import generator

DECIBEL = math.log(10) / 20  # of an amplitude, in natural logarithm


def decibel_of(normalizer: Normalizer, power: float) -> Float[Tensor, " mel"]:
    """Say what a decibel is in normalized frames, per band.

    Args:
        normalizer: of the frames.
        power: `fbank.power`, of the magnitude that the mel sum takes.
    """
    return torch.from_numpy(DECIBEL * power / normalizer.std).float()


@dataclass(frozen=True)
class Hearing:
    """How the segments of a pass are heard; None where a lever is off.

    Attributes:
        gain_db, floor_db: `[batch, segment]` float32.
        hidden: `[batch, segment, 2]` int64, the first band that is hidden and the one after.
    """

    gain_db: Tensor | None
    floor_db: Tensor | None
    hidden: Tensor | None


class Augmentation:
    """The levers of a run."""

    def __init__(
        self, training: TrainingParams, seed: int, rank: int, decibel: Tensor | None
    ) -> None:
        """Take the levers from `training`; `decibel` (`decibel_of`) is needed by two of them."""
        self.training, self.decibel = training, decibel
        self._seed, self._ranks = seed, [rank] if rank else []
        if decibel is None and (training.gain_db or training.noise_floor_db):
            raise ValueError("training.gain_db and noise_floor_db need the scale of the frames")

    def draw(self, number: int, starts: Tensor, mels: int) -> Hearing:
        """Draw for pass `number`, on the host, as the segments `starts` `[batch, segment]` are."""
        training, shape = self.training, tuple(starts.shape)
        gain = floor = hidden = None
        if training.gain_db:
            random = generator(self._seed, "gain", number, *self._ranks)
            gain = random.uniform(-training.gain_db, training.gain_db, shape)
        if training.noise_floor_db:
            random = generator(self._seed, "noise floor", number, *self._ranks)
            low, high = training.noise_floor_db
            floor = random.uniform(low, high, shape)
        if training.mask_mels:
            random = generator(self._seed, "mask", number, *self._ranks)
            width = random.integers(0, training.mask_mels, shape, endpoint=True)
            first = random.integers(0, mels - width, endpoint=True)
            hidden = np.stack([first, first + width], axis=-1)

        def moved(drawn: np.ndarray | None, kind: torch.dtype) -> Tensor | None:
            return None if drawn is None else torch.from_numpy(drawn).to(starts.device, kind)

        return Hearing(
            moved(gain, torch.float32), moved(floor, torch.float32), moved(hidden, torch.int64)
        )

    def change(
        self, segments: Float[Tensor, "frame segment mel"], hearing: Hearing, batch: int
    ) -> Float[Tensor, "frame segment mel"]:
        """Change the level of the segments of a batch, then add the floor: powers add."""
        if hearing.gain_db is not None:
            segments = segments + hearing.gain_db[batch][:, None] * self._decibel
        if hearing.floor_db is not None:
            powers = 2 * DECIBEL / self._decibel  # natural logarithm of a power per unit, by band
            floor = 2 * DECIBEL * hearing.floor_db[batch][:, None]
            segments = torch.logaddexp(segments * powers, floor) / powers
        return segments

    @property
    def _decibel(self) -> Tensor:
        assert self.decibel is not None
        return self.decibel

    def hide(
        self, segments: Float[Tensor, "frame segment mel"], hearing: Hearing, batch: int
    ) -> tuple[Tensor, ...]:
        """Give what the encoders see, the hidden bands at their mean, 0; nothing if it is all."""
        if hearing.hidden is None:
            return ()
        first, end = hearing.hidden[batch].unsqueeze(-1).unbind(1)  # [segment, 1] each
        band = torch.arange(segments.shape[2], device=segments.device)
        return (segments.masked_fill((band >= first) & (band < end), 0.0),)
