"""What stands first of many runs: README's rows, and the tables at the top of docs/results.md.

Columns are settings of both corpora, cells pool the seeds; no number is typed by hand but the
paper's (`published.py`).
"""

from collections.abc import Iterator
from pathlib import Path

from fhvae.cited import look_up
from fhvae.intervals import Interval
from fhvae.report.published import PAPER, PAPER_HEADER
from fhvae.report.tables import (
    DIFFERENCES,
    BySeed,
    cell,
    part,
    pooled,
    read_runs,
    spread,
    spread_of,
    table,
    with_figures,
)

SUMMARY = {
    "EER of mu2, cosine": "verify.mu2.cos.eer",
    "EER of mu2 of pauses alone, cosine": "verify.parts.pauses.cos.eer",
    "EER of i-vector, cosine": "verify.ivector.cos.eer",
    "EER of i-vector of speech alone, cosine": "verify.ivector_vad30.cos.eer",
    "EER of i-vector of all frames, cosine": "verify.ivector_vad300.cos.eer",
    "EER of FBANK mean + std, cosine": "verify.fbank.cos.eer",
    "EER of mu2, best supervised": "verify.mu2.best.eer",
    "EER of i-vector, best supervised": "verify.ivector_supervised.best.eer",
    "EER of FBANK mean + std, best supervised": "verify.fbank.best.eer",
    "EER of z1, mean (mu1), cosine": "verify.mu1.cos.eer",
    "EER of z1, strongest attacker": "leak.z1.eer",
    "phone accuracy from z1": "probe.phone.z1.accuracy",
    "phone accuracy from z2": "probe.phone.z2.accuracy",
    "phone accuracy from PCA": "probe.phone.pca.accuracy",
    "phone accuracy from an FBANK frame": "probe.phone.fbank.accuracy",
    "hand labels of TIMIT's sample, from z1": "hand_labels.phone.z1.accuracy",
    "hand labels of TIMIT's sample, from PCA": "hand_labels.phone.pca.accuracy",
    "hand labels of TIMIT's sample, from an FBANK frame": "hand_labels.phone.fbank.accuracy",
    "PER of z1, male to female": "recognize.per.z1.male.female.per",
    "PER of FBANK, male to female": "recognize_baselines.per.fbank.male.female.per",
    "speaker accuracy from z1": "probe.speaker.z1.accuracy",
    "speaker accuracy from z2": "probe.speaker.z2.accuracy",
}
SUMMARY_COLUMNS = {
    "default corpus, alpha 0": ("default", "alpha0"),
    "default corpus, alpha 10": ("default", "alpha10"),
    "default corpus, alpha 30": ("default", "alpha30"),
    "speechocean762, alpha 0": ("speechocean762", "alpha0"),
    "speechocean762, alpha 10": ("speechocean762", "alpha10"),
    "speechocean762, alpha 30": ("speechocean762", "alpha30"),
}


def columns_of(results: Path) -> dict[str, BySeed]:
    """Find the runs of each of `SUMMARY_COLUMNS` that has any, titled with their number."""
    found = {}
    for title, (corpus, setting) in SUMMARY_COLUMNS.items():
        if own := read_runs(results / corpus).get(setting, {}):
            found[f"{title}, {len(own)} seed{'s' if len(own) > 1 else ''}"] = own
    return found


def overview(results: Path) -> str:
    """Lay out all figures of both corpora in one table: mean and standard deviation over seeds."""
    columns, rows = columns_of(results), []
    for name, key in SUMMARY.items():
        found = [[look_up(run, key) for run in own.values()] for own in columns.values()]
        known = [[value for value in values if value is not None] for values in found]
        rows.append([name, *(spread(values) or "-" for values in known)])
    return part("## In one table", ["%, mean (sd) over seeds", *columns], rows)


CITED_FIRST = {
    "EER of mu2, cosine": "verify.mu2.cos.eer",
    "EER of mu2, best supervised": "verify.mu2.best.eer",
    "EER of z1, strongest attacker": "leak.z1.eer",
    "phone accuracy from z1": "probe.phone.z1.accuracy",
    "PER of z1, male to female": "recognize.per.z1.male.female.per",
}


def cited_first(results: Path) -> str:
    """Lay out the five figures that one cites first, with intervals over speakers and seeds."""
    columns = columns_of(results)
    rows = [
        [name, *(cell(own, key) for own in columns.values())] for name, key in CITED_FIRST.items()
    ]
    return "## Five figures to cite first\n\n" + table(["%", *columns], rows)


AGAINST = {
    "EER of mu2 minus best baseline, cosine": "verify.difference.cos.mu2-baseline.eer",
    "EER of mu2 minus best baseline, supervised": "verify.difference.best.mu2-baseline.eer",
    "phone accuracy, z1 minus PCA": "probe.phone.z1_minus.linear.pca.accuracy",
    "phone accuracy, z1 minus an FBANK frame": "probe.phone.z1_minus.linear.fbank.accuracy",
    "the same with a hidden layer, z1 minus PCA": "probe.phone.z1_minus.mlp.pca.accuracy",
    "hand labels, z1 minus PCA": "hand_labels.phone.z1_minus.pca.accuracy",
    "hand labels, z1 minus an FBANK frame": "hand_labels.phone.z1_minus.fbank.accuracy",
    "PER male to female, FBANK minus z1": "recognize.gap.z1.male.female.gain",
    "PER clean to noise 10 dB, FBANK minus z1": "recognize.gap.z1.clean.noise10.gain",
}
BETTER, WORSE, LEVEL = "FHVAE better", "FHVAE worse", "level"


def against(results: Path) -> str:
    """Lay out paired differences: where FHVAE is better than what stands beside it, and where not.

    Better and worse are said where the interval over speakers and seeds excludes 0.
    """
    columns, rows = columns_of(results), []
    for name, key in AGAINST.items():
        said = [f"{cell(own, key)} {_says(key, pooled(own, key))}" for own in columns.values()]
        rows.append([name, *(one.strip() for one in said)])
    return table(["points, paired", *columns], with_figures(rows))


def _says(key: str, difference: Interval | None) -> str:
    if difference is None or difference.low is None:
        return ""
    if not difference.excludes_zero:
        return LEVEL
    return BETTER if difference.is_below_zero == key.endswith(".eer") else WORSE


# README's rows: figures of alpha 10, and the name that the paper's has among those of `PAPER`.
TO_CITE = {
    "**EER of mu2**, cosine": ("verify.mu2.cos.eer", "eer_mu2"),
    "EER of the i-vector, cosine": ("verify.ivector.cos.eer", "eer_ivector"),
    "... mu2 minus the best baseline": ("verify.difference.cos.mu2-baseline.eer", ""),
    "**EER of mu2**, best supervised back-end": ("verify.mu2.best.eer", ""),
    "EER of the i-vector, best supervised": ("verify.ivector_supervised.best.eer", ""),
    "... mu2 minus the best baseline, supervised": ("verify.difference.best.mu2-baseline.eer", ""),
    "EER of z1, strongest attacker": ("leak.z1.eer", ""),
    "phone accuracy from z1, linear probe": ("probe.phone.z1.accuracy", ""),
    "... z1 minus PCA": ("probe.phone.z1_minus.linear.pca.accuracy", ""),
    "hand-labelled phones, z1 minus PCA": ("hand_labels.phone.z1_minus.pca.accuracy", ""),
    "PER of z1, taught by men, asked of women": ("recognize.per.z1.male.female.per", ""),
    "... FBANK minus z1": ("recognize.gap.z1.male.female.gain", ""),
    "PER in noise of 10 dB, FBANK minus z1": ("recognize.gap.z1.clean.noise10.gain", ""),
}
CITED_COLUMNS = {"default corpus (synthetic)": "default", "speechocean762": "speechocean762"}


def to_cite(results: Path) -> str:
    """Lay out README's table: alpha 10, with intervals over speakers and seeds, and the paper's."""
    columns = [read_runs(results / one).get("alpha10", {}) for one in CITED_COLUMNS.values()]
    rows = []
    for name, (key, paper) in TO_CITE.items():
        cells = [cell(own, key) for own in columns]
        if any(part in key for part in (*DIFFERENCES, ".gain")):
            said = [_says(key, pooled(own, key)) for own in columns]
            cells = [f"{one} {word}".strip() for one, word in zip(cells, said, strict=True)]
        rows.append([name, *cells, PAPER.get(paper, "-")])
    heads = ["%, alpha 10", *CITED_COLUMNS, PAPER_HEADER]
    return table(heads, with_figures(rows))


VARIANCE = ["points, standard deviation over", "speakers", "trainings", "recognizers"]
VARYING = {
    **CITED_FIRST,
    "PER of FBANK, male to female": "recognize_baselines.per.fbank.male.female.per",
    "gain of z1 on FBANK, male to female": "recognize.gap.z1.male.female.gain",
    "cost of FBANK, male to female": "recognize.gap.z1.male.female.cost",
    "gain of z1 on FBANK, clean to noise": "recognize.gap.z1.clean.noise10.gain",
}
RECOGNIZERS = "default-recognizer"  # the section of the plan that trains other recognizers alone


def variance_rows(results: Path) -> Iterator[list[str]]:
    """Yield where the variance of a figure comes from: default corpus, alpha 10.

    The recognizers are all of the training of seed 0, whose own recognizer is one of them.
    """
    trainings = read_runs(results / "default").get("alpha10", {})
    others = read_runs(results / RECOGNIZERS)
    of_one = [trainings[0]] if 0 in trainings else []
    recognizers = dict(enumerate(of_one + [runs[0] for runs in others.values() if 0 in runs]))
    for name, key in VARYING.items():
        whole = spread_of(trainings, key)
        if whole is None:
            continue
        chance = spread_of(recognizers, key) if key.startswith("recognize") else None
        shown = (whole.speakers, whole.trainings, chance.trainings if chance else None)
        yield [name, *("-" if one is None else f"{100 * one:.1f}" for one in shown)]
