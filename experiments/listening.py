"""Lay out what judges said of conversion and denoising, with intervals over speakers.

    python -m experiments.listening      -> the tables of docs/listening.md, on the terminal

The recorded verdicts, a row per method and utterance, are in experiments/results/listening/:
conversion.csv of test speakers, conversion_dev.csv of dev speakers, which chose the setting,
conversion_levers.csv of the first four pairs of these, which narrowed the choice, denoising.csv,
reconstruction.csv. convert.json is what the stage `convert` wrote of recorded speech, and the
params that were not the default's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fhvae.intervals import Interval
from fhvae.listening.pairs import Pair, mean_over_pairs
from fhvae.report.tables import table

RESULTS = Path(__file__).parent / "results" / "listening"
CONTROL = "eq1"  # the equalizer after the pitch was moved: what a method has to beat
HEADER = (
    *("method", "pairs", "voice 1", "voice 2", "nearer 1", "nearer 2", "MOS", "phone edits"),
    *("voice 1 - control", "voice 2 - control", "MOS - control", "edits - control, points"),
)
OLD = ", of the source before its pitch was moved"
LABELS = {
    "source": "source",
    "pitch": "pitch only",
    "eq1": "*control:* pitch + equalizer",
    "eq1.5": "*control:* the same, 1.5 times",
    "gl": "decode + Griffin-Lim",
    "fhnopitch1": "gain, no pitch",
    "world": "WORLD with gain and F0",
    "fh1": "pitch + gain",
    "fh1.5": "pitch + gain, lambda 1.5",
    "fh2": "pitch + gain, lambda 2",
    "hyb1": "pitch + gain, its mean over time replaced by the equalizer's",
    "hyb1.5": "the same, lambda 1.5",
    "chyb1": "the same, lambda 1, the equalizer corrected for content",
    "chyb1.5": "the same, lambda 1.5",
    "mel0.12": "*control:* pitch + matched by log-mel, tau 0.12, no FHVAE",
    "mel0.25": "*control:* pitch + matched by log-mel, no FHVAE",
    "z10.25": "pitch + matched by z1",
    "dec0.06": "pitch + matched by decoded frames, tau 0.06",
    "dec0.12": "pitch + matched by decoded frames, tau 0.12",
    "dec0.25": "**pitch + matched by decoded frames**",
    "convert": "**`fhvae convert`**, the shipped model",
    "convert0": "`fhvae convert` with `match=0`, the shipped model",
    "dec0.5": "pitch + matched by decoded frames, tau 0.5",
    "hkdec0.12": "gain, then matched by decoded frames, tau 0.12",
    "hkdec0.25": "gain, then matched by decoded frames, tau 0.25",
    "hkdec0.5": "gain, then matched by decoded frames, tau 0.5",
    "eqold1": f"*control:* pitch + equalizer{OLD}",
    "eqold1.5": f"*control:* the same, 1.5 times{OLD}",
    "eqold2": f"*control:* the same, twice{OLD}",
    "fhold1": f"pitch + gain{OLD}",
    "fhold1.5": f"pitch + gain, lambda 1.5{OLD}",
    "fhold2": f"pitch + gain, lambda 2{OLD}",
    "fhold3": f"pitch + gain, lambda 3{OLD}",
    "hybold1": f"pitch + gain, the equalizer's mean{OLD}",
    "hybold1.5": f"the same, lambda 1.5{OLD}",
    "hybold2": f"the same, lambda 2{OLD}",
    "hybold3": f"the same, lambda 3{OLD}",
    "ceqold1": f"pitch + equalizer corrected for content{OLD}",
    "swapold1": f"z2 replaced by mu2 of the target{OLD}",
    "swapold2": f"z2 replaced, lambda 2{OLD}",
    "swapmuold1": f"mu2 of the source against that of the target{OLD}",
    "swapmuold2": f"the same, lambda 2{OLD}",
    "varold1": f"gain of mean and variance{OLD}",
    "varold2": f"gain of mean and variance, lambda 2{OLD}",
}
DENOISED = {
    "clean": "clean reference",
    "noisy": "noisy",
    "fhown": "FHVAE gain toward mu2 of the speaker's clean speech",
    "fhmean": "FHVAE gain toward the mean clean mu2",
    "matchall": "matched by decoded frames of the speaker's clean speech",
    "nrstat": "*control:* noisereduce, stationary",
    "nr": "*control:* noisereduce, not stationary",
}
RECONSTRUCTED = {
    "original": "original",
    "mel_phase": "80 log-mel inverted, phase of the source",
    "lin_phase": "200 bins of log-magnitude, phase of the source",
    "mel_gl": "80 log-mel, Griffin-Lim",
    "lin_gl": "200 bins of log-magnitude, Griffin-Lim",
    "fhvae_gain": "FHVAE's reconstruction as a gain on the source",
    "fhvae_phase": "FHVAE's reconstruction, phase of the source",
    "fhvae_gl": "FHVAE's reconstruction, Griffin-Lim",
}


METHODS = (
    *("source", "pitch", "equalizer", "world", "griffin_lim"),
    *("clean", "noisy", "noisereduce", "fhvae_own", "fhvae"),
)
CONVERTED = {  # digits behind the point
    "voice_resemblyzer": 3,
    "voice_dvector": 3,
    "naturalness": 2,
    "phone_edits": 3,
    "stoi": 3,
}
CLEANED = {"si_sdr": 2, "stoi": 3, "lsd": 2, "naturalness": 2, "phone_edits": 3}


def conversion_table(verdicts: pd.DataFrame) -> str:
    """Make a row per method: means, and differences from the control on the same pairs."""
    control = verdicts[verdicts.method == CONTROL].set_index(["utt", "target"])
    rows = []
    for method, label in LABELS.items():
        own = verdicts[verdicts.method == method].set_index(["utt", "target"])
        own = own[own.index.isin(control.index)]
        if own.empty:
            continue
        beside = control.loc[own.index]
        rows.append([label, str(len(own)), *_figures(own), *_differences(own, beside)])
    return table(HEADER, rows)


def _pairs(verdicts: pd.DataFrame) -> list[Pair]:
    both = zip(verdicts.source, verdicts.index.get_level_values("target"), strict=True)
    return [Pair(source, target) for source, target in both]


def _figures(own: pd.DataFrame) -> Iterator[str]:
    yield from (f"{own[name].mean():.3f}" for name in ("sim1", "sim2"))
    yield from (f"{100 * (own[f'sim{k}'] > own[f'src{k}']).mean():.0f} %" for k in (1, 2))
    yield f"{own.mos.mean():.2f}"
    yield f"{100 * own.edits.sum() / own.phones.sum():.0f} %"


def _differences(own: pd.DataFrame, control: pd.DataFrame) -> Iterator[str]:
    if own.method.iloc[0] == CONTROL:
        yield from ("",) * 4
        return
    pairs = _pairs(own)
    for name, digits in (("sim1", 3), ("sim2", 3), ("mos", 2)):
        yield signed(mean_over_pairs(pairs, (own[name] - control[name]).to_numpy()), digits)
    edits = 100 * (own.edits - control.edits).to_numpy()
    yield signed(mean_over_pairs(pairs, edits, own.phones.to_numpy()), 1)


def signed(found: Interval, digits: int) -> str:
    """Write a difference with its interval."""
    if found.low is None or found.high is None:
        return f"{found.value:+.{digits}f}"
    return f"{found.value:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"


def denoising_table(verdicts: pd.DataFrame, measures: Sequence[str]) -> str:
    """Make a row per method and a column per measure and ratio, in dB."""
    ratios = sorted(verdicts.snr.unique())
    rows = []
    for method, label in DENOISED.items():
        own = verdicts[verdicts.method == method]
        if not own.empty:
            cells = [_cell(own[own.snr == ratio], name) for name in measures for ratio in ratios]
            rows.append([label, str(own.utt.nunique()), *cells])
    header = [f"{name}, {ratio} dB" for name in measures for ratio in ratios]
    return table(["method", "utterances", *header], rows)


def reconstruction_table(verdicts: pd.DataFrame) -> str:
    """Make a row per way to take a signal apart and put it together again."""
    rows = []
    for method, label in RECONSTRUCTED.items():
        own = verdicts[verdicts.method == method]
        if not own.empty:
            cells = [_cell(own, name) for name in ("mos", "stoi", "edits")]
            rows.append([label, str(len(own)), *cells])
    return table(["signal", "utterances", "MOS", "STOI", "phone edits"], rows)


def stage_table(found: Mapping[str, Any], measures: Mapping[str, int]) -> str:
    """Make a row per method of the stage `convert`: means, and FHVAE less the method."""
    rows = []
    for method in (name for name in METHODS if name in found):
        own, less = found[method], found["difference"].get(f"fhvae-{method}", {})
        means = [f"{own[name]:.{k}f}" if name in own else "" for name, k in measures.items()]
        away = [_won(less[name], k) if name in less else "" for name, k in measures.items()]
        rows.append([method, *means, *away])
    return table(["method", *measures, *(f"FHVAE - it: {name}" for name in measures)], rows)


def _won(difference: Mapping[str, Any], digits: int) -> str:
    found = Interval(difference["value"], difference.get("value_low"), difference.get("value_high"))
    mark = {"fhvae": " won", "neither": "", None: ""}.get(difference.get("better"), " lost")
    return signed(found, digits) + mark


def _cell(own: pd.DataFrame, measure: str) -> str:
    if own.empty or measure not in own:
        return ""
    if measure == "edits":
        return f"{100 * own.edits.sum() / own.phones.sum():.0f} %"
    value = own[measure].mean()
    return "" if np.isnan(value) else f"{value:.2f}"


def read(name: str) -> pd.DataFrame:
    """Read recorded verdicts."""
    return pd.read_csv(RESULTS / name, dtype={"source": str, "target": str, "utt": str})


def main() -> None:
    """Print all tables."""
    for name in ("conversion.csv", "conversion_dev.csv", "conversion_levers.csv"):
        print(f"{name}\n\n{conversion_table(read(name))}\n")
    print(denoising_table(read("denoising.csv"), ("sisdr", "stoi")))
    print(reconstruction_table(read("reconstruction.csv")))
    stage = json.loads((RESULTS / "convert.json").read_text(encoding="utf-8"))["metrics"]
    print(f"\nconversion\n\n{stage_table(stage['conversion'], CONVERTED)}")
    for ratio, found in sorted(stage["denoising"].items(), key=lambda item: int(item[0][5:])):
        print(f"\n{ratio}\n\n{stage_table(found, CLEANED)}")


if __name__ == "__main__":
    main()
