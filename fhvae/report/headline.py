"""The headline table: every system beside its controls.

    python -m fhvae.report.headline      # of the working tree, after `dvc repro`

Percentages, costs and Cllr apart. Cells are means over seeds (standard deviation over seeds)
[95 % interval over speakers and seeds]; one seed has no standard deviation, and an interval over
speakers alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fhvae.cited import look_up
from fhvae.commandline import run
from fhvae.files.atomic import read_json
from fhvae.intervals import INTERVALS, Interval
from fhvae.report.sequential import STATIC_DYNAMIC, static_dynamic_rows
from fhvae.report.tables import FEW_ERRORS, BySeed, Metrics, Runs, cell, pooled, with_leaks

FHVAE_TEN, FHVAE_ZERO = "alpha10", "alpha0"


@dataclass(frozen=True)
class System:
    """A row.

    Attributes:
        title: as printed.
        setting: whose runs hold it; baselines come from the runs with alpha 10.
        vector: in the metrics of verify; "" if there is none.
        content: the code that should not know the speaker, in `leak`; "" if there is none.
        source: input of recognition and of the phone probe; "" if there is none.
    """

    title: str
    setting: str
    vector: str = ""
    content: str = ""
    source: str = ""


SYSTEMS = (
    System("FBANK mean + std", FHVAE_TEN, "fbank"),
    System("FBANK frames", FHVAE_TEN, source="fbank"),
    System("PCA, size of z1", FHVAE_TEN, "pca", "pca", "pca"),
    System("untrained FHVAE", FHVAE_TEN, "untrained", source="untrained"),
    System("random", FHVAE_TEN, "random"),
    System("i-vector, chosen on dev by cosine", FHVAE_TEN, "ivector"),
    System("i-vector, chosen on dev by its back-end", FHVAE_TEN, "ivector_supervised"),
    System("i-vector, speech alone", FHVAE_TEN, "ivector_vad30"),
    System("i-vector, all frames", FHVAE_TEN, "ivector_vad300"),
    System("FHVAE, alpha 0", FHVAE_ZERO, "mu2", "z1", "z1"),
    System("FHVAE, alpha 10", FHVAE_TEN, "mu2", "z1", "z1"),
    System("FHVAE, alpha 30", "alpha30", "mu2", "z1", "z1"),
)
VERIFICATION = ["system", "EER cos", "EER best supervised", "minDCF 0.01", "Cllr", "content EER"]
CONTENT = [
    "system",
    "PER clean",
    "PER male to female",
    "gain",
    "cost",
    "recovered",
    "PER clean to noise 10 dB",
    "gain",
    "cost",
    "recovered",
    "phone accuracy, frame",
]
CONTROL_COLUMNS = ["vector, cosine", "all pairs", "same sex", "enrolled on 3", "best supervised"]
CONTROLS = {
    "mu2": "mu2",
    "mu2, mean spectrum removed from the input": "mean_removed",
    "mu2, level of the input normalized": "level",
    "mu2 of speech alone": "speech",
    "mu2 of pauses alone, utterances that have them": "parts.pauses",
    "mu2 of these utterances, whole": "parts.pauses.whole",
    "mu2 of the untrained networks": "untrained",
    "PCA, size of z1": "pca",
    "random vectors": "random",
}


def per_key(source: str, train: str, test: str) -> str:
    """Name the error rate of an input in the metrics of its stage."""
    return f"{_stage(source)}.per.{source}.{train}.{test}.per"


def gap_key(source: str, train: str, test: str, part: str = "recovered") -> str:
    """Name what an input gains of what a mismatch costs FBANK: gain, cost, or their ratio."""
    return f"{_stage(source)}.gap.{source}.{train}.{test}.{part}"


def _stage(source: str) -> str:
    return "recognize_baselines" if source in ("fbank", "stacked", "pca") else "recognize"


def verification_rows(runs: Runs) -> Iterator[list[str]]:
    """Yield the speaker half of the headline table."""
    for system in SYSTEMS:
        if not system.vector:
            continue
        own = runs.get(system.setting, {})
        vector = f"verify.{system.vector}"
        best = cell(own, f"{vector}.best.eer")
        chosen = {look_up(run, f"{vector}.best.backend") for run in own.values()} - {None}
        yield [
            system.title,
            cell(own, f"{vector}.cos.eer"),
            f"{best} {', '.join(sorted(chosen))}".strip(),
            cell(own, f"{vector}.cos.mindcf_p01", 1, 2),
            cell(own, f"{vector}.cos.cllr", 1, 2),
            cell(own, f"leak.{system.content}.eer") if system.content else "-",
        ]


def content_rows(runs: Runs) -> Iterator[list[str]]:
    """Yield the content half of the headline table."""
    for system in SYSTEMS:
        own = runs.get(system.setting, {})
        if not system.source or not own:
            continue
        source = system.source
        if source == "fbank":
            yield _topline_row(own)
        yield [
            system.title,
            cell(own, per_key(source, "clean", "clean")),
            *_mismatched(own, source, "male", "female"),
            *_mismatched(own, source, "clean", "noise10"),
            cell(own, f"probe.phone.{source}.accuracy"),
        ]


def _mismatched(own: BySeed, source: str, train: str, test: str) -> list[str]:
    parts = (gap_key(source, train, test, part) for part in ("gain", "cost", "recovered"))
    return [cell(own, key) for key in (per_key(source, train, test), *parts)]


def _topline_row(own: BySeed) -> list[str]:
    """Lay out the recognizers of FBANK that are trained where they are tested."""
    women, noise = (cell(own, per_key("fbank", side, side)) for side in ("female", "noise10"))
    return ["FBANK, topline", "-", women, *["-"] * 3, noise, *["-"] * 3, "-"]


def control_rows(runs: Runs) -> Iterator[list[str]]:
    """Yield mu2 under its controls: all pairs, and pairs of one sex."""
    own = runs.get(FHVAE_TEN, {})
    for title, vector in CONTROLS.items():
        yield [
            title,
            cell(own, f"verify.{vector}.cos.eer"),
            cell(own, f"verify.conditions.same_sex.{vector}.cos.eer"),
            cell(own, f"verify.conditions.multi3.{vector}.cos.eer"),
            cell(own, f"verify.{vector}.best.eer"),
        ]


def difference_rows(runs: Runs) -> Iterator[list[str]]:
    """Yield the paired differences from mu2, who is better, and in how many single seeds.

    Runs from before it was left out hold mu2 minus the mean of z2, an identity.
    """
    own = runs.get(FHVAE_TEN, {})
    for backend in ("cos", "best"):
        first: Metrics = next(iter(own.values()), {})
        for pair in look_up(first, f"verify.difference.{backend}") or {}:
            if pair == "mu2-z2":
                continue
            key = f"verify.difference.{backend}.{pair}"
            verdicts = [look_up(run, f"{key}.better") or "no verdict" for run in own.values()]
            names = sorted({look_up(run, f"{key}.baseline") for run in own.values()} - {None})
            counted = ", ".join(f"{verdicts.count(name)} {name}" for name in sorted(set(verdicts)))
            yield [
                backend,
                pair.replace("-", " minus ") + (f" ({', '.join(names)})" if names else ""),
                cell(own, f"{key}.eer"),
                verdict(pair, pooled(own, f"{key}.eer")),
                counted,
            ]


def verdict(pair: str, difference: Interval | None) -> str:
    """Name the one of `first-second` whose EER is lower beyond the interval of the difference."""
    if difference is None or difference.low is None:
        return "no verdict"
    first, _, second = pair.partition("-")
    if not difference.excludes_zero:
        return "neither"
    return first if difference.is_below_zero else second


def warnings_of(metrics: Metrics) -> list[str]:
    """Say what a reader must know before any figure: that there are no intervals, or few errors."""
    reason = (look_up(metrics, "verify.absent") or {}).get(INTERVALS)
    found = [f"WARNING: no intervals and no verdicts: {reason}."] if reason else []
    few = [
        f"{vector} {look_up(metrics, f'verify.{vector}.cos.n_err_eer')}"
        for vector in dict.fromkeys(system.vector for system in SYSTEMS if system.vector)
        if look_up(metrics, f"verify.{vector}.cos.rule_of_30") == 0
    ]
    if few:
        found.append(
            f"{FEW_ERRORS}: fewer than 30 target trials missed, {', '.join(few)} (cosine)."
        )
    return found


def main() -> None:
    """Print the table of metrics/*.json, columns aligned."""
    found = {path.stem: read_json(path, path.stem) for path in Path("metrics").glob("*.json")}
    runs = {FHVAE_TEN: {0: with_leaks(found)}}
    tables = (
        (VERIFICATION, verification_rows(runs)),
        (CONTENT, content_rows(runs)),
        (CONTROL_COLUMNS, control_rows(runs)),
        (STATIC_DYNAMIC, static_dynamic_rows(runs)),
    )
    for header, rows in tables:
        shown = [list(header), *(row for row in rows if set(row[1:]) - {"-"})]
        shown = [[cell.replace("FHVAE, alpha 10", "FHVAE") for cell in row] for row in shown]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        print()
    for warning in warnings_of(found):
        print(warning)
    print("To cite: metrics/summary.json, `dvc metrics show`; all of it: metrics/*.json, plots/.")
    print("To read, look at and listen to: data/report/index.html, in a browser.")


if __name__ == "__main__":
    run(main, makes_figures=False)
