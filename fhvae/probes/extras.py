"""What the stage probe reports beside probes: geometry of the codes, their use, and ABX."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from fhvae.artifacts import Packed
from fhvae.corpus.store import Corpus
from fhvae.errors import TrialError
from fhvae.inference import infer_latents
from fhvae.latents import Latents
from fhvae.model.weights import TrainedModel
from fhvae.probes.abx import (
    NO_LIBRARY,
    Timing,
    abx_errors,
    abx_metrics,
    fit_items,
    is_available,
    triphones,
)
from fhvae.probes.geometry import ResidualCurve, measure_geometry
from fhvae.probes.pitch import measure_pitch
from fhvae.probes.summary import Plan

LEFT_OUT = "left out by protocol: headline"
NO_TRIPHONES = "no run of three phones without a pause lies within a test utterance"
NO_PHONES = "the corpus has no phone times"

log = logging.getLogger(__name__)


def measure_f0(corpus: Corpus) -> dict[str, float | None]:
    """Measure the mean log F0 of all utterances of train, dev and test."""
    found: dict[str, float | None] = {}
    for split in ("train", "dev", "test"):
        found |= measure_pitch(corpus.samples(split))
    return found


def geometry_of(plan: Plan, absent: dict[str, str]) -> dict[str, ResidualCurve]:
    """Measure the geometry on the phone task; where there is none, note why in `absent`."""
    task = next((one for one in plan.tasks if one.name == "phone"), None)
    try:
        if task is None:
            raise TrialError(NO_PHONES)
        return measure_geometry(task)
    except TrialError as error:
        absent["geometry"] = str(error)
        return {}


def abx_of(
    corpus: Corpus,
    frames: Packed,
    networks: Mapping[str, TrainedModel],
    seed: int,
    everything: bool,
    absent: dict[str, str],
) -> dict[str, object]:
    """Compare triphones of the test split by ABX; where that is not possible, note why.

    Args:
        corpus: with phone times.
        frames: normalized, of the test split; the code `fbank`.
        networks: by name; each gives z1 at every frame.
        seed: of the run.
        everything: whether the protocol asks for it.
        absent: takes the reason.

    Returns:
        Metrics by code, or nothing.
    """
    reasons = ((not everything, LEFT_OUT), (not corpus.phones, NO_PHONES))
    for no, reason in (*reasons, (not is_available(), NO_LIBRARY)):
        if no:
            absent["abx"] = reason
            return {}
    hop_ms = next(iter(networks.values())).fbank.hop_ms
    speakers = {one.utterance_id: one.speaker for one in corpus.split("test")}
    items = triphones(corpus.phones, speakers)
    errors, counts = {}, {}
    for name, (codes, timing) in _abx_codes(frames, networks, hop_ms).items():
        fitted = fit_items(items, timing, {key: len(code) for key, code in codes.items()})
        log.info("abx of %s: %d triphones of %d", name, len(fitted), len(items))
        if len(fitted) == 0:
            absent["abx"] = NO_TRIPHONES
            return {}
        errors[name], counts[name] = abx_errors(codes, fitted, hop_ms, seed), len(fitted)
    return abx_metrics(errors, counts)


def _abx_codes(
    frames: Packed, networks: Mapping[str, TrainedModel], hop_ms: float
) -> dict[str, tuple[dict[str, np.ndarray], Timing]]:
    """Give frames, and z1 at each frame where a segment fits around it."""
    plain = {name: np.array(rows) for name, rows in frames.items()}
    found = {"fbank": (plain, Timing(hop_ms, 0))}
    for name, network in networks.items():
        latents = infer_latents(network, frames, shift=1)
        first = int(latents.centre_frames[0])
        found[name] = (_by_utterance(latents), Timing(hop_ms, first))
    return found


def _by_utterance(latents: Latents) -> dict[str, np.ndarray]:
    return {name: latents.z1_mean[segments] for name, segments in latents.slices()}


def extra_metrics(
    curves: Mapping[str, ResidualCurve], usages: Mapping[str, Any], abx: Mapping[str, object]
) -> dict[str, Any]:
    """Lay out what is not a probe."""
    found: dict[str, Any] = {
        "geometry": {name: {"phone_variance_kept": curve.kept} for name, curve in curves.items()},
        "usage": {name: usage.metrics() for name, usage in usages.items()},
        "abx": dict(abx),
    }
    return {name: part for name, part in found.items() if part}
