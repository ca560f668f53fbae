"""A trained model as a folder that any program can load, by the convention of model hubs.

model.safetensors   networks only: no table of mu2, no optimizer
config.json         what is needed to use them: the sections fbank, segments and model, the mean
                    and standard deviation of the training frames, where the model comes from,
                    and, where known, the mu2 of clean speech and a calibration of scores
README.md           the same for people: the model card

Nothing is unpickled, and equal trainings give equal bytes: no time, no host, no path.
"""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fhvae.errors import ArtifactError, ParamsError
from fhvae.features.normalize import Normalizer, read_normalizer
from fhvae.files.atomic import check_readable, new_file, new_folder, read_json, write_json
from fhvae.model.card import Origin, card
from fhvae.model.network import FHVAE
from fhvae.params.fbank import FbankParams
from fhvae.params.latents import Mu2Rule
from fhvae.params.model import ModelParams
from fhvae.params.reading import from_mapping
from fhvae.params.segments import SegmentsParams

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
OLD_WEIGHTS, OLD_CONFIG = "weights.safetensors", "model.json"  # of version 0.1
NORMALIZER = "normalizer.json"  # of frames; of a model folder of version 0.1 too

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """A cosine becomes a log-likelihood ratio in nats: `scale * cosine + offset`."""

    scale: float
    offset: float


def _no_change() -> Normalizer:
    return Normalizer(mean=np.zeros(1), std=np.ones(1))


@dataclass(frozen=True)
class TrainedModel:
    """Networks with what is needed to feed them.

    Attributes:
        mu2: how that of an utterance comes of its segments, `latents.mu2`.
        normalizer: of the frames; one that changes nothing for networks that were in no folder.
        origin: what they were trained on.
        clean_mu2: `[z2]`, mean over clean training utterances; None where it is not known.
        calibration: of cosines of two mu2; None where it is not known.
    """

    network: FHVAE
    segments: SegmentsParams
    fbank: FbankParams
    mu2: Mu2Rule = "mean"
    normalizer: Normalizer = field(default_factory=_no_change)
    origin: Origin = field(default_factory=Origin)
    clean_mu2: np.ndarray | None = None
    calibration: Calibration | None = None


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    model: ModelParams,
    segments: SegmentsParams,
    fbank: FbankParams,
    normalizer: Path,
    origin: Origin = Origin(),  # noqa: B008  (frozen)
    clean_mu2: np.ndarray | None = None,
    calibration: Calibration | None = None,
) -> None:
    """Write a model folder; equal weights give equal bytes.

    Args:
        folder: replaced if it is there.
        weights: of `FHVAE`.
        model, segments, fbank: sections that the weights were trained with.
        normalizer: file of the training frames.
        origin, clean_mu2, calibration: as in `TrainedModel`.
    """
    from safetensors.torch import save_file

    frames = read_normalizer(normalizer)
    config: dict[str, Any] = {
        "model_type": "fhvae",
        "fbank": dataclasses.asdict(fbank),
        "model": dataclasses.asdict(model),
        "segments": dataclasses.asdict(segments),
        "normalizer": {"mean": frames.mean.tolist(), "std": frames.std.tolist()},
        "origin": dataclasses.asdict(origin),
    }
    if clean_mu2 is not None:
        config["clean_mu2"] = np.asarray(clean_mu2, np.float64).tolist()
    if calibration is not None:
        config["calibration"] = dataclasses.asdict(calibration)
    with new_folder(folder) as partial:
        ordered = {name: weights[name].contiguous().cpu() for name in sorted(weights)}
        with new_file(partial / WEIGHTS) as whole:
            save_file(ordered, whole)
        write_json(partial / CONFIG, config)
        count = sum(weight.numel() for weight in ordered.values())
        text = card(origin, model, segments, fbank, count)
        (partial / CARD).write_text(text, encoding="utf-8")


def is_model(folder: Path) -> bool:
    """Tell whether a folder holds a model, of this version or of 0.1."""
    return (folder / CONFIG).exists() or (folder / OLD_CONFIG).exists()


def weights_of(folder: Path) -> Path:
    """Name the file of the networks in a model folder."""
    return folder / (WEIGHTS if (folder / CONFIG).exists() else OLD_WEIGHTS)


def read_model(folder: Path, device: torch.device, mu2: Mu2Rule = "mean") -> TrainedModel:
    """Read a model folder, ready for inference; `mu2` as in `TrainedModel`.

    Raises:
        ArtifactError: a file is missing, broken, or does not fit the others.
    """
    old = (folder / OLD_CONFIG).exists() and not (folder / CONFIG).exists()
    weights, config_path = weights_of(folder), folder / (OLD_CONFIG if old else CONFIG)
    config, source = read_json(config_path), str(config_path)
    try:
        fbank = from_mapping(FbankParams, config.get("fbank"), source, "fbank")
        model = from_mapping(ModelParams, config.get("model"), source, "model")
        segments = from_mapping(SegmentsParams, config.get("segments"), source, "segments")
        origin = from_mapping(Origin, config["origin"], source, "origin") if not old else Origin()
    except (ParamsError, KeyError) as error:
        raise ArtifactError(f"{error}; rerun the stage train with this version") from error
    if old:
        log.info("%s bears the file names of version 0.1, which do not say its origin", folder)
        normalizer = read_normalizer(folder / NORMALIZER)
    else:
        normalizer = _normalizer(config, source)
    return TrainedModel(
        network=_read_network(weights, config_path.name, fbank, segments, model).to(device),
        segments=segments,
        fbank=fbank,
        mu2=mu2,
        normalizer=_of_bands(normalizer, fbank.mels, source),
        origin=origin,
        clean_mu2=_clean_mu2(config, model, source),
        calibration=_calibration(config, source),
    )


def with_weights(
    weights: Mapping[str, Tensor],
    model: ModelParams,
    segments: SegmentsParams,
    fbank: FbankParams,
    device: torch.device,
) -> TrainedModel:
    """Make networks of weights that were just trained, ready for inference."""
    network = FHVAE(fbank.mels, segments.frames, model)
    network.load_state_dict(dict(weights))
    return TrainedModel(network.to(device).eval().requires_grad_(False), segments, fbank)


def _read_network(
    path: Path, config: str, fbank: FbankParams, segments: SegmentsParams, model: ModelParams
) -> FHVAE:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = FHVAE(fbank.mels, segments.frames, model)
    check_readable(path, "train")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{path} does not fit {config}: {reason}") from error
    return network.eval().requires_grad_(False)


def _normalizer(config: Mapping[str, Any], source: str) -> Normalizer:
    try:
        mean, std = (np.array(config["normalizer"][key], np.float64) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{source}: normalizer must hold mean and std ({error}); rerun the stage train"
        ) from error
    return Normalizer(mean=mean, std=std)


def _of_bands(normalizer: Normalizer, mels: int, source: str) -> Normalizer:
    shape = (mels,)
    values = np.stack([normalizer.mean, normalizer.std]) if normalizer.mean.shape == shape else None
    if normalizer.std.shape != shape or values is None or not np.isfinite(values).all():
        raise ArtifactError(
            f"{source}: the normalizer must hold a finite mean and std for each of fbank.mels="
            f"{mels} bands, it does not; rerun the stage train"
        )
    if not (normalizer.std > 0).all():
        raise ArtifactError(f"{source}: every std must be above 0; rerun the stage train")
    return normalizer


def _clean_mu2(config: Mapping[str, Any], model: ModelParams, source: str) -> np.ndarray | None:
    if "clean_mu2" not in config:
        return None
    try:
        found = np.array(config["clean_mu2"], np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (model.z2,) or not np.isfinite(found).all():
        raise ArtifactError(
            f"{source}: clean_mu2 must be model.z2={model.z2} finite numbers; rerun the stage train"
        )
    return found


def _calibration(config: Mapping[str, Any], source: str) -> Calibration | None:
    if "calibration" not in config:
        return None
    try:
        return from_mapping(Calibration, config["calibration"], source, "calibration")
    except ParamsError as error:
        raise ArtifactError(str(error)) from error
