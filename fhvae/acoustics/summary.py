"""What was drawn for the copies: a table of every draw, counts for the metrics."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from fhvae.acoustics.noises import NoiseFolder
from fhvae.acoustics.render import Draws

DECIMALS = 6  # of what is drawn for a copy, in draws.csv
SNR_DECIMALS = 3  # of dB in metrics


def draws_table(draws: Sequence[Draws]) -> pd.DataFrame:
    """Lay draws out, one row per copy; empty cells where a domain draws no such thing."""
    columns = [item.name for item in fields(Draws)]
    rows = [[getattr(one, column) for column in columns] for one in draws]
    return pd.DataFrame(rows, columns=columns).round(DECIMALS)


def summarize(draws: Sequence[Draws]) -> dict[str, Any]:
    """Count the copies of one domain and split.

    Returns:
        `utterances`; `lowered`, those made softer to stay within full scale; with noise
        `noises` (utterances per kind), `snr_db` with `least` and `most`, and `babble_voices`,
        the fewest; in rooms the means of `rt60_s` and `direct_to_reverb_db`.
    """
    summary: dict[str, Any] = {
        "utterances": len(draws),
        "lowered": sum(one.gain < 1 for one in draws),
    }
    noises = Counter(one.noise for one in draws if one.noise)
    if noises:
        summary["noises"] = dict(noises)
        summary["snr_db"] = _spread([one.snr_db for one in draws if one.snr_db is not None])
    voices = [len(one.sources.split()) for one in draws if one.noise == "babble"]
    if voices:
        summary["babble_voices"] = min(voices)
    for name in ("rt60_s", "direct_to_reverb_db"):
        values = [getattr(one, name) for one in draws if getattr(one, name) is not None]
        if values:
            summary[name] = float(np.mean(values))
    return summary


def summarize_conditions(draws: Sequence[Draws]) -> dict[str, dict[str, Any]]:
    """Count the utterances by split and condition, as `summarize` does."""
    found: dict[str, dict[str, list[Draws]]] = {}
    for one in draws:
        found.setdefault(one.split, {}).setdefault(one.domain, []).append(one)
    return {
        split: {name: summarize(own) for name, own in sorted(by_name.items())}
        for split, by_name in found.items()
    }


def summarize_noises(noises: NoiseFolder | None) -> dict[str, Any]:
    """Count the recorded noises that could be used, and those left out for their pauses."""
    if noises is None:
        return {}
    return {"noise_recordings": {"kept": len(noises.kept), "left_out": len(noises.left_out)}}


def _spread(values: Sequence[float]) -> dict[str, float]:
    spread = {"mean": float(np.mean(values)), "least": min(values), "most": max(values)}
    return {name: round(value, SNR_DECIMALS) + 0.0 for name, value in spread.items()}  # no -0.0
