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
from fhvae.features.normalize import Normalizer, normalizer_of, read_normalizer
from fhvae.files.atomic import new_folder, read_json, write_json
from fhvae.files.sums import SUMS, check_file
from fhvae.files.tensors import Kind, headers, read_tensors, write_tensors
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
READ = (CONFIG, WEIGHTS, OLD_CONFIG, OLD_WEIGHTS, NORMALIZER)  # those that are there
FILES = frozenset({*READ, CARD, SUMS})
TYPE = "fhvae"  # model_type, by the convention of hubs

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
    frames = read_normalizer(normalizer, fbank.mels)
    config: dict[str, Any] = {
        "model_type": TYPE,
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
        arrays = {name: weights[name].cpu().numpy() for name in sorted(weights)}
        write_tensors(partial / WEIGHTS, arrays)
        write_json(partial / CONFIG, config)
        count = sum(array.size for array in arrays.values())
        text = card(origin, model, segments, fbank, count)
        (partial / CARD).write_text(text, encoding="utf-8")


def is_model(folder: Path) -> bool:
    """Tell whether a folder holds a model, of this version or of 0.1."""
    return (folder / CONFIG).exists() or (folder / OLD_CONFIG).exists()


def check_replaceable(folder: Path) -> None:
    """Check that nothing but a model is lost where another takes its place.

    Raises:
        ArtifactError: there is a file, or a folder that holds anything else.
    """
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.is_file() or found - FILES or (found and not _is_of_fhvae(folder)):
        named = f" ({min(found - FILES)})" if found - FILES else ""
        raise ArtifactError(
            f"{folder} must be a new folder or that of a model and nothing else, it holds other "
            f"things{named}; name another folder"
        )


def _is_of_fhvae(folder: Path) -> bool:
    """Tell a model of ours from what else has a config.json; one of 0.1 does not say its type."""
    try:
        if (folder / CONFIG).exists():
            return read_json(folder / CONFIG).get("model_type") == TYPE
        return {"fbank", "model", "segments"} <= read_json(folder / OLD_CONFIG).keys()
    except ArtifactError:
        return False


def weights_of(folder: Path) -> Path:
    """Name the file of the networks in a model folder."""
    return folder / (WEIGHTS if (folder / CONFIG).exists() else OLD_WEIGHTS)


@dataclass(frozen=True)
class Config:
    """What config.json says; attributes as of `TrainedModel`."""

    fbank: FbankParams
    model: ModelParams
    segments: SegmentsParams
    origin: Origin
    normalizer: Normalizer
    clean_mu2: np.ndarray | None
    calibration: Calibration | None


def read_config(folder: Path) -> Config:
    """Read what stands beside the weights of a model folder.

    Raises:
        ArtifactError: the file is missing or broken.
    """
    old = (folder / OLD_CONFIG).exists() and not (folder / CONFIG).exists()
    path = folder / (OLD_CONFIG if old else CONFIG)
    config, source = read_json(path, "train"), str(path)
    try:
        fbank = from_mapping(FbankParams, config.get("fbank"), source, "fbank")
        model = from_mapping(ModelParams, config.get("model"), source, "model")
        segments = from_mapping(SegmentsParams, config.get("segments"), source, "segments")
        origin = (
            from_mapping(Origin, config.get("origin"), source, "origin") if not old else Origin()
        )
    except ParamsError as error:
        raise ArtifactError(f"{error}; rerun the stage train with this version") from error
    if old:
        log.info("%s bears the file names of version 0.1, which do not say its origin", folder)
        normalizer = read_normalizer(folder / NORMALIZER, fbank.mels)
    else:
        where = f"{source}: normalizer"
        normalizer = normalizer_of(config.get("normalizer", {}), where, fbank.mels, "train")
    return Config(
        fbank,
        model,
        segments,
        origin,
        normalizer,
        _clean_mu2(config, model, source),
        _calibration(config, source),
    )


def read_model(folder: Path, device: torch.device, mu2: Mu2Rule = "mean") -> TrainedModel:
    """Read a model folder, ready for inference; `mu2` as in `TrainedModel`.

    Raises:
        ArtifactError: a file is missing, broken, not as SHA256SUMS says where that is there, or
            does not fit the others.
    """
    for name in READ:
        check_file(folder / name)
    found = read_config(folder)
    return TrainedModel(
        network=_read_network(weights_of(folder), found).to(device),
        segments=found.segments,
        fbank=found.fbank,
        mu2=mu2,
        normalizer=found.normalizer,
        origin=found.origin,
        clean_mu2=found.clean_mu2,
        calibration=found.calibration,
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


def _read_network(path: Path, config: Config) -> FHVAE:
    """Make the networks of a config of weights that fit them.

    The sizes are held against the file before memory is asked for them.
    """
    parts = config.fbank.mels, config.segments.frames, config.model
    if config.model.layers > len(headers(path, "train")):
        raise ArtifactError(
            f"{path} must hold model.layers={config.model.layers} layers, it does not; "
            "rerun the stage train"
        )
    with torch.device("meta"):
        try:
            sizes = FHVAE(*parts).state_dict()
        except RuntimeError as error:  # a product of sizes that no number holds
            reason = " ".join(str(error).split())
            raise ArtifactError(
                f"{path} must hold networks of the sizes of its config ({reason:.80}); rerun the "
                "stage train"
            ) from error
    kinds = {
        name: Kind("float32", " ".join(map(str, weight.shape))) for name, weight in sizes.items()
    }
    arrays = read_tensors(path, kinds, "train").arrays
    network = FHVAE(*parts)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network.eval().requires_grad_(False)


def _clean_mu2(config: Mapping[str, Any], model: ModelParams, source: str) -> np.ndarray | None:
    if "clean_mu2" not in config:
        return None
    try:
        found = np.array(config["clean_mu2"], np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != (model.z2,) or not (np.abs(found) <= np.finfo(np.float32).max).all():
        raise ArtifactError(
            f"{source}: clean_mu2 must be model.z2={model.z2} finite numbers of float32; rerun the "
            "stage train"
        )
    return found


def _calibration(config: Mapping[str, Any], source: str) -> Calibration | None:
    if "calibration" not in config:
        return None
    try:
        return from_mapping(Calibration, config["calibration"], source, "calibration")
    except ParamsError as error:
        raise ArtifactError(str(error)) from error
