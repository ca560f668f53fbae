"""A trained model as a folder that any program can load.

weights.safetensors   networks only: no table of mu2, no optimizer
model.json            the params sections fbank, segments and model
normalizer.json       mean and standard deviation per mel band, from train
"""

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fhvae.errors import ArtifactError, ParamsError
from fhvae.files.atomic import check_readable, new_file, new_folder, read_json, write_json
from fhvae.model.network import FHVAE
from fhvae.params.fbank import FbankParams
from fhvae.params.latents import Mu2Rule
from fhvae.params.model import ModelParams
from fhvae.params.reading import from_mapping
from fhvae.params.segments import SegmentsParams

WEIGHTS, CONFIG, NORMALIZER = "weights.safetensors", "model.json", "normalizer.json"


@dataclass(frozen=True)
class TrainedModel:
    """Networks with what is needed to feed them.

    Attributes:
        mu2: how that of an utterance comes of its segments, `latents.mu2`.
    """

    network: FHVAE
    segments: SegmentsParams
    fbank: FbankParams
    mu2: Mu2Rule = "mean"


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    model: ModelParams,
    segments: SegmentsParams,
    fbank: FbankParams,
    normalizer: Path,
) -> None:
    """Write a model folder; equal weights give equal bytes."""
    from safetensors.torch import save_file

    with new_folder(folder) as partial:
        ordered = {name: weights[name].contiguous().cpu() for name in sorted(weights)}
        with new_file(partial / WEIGHTS) as whole:
            save_file(ordered, whole)
        config = {
            "fbank": dataclasses.asdict(fbank),
            "model": dataclasses.asdict(model),
            "segments": dataclasses.asdict(segments),
        }
        write_json(partial / CONFIG, config)
        shutil.copyfile(normalizer, partial / NORMALIZER)


def read_model(folder: Path, device: torch.device, mu2: Mu2Rule = "mean") -> TrainedModel:
    """Read a model folder, ready for inference; `mu2` as in `TrainedModel`.

    Raises:
        ArtifactError: a file is missing, broken, or does not fit the others.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source, config = str(folder / CONFIG), read_json(folder / CONFIG)
    try:
        fbank = from_mapping(FbankParams, config.get("fbank"), source, "fbank")
        model = from_mapping(ModelParams, config.get("model"), source, "model")
        segments = from_mapping(SegmentsParams, config.get("segments"), source, "segments")
    except ParamsError as error:
        raise ArtifactError(f"{error}; rerun the stage train with this version") from error
    network = FHVAE(fbank.mels, segments.frames, model)
    check_readable(folder / WEIGHTS, "train")
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{folder / WEIGHTS} does not fit {CONFIG}: {reason}") from error
    return TrainedModel(
        network=network.to(device).eval().requires_grad_(False),
        segments=segments,
        fbank=fbank,
        mu2=mu2,
    )
