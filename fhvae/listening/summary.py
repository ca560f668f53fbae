"""What was measured of conversions and denoisings -> metrics, tables and sounds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.files.sounds import new_sound
from fhvae.listening.conversions import Converted
from fhvae.listening.denoisings import Denoised
from fhvae.listening.pairs import Pair, mean_over_pairs

# by what each sum is divided, where it is a share
SHARES = {"phone_edits": "phones", "word_edits": "words"}
HIGHER = frozenset({"si_sdr", "stoi", "naturalness"})  # better; so are voice_ and nearer_
NEITHER = "neither"

Item = Converted | Denoised


def summarize(items: Sequence[Item], first: str) -> dict[str, Any]:
    """Average every measure of every method, and subtract from one method each other.

    Differences are paired, and their intervals leave out a speaker at a time; a method is called
    better only where the interval excludes 0.

    Args:
        items: at least one.
        first: the method of FHVAE, from which others are subtracted.
    """
    methods = list(items[0].rows)
    speakers = {name for one in items for name in (one.pair.source, one.pair.target)}
    found: dict[str, Any] = {"utterances": len(items), "speakers": len(speakers)}
    for method in methods:
        found[method] = {}
        for measure in _measures(items, (method,)):
            pairs, values, weights = _values(items, method, measure)
            found[method] |= mean_over_pairs(pairs, values, weights).metrics(measure)
    others = [method for method in methods if method != first]
    found["difference"] = {f"{first}-{other}": _difference(items, first, other) for other in others}
    return found


def _measures(items: Sequence[Item], methods: Sequence[str]) -> list[str]:
    """Name what was measured of one utterance at least, by all these methods."""
    known = [set.intersection(*(set(one.rows[name]) for name in methods)) for one in items]
    return sorted(set().union(*known) - set(SHARES.values()))


def _values(
    items: Sequence[Item], method: str, measure: str, minus: str | None = None
) -> tuple[list[Pair], np.ndarray, np.ndarray | None]:
    """Take a measure where it is known, less that of another method, and what it is a share of."""
    methods = (method,) if minus is None else (method, minus)
    known = [one for one in items if all(measure in one.rows[name] for name in methods)]
    values = np.array([one.rows[method][measure] for one in known])
    if minus is not None:
        values = values - np.array([one.rows[minus][measure] for one in known])
    weights = None
    if measure in SHARES:
        weights = np.array([one.rows[method][SHARES[measure]] for one in known])
    return [one.pair for one in known], values, weights


def _difference(items: Sequence[Item], first: str, other: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for measure in _measures(items, (first, other)):
        pairs, values, weights = _values(items, first, measure, other)
        interval = mean_over_pairs(pairs, values, weights)
        found[measure] = dict(interval.metrics("value"))
        if interval.low is not None:
            wins = interval.is_above_zero if _is_higher_better(measure) else interval.is_below_zero
            better = (first if wins else other) if interval.excludes_zero else NEITHER
            found[measure]["better"] = better
    return found


def _is_higher_better(measure: str) -> bool:
    return measure in HIGHER or measure.startswith(("voice_", "nearer_"))


def summarize_ratios(items: Sequence[Denoised], first: str) -> dict[str, Any]:
    """Summarize denoisings by their domain, `noise20` and so on."""
    domains = dict.fromkeys(one.domain for one in items)
    return {
        name: summarize([one for one in items if one.domain == name], first) for name in domains
    }


def table(items: Iterable[Item]) -> pd.DataFrame:
    """Lay out a row per utterance and method, values to six significant digits."""
    rows = []
    for one in items:
        domain = {"domain": one.domain} if isinstance(one, Denoised) else {}
        who = {**domain, "utterance_id": one.source, **vars(one.pair)}
        for method, row in one.rows.items():
            rows.append({**who, "method": method, **{k: f"{v:.6g}" for k, v in row.items()}})
    return pd.DataFrame(rows)


def write_sounds(folder: Path, items: Iterable[Item]) -> None:
    """Write the sounds that were kept, `convert-1-fhvae.flac`, `noise5-1-noisy.flac`."""
    numbers: Counter[str] = Counter()
    for one in items:
        if one.sounds:
            kind = one.domain if isinstance(one, Denoised) else "convert"
            numbers[kind] += 1
            for method, samples in one.sounds.items():
                write_flac(folder / f"{kind}-{numbers[kind]}-{method}.flac", samples)


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write `[sample]` int16 at 16 kHz as FLAC, of bytes that depend on no processor.

    At the lowest compression an encoder predicts in whole numbers; above, it fits predictors in
    floating point, with other instructions on another processor.
    """
    with new_sound(path, SAMPLE_RATE_HZ, 1, "PCM_16", "FLAC", compression_level=0.0) as file:
        file.write(samples)
