"""ABX: is a triphone nearer to another of its kind than to one that differs in the middle phone?

Within a speaker, and with X from another speaker; a code that does not know who speaks loses
little from the one to the other (Schatz et al., 2013). The distances are those of fastabx (Poli
et al., 2025): angle between frames, averaged along the best time alignment.
"""

import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fhvae.corpus.manifest import Phone, Utterance
from fhvae.corpus.phone_classes import is_silence
from fhvae.corpus.store import Corpus
from fhvae.errors import TrialError
from fhvae.files.atomic import temporary_folder
from fhvae.files.packed import Packed
from fhvae.inference import infer_latents
from fhvae.model.weights import TrainedModel
from fhvae.params.probes import ProbesParams
from fhvae.probes.questions import NO_PHONES

log = logging.getLogger(__name__)

NO_LIBRARY = (
    "ABX needs the library fastabx (Python 3.12 or later); install the extra abx: "
    "pip install '.[abx]'"
)
NO_TRIPHONES = "no run of three phones without a pause lies within a test utterance"
LIBRILIGHT_BUG = "FASTABX_WITH_LIBRILIGHT_BUG"  # drops the last frame of each item; ours: off
COLUMNS = ("#file", "onset", "offset", "#phone", "prev-phone", "next-phone", "speaker")


@dataclass(frozen=True)
class Timing:
    """Which moment each vector of a code describes.

    Attributes:
        hop_ms: from vector to vector.
        first_frame: frame that the first vector is centered on.
    """

    hop_ms: float
    first_frame: int


@dataclass(frozen=True)
class AbxErrors:
    """Error rates in [0, 1], chance 0.5."""

    within: float
    across: float


def is_available() -> bool:
    """Tell whether fastabx is installed."""
    return importlib.util.find_spec("fastabx") is not None


def triphones(
    phones: Mapping[str, Sequence[Phone]], utterances: Sequence[Utterance]
) -> pd.DataFrame:
    """List every run of three phones without a pause, from the first's start to the last's end.

    Args:
        phones: alignments by utterance id.
        utterances: to take them from, sorted by utterance id.

    Returns:
        The columns of an item file (`COLUMNS`), times in seconds.
    """
    rows = [
        (
            one.utterance_id, before.start_s, after.end_s,
            middle.phone, before.phone, after.phone, one.speaker,
        )
        for one in utterances
        if one.utterance_id in phones
        for before, middle, after in _threes(phones[one.utterance_id])
        if not any(is_silence(phone.phone) for phone in (before, middle, after))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _threes(phones: Sequence[Phone]) -> Iterator[tuple[Phone, Phone, Phone]]:
    return zip(phones, phones[1:], phones[2:], strict=False)


def fit_items(items: pd.DataFrame, timing: Timing, lengths: Mapping[str, int]) -> pd.DataFrame:
    """Bring item times to those of a code, and leave out items that reach beyond it.

    fastabx takes vector i to describe the moment (i + 1/2) hops. Ours is centered on frame
    `first_frame + i`, which is that many hops from the start.

    Args:
        items: of `triphones`.
        timing: of the code.
        lengths: vectors by utterance id.
    """
    hop_s = timing.hop_ms / 1000
    moved = (0.5 - timing.first_frame) * hop_s
    fitted = items.assign(
        onset=(items["onset"] + moved).round(6), offset=(items["offset"] + moved).round(6)
    )
    ends = fitted["#file"].map(lengths).fillna(0) * hop_s
    inside = (fitted["onset"] >= 0) & (fitted["offset"] <= ends)
    long_enough = fitted["offset"] - fitted["onset"] >= 2 * hop_s
    return fitted[inside & long_enough].reset_index(drop=True)


def abx_errors(
    codes: Mapping[str, np.ndarray],
    items: pd.DataFrame,
    hop_ms: float,
    params: ProbesParams,
    seed: int,
) -> AbxErrors:
    """Compute the error within and across speakers with fastabx.

    Args:
        codes: `[vector, dimension]` by utterance id.
        items: of `fit_items`, for these codes.
        hop_ms: from vector to vector.
        params: items of a cell and speakers of X, both at most.
        seed: which items are taken where a cell has more.
    """
    from fastabx import Subsampler

    context = ["prev-phone", "next-phone"]
    numbers = {one: _numbers(items[one]) for one in ("#file", "speaker")}
    with temporary_folder("fhvae-abx") as folder:
        item_file = folder / "triphones.item"
        named = items.assign(**{one: items[one].map(number) for one, number in numbers.items()})
        named.to_csv(item_file, sep=" ", index=False)
        for name, number in numbers["#file"].items():
            np.save(folder / f"{number}.npy", codes[name].astype(np.float32))
        errors = [
            _error(item_file, hop_ms, by, across, Subsampler(params.abx_items, speakers, seed))
            for by, across, speakers in (
                ([*context, "speaker"], None, None),
                (context, ["speaker"], params.abx_speakers),
            )
        ]
    return AbxErrors(*errors)


def _numbers(names: Iterable[str]) -> dict[str, str]:
    """Number names in their order: neither a file nor a cell between blanks can have any name."""
    return {name: f"n{place:06d}" for place, name in enumerate(sorted(set(names)))}


def _error(
    item_file: Path, hop_ms: float, by: list[str], across: list[str] | None, subsampler: Any
) -> float:
    """Average over contexts first, then over speakers, then over pairs of phones."""
    from fastabx import Dataset, Score, Task

    per_second = Decimal(1000) / Decimal(str(hop_ms))
    rate = int(per_second) if per_second == int(per_second) else str(per_second)
    dataset = Dataset.from_item(
        item_file, item_file.parent, rate, feature_maker=_load, extension=".npy"
    )
    task = Task(dataset, on="#phone", by=by, across=across, subsampler=subsampler)
    score = Score(task, "angular")
    return float(score.collapse(levels=[("next-phone", "prev-phone"), "speaker"]))


def _load(path: Path) -> object:
    import torch

    return torch.from_numpy(np.load(path))


def abx_metrics(errors: Mapping[str, AbxErrors], items: Mapping[str, int]) -> dict[str, object]:
    """Lay out errors by code, with the gap between speakers.

    Args:
        errors: by code.
        items: triphones compared, by code.
    """
    found: dict[str, object] = {
        name: {
            "within": one.within,
            "across": one.across,
            "across_minus_within": one.across - one.within,
            "items": items[name],
        }
        for name, one in errors.items()
    }
    return found | {"librilight_bug": bool(os.environ.get(LIBRILIGHT_BUG))}


def measure_abx(
    corpus: Corpus,
    frames: Packed,
    networks: Mapping[str, TrainedModel],
    params: ProbesParams,
    seed: int,
) -> dict[str, object]:
    """Compare triphones of the test split by ABX.

    Args:
        corpus: with phone times.
        frames: normalized, of the test split; the code `fbank`.
        networks: by name; each gives z1 at every frame.
        params: section `probes`.
        seed: of the run.

    Returns:
        Metrics by code.

    Raises:
        TrialError: there are no phone times, no triphones or no library.
    """
    if not corpus.phones:
        raise TrialError(NO_PHONES)
    if not is_available():
        raise TrialError(NO_LIBRARY)
    hop_ms = next(iter(networks.values())).fbank.hop_ms
    items = triphones(corpus.phones, corpus.split("test"))
    errors, counts = {}, {}
    for name, (codes, timing) in _abx_codes(frames, networks, hop_ms).items():
        fitted = fit_items(items, timing, {key: len(code) for key, code in codes.items()})
        log.info("abx of %s: %d triphones of %d", name, len(fitted), len(items))
        if len(fitted) == 0:
            raise TrialError(NO_TRIPHONES)
        errors[name] = abx_errors(codes, fitted, hop_ms, params, seed)
        counts[name] = len(fitted)
    return abx_metrics(errors, counts)


def _abx_codes(
    frames: Packed, networks: Mapping[str, TrainedModel], hop_ms: float
) -> dict[str, tuple[dict[str, np.ndarray], Timing]]:
    """Give frames, and z1 at each frame where a segment fits around it."""
    plain = {name: np.array(rows) for name, rows in frames.items()}
    found = {"fbank": (plain, Timing(hop_ms, 0))}
    for name, network in networks.items():
        latents = infer_latents(network, frames, shift=1)
        first = int(latents.center_frames[0])
        codes = {own: latents.z1_mean[segments] for own, segments in latents.slices()}
        found[name] = (codes, Timing(hop_ms, first))
    return found
