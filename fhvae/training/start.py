"""Where a training starts from: weights that were trained before, `training.from`.

Only the networks go on. The table of mu2 belongs to the utterances of its corpus and is made
anew, and Adam has no moments yet. Frames are normalized by the train statistics of the corpus
that is trained on now, and so is the model that comes of it: the networks see what they were
trained to see, bands of mean 0 and standard deviation 1, and a new room or microphone is taken
off by the normalizer before a weight must move. On the corpus of before nothing changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fhvae.errors import ParamsError
from fhvae.files.atomic import file_digest
from fhvae.model.weights import is_model, read_model, weights_of
from fhvae.params.fbank import FbankParams
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams

KEYS = {  # in which both must agree, by section
    "fbank": ("window_ms", "hop_ms", "fft_size", "mels", "preemphasis", "power", "log_floor"),
    "model": ("cell", "layers", "cells", "z1", "z2"),
}
DENSE_KEYS = {**KEYS, "segments": ("frames",)}  # where all frames of a segment have weights


@dataclass(frozen=True)
class Start:
    """Weights of `FHVAE`, and a hash of their file; None where weights are drawn."""

    weights: Mapping[str, Tensor] | None = None
    digest: str | None = None


def read_start(
    folder: str | None, model: ModelParams, segments: SegmentsParams, fbank: FbankParams
) -> Start:
    """Read the weights of `training.from`, which networks of these sections can take.

    Raises:
        ParamsError: there is no model, or its frames or networks are of another size or kind.
        ArtifactError: the model is broken.
    """
    if folder is None:
        return Start()
    place = Path(folder)
    if not is_model(place):
        raise ParamsError(f"training.from must name a model folder, {folder} is none")
    found = read_model(place, torch.device("cpu"))
    theirs = {"fbank": found.fbank, "model": found.network.params, "segments": found.segments}
    own = {"fbank": fbank, "model": model, "segments": segments}
    different = [
        f"{key} is {getattr(theirs[key.section], key.name)} there and "
        f"{getattr(own[key.section], key.name)} here"
        for key in _keys(model)
        if getattr(theirs[key.section], key.name) != getattr(own[key.section], key.name)
    ]
    if different:
        raise ParamsError(
            f"training.from: networks and frames must be those of {folder}, "
            f"{', '.join(different)}; set them to what is there, or train from the start"
        )
    return Start(dict(found.network.state_dict()), file_digest(weights_of(place)))


@dataclass(frozen=True)
class _Key:
    section: str
    name: str

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"


def _keys(model: ModelParams) -> Iterator[_Key]:
    for section, names in (DENSE_KEYS if model.cell == "dense" else KEYS).items():
        yield from (_Key(section, name) for name in names)
