"""The figures of the page: what each shows and does not, in words and as a table."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from fhvae.cited import look_up
from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable
from fhvae.params.domain_names import by_noise
from fhvae.report.run_page.cells import MISSING, Table, percent, value_with_interval
from fhvae.report.shape import CODES, FACTORS

Metrics = Mapping[str, Any]
ENDS = {"wide": ".svg", "narrow": "-column.svg"}  # as the stage figures names them
INPUTS: Mapping[str, str] = {
    "fbank": "FBANK",
    "stacked": "FBANK, whole segment",
    "pca": "PCA",
    "untrained": "z1, untrained",
    "z1": "z1",
    "z1mu2": "z1 and mu2",
}
WORST = -1.0  # below, a regression only says that it failed: an R2 has no end downwards
SIDES = ("clean", "male", "female")  # before domains, which go from little noise to much
EPOCH_COLUMNS = {
    "epoch": "epoch",
    "train_lower_bound": "bound, train",
    "dev_lower_bound": "bound, dev",
    "dev_kl_z1": "KL z1, dev",
    "dev_kl_z2": "KL z2, dev",
    "dev_eer_mu2": "EER mu2, dev",
    "dev_eer_mu1": "EER mu1, dev",
}


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        name: of its files.
        title: heading.
        note: what it shows and what it does not.
        alternative: what a reader who cannot see it is told.
        tables: the numbers behind it.
        wide, narrow: SVG for a desk and for a phone.
    """

    name: str
    title: str
    note: str
    alternative: str
    tables: list[Table]
    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class Words:
    """What is said of a figure; see `Picture`."""

    title: str
    note: str
    alternative: Callable[[Metrics, pd.DataFrame], str]
    tables: Callable[[Metrics, pd.DataFrame], list[Table]]


def pictures(folder: Path, metrics: Metrics, learning: pd.DataFrame) -> dict[str, Picture]:
    """Read all figures of a run.

    Args:
        folder: of the SVG files, as the stage figures writes it.
        metrics: of all stages.
        learning: the learning curve, a row per epoch.

    Raises:
        ArtifactError: a figure is missing.
    """
    found = {}
    for name, words in WORDS.items():
        alternative = words.alternative(metrics, learning)
        tables = [table for table in words.tables(metrics, learning) if table.rows]
        drawn = {
            which: _inline(folder / f"{name}{end}", alternative) for which, end in ENDS.items()
        }
        found[name] = Picture(name, words.title, words.note, alternative, tables, **drawn)
    return found


def _inline(path: Path, alternative: str) -> Markup:
    """Read an SVG as an image with words for who cannot see it."""
    check_readable(path, "figures")
    try:
        svg = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{path} must be text in UTF-8, {error}; rerun the stage figures"
        ) from error
    if "<svg " not in svg:
        raise ArtifactError(f"{path} must be SVG, it is not; rerun the stage figures")
    start = Markup('<svg role="img" aria-label="{}" ').format(alternative)
    return Markup(re.sub(r"<svg ", lambda _: str(start), svg, count=1))


def _no_table(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    return []


def _det_words(metrics: Metrics, learning: pd.DataFrame) -> str:
    rates = [f"{name} {percent(own['eer'])} %" for name, own in _systems(metrics)]
    return f"DET curves of speaker verification. Equal error rates: {', '.join(rates)}."


def _systems(metrics: Metrics) -> Iterator[tuple[str, Metrics]]:
    for vector, backends in metrics["verify"].items():
        for backend in ("cos", "best"):
            found = backends.get(backend) if isinstance(backends, Mapping) else None
            if isinstance(found, Mapping) and "eer" in found:
                yield f"{vector}, {found.get('backend', backend)}", found


def _det_tables(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    rows = [
        (
            name,
            value_with_interval(own, "eer"),
            f"{own['mindcf_p01']:.2f}" if "mindcf_p01" in own else MISSING,
            f"{own['cllr']:.2f}" if "cllr" in own else MISSING,
        )
        for name, own in _systems(metrics)
    ]
    header = ("vector, back-end", "EER, %", "minDCF 0.01", "Cllr")
    return [Table("Error rates of every vector, with 95 % intervals over speakers.", header, rows)]


def _learning_words(metrics: Metrics, learning: pd.DataFrame) -> str:
    first, last = learning.iloc[0], learning.iloc[-1]
    best = look_up(metrics, "train.best_epoch")
    return (
        f"Learning curves over {len(learning)} epochs; the best on dev is number {best}. The lower "
        f"bound of dev goes from {first['dev_lower_bound']:.0f} to {last['dev_lower_bound']:.0f} "
        "nats per segment."
    )


def _learning_tables(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    known = {name: words for name, words in EPOCH_COLUMNS.items() if name in learning}
    rows = [[_epoch_cell(name, row[name]) for name in known] for _, row in learning.iterrows()]
    return [Table("Epoch by epoch; bounds and KL in nats per segment.", list(known.values()), rows)]


def _epoch_cell(name: str, value: float) -> str:
    if pd.isna(value):
        return MISSING
    if name == "epoch":
        return f"{value:.0f}"
    return percent(value) if name.startswith("dev_eer") else f"{value:.1f}"


def _matrix_words(metrics: Metrics, learning: pd.DataFrame) -> str:
    z1, mu2 = (_share(metrics["probe"], *pair) for pair in (("speaker", "z1"), ("speaker", "mu2")))
    phone = _share(metrics["probe"], "phone", "z1")
    return (
        "Heat map of what a linear probe learns of each factor from each code, percent. "
        f"Of phones from z1: {phone}; of speakers from z1: {z1}, from mu2: {mu2}."
    )


def _share(probe: Metrics, factor: str, code: str) -> str:
    found = look_up(probe, f"{factor}.{code}")
    if found is None:
        return MISSING
    share = found.get("information", found.get("r2"))
    if share is None:
        return MISSING
    return f"{100 * share:.0f}" if share >= WORST else f"<{100 * WORST:.0f}"


def _matrix_tables(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    probe = metrics["probe"]
    factors = [factor for factor in FACTORS if factor in probe]
    rows = [(code, *(_share(probe, factor, code) for factor in factors)) for code in CODES]
    caption = "Share of the uncertainty taken away, percent; SNR and F0: variance explained."
    return [Table(caption, ("code", *factors), [row for row in rows if set(row[1:]) - {MISSING}])]


def _probe_words(metrics: Metrics, learning: pd.DataFrame) -> str:
    said = []
    for task in ("phone", "speaker"):
        found = metrics["probe"].get(task)
        if found is None:
            reasons = look_up(metrics, "probe.absent") or {}
            said.append(f"{task}: {reasons.get(task, 'not computed')}")
            continue
        rates = [f"{code} {percent(found[code]['accuracy'])}" for code in CODES if code in found]
        said.append(f"{task}: {', '.join(rates)}, chance {percent(found['chance'])}")
    return f"Bars of probe accuracies in percent. {'; '.join(said)}."


def _probe_tables(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    probe = metrics["probe"]
    tasks = [task for task in ("phone", "speaker") if task in probe]
    rows = [
        (code, *(value_with_interval(probe[task].get(code, {}), "accuracy") for task in tasks))
        for code in CODES
    ]
    known = [row for row in rows if set(row[1:]) - {MISSING}]
    return [Table("Accuracy of a linear probe, %, with 95 % intervals.", ("code", *tasks), known)]


def _rates(metrics: Metrics) -> dict[str, Metrics]:
    both = {
        **look_up_or_none(metrics, "recognize_baselines"),
        **look_up_or_none(metrics, "recognize"),
    }
    return {name: both[name] for name in INPUTS if name in both}


def look_up_or_none(metrics: Metrics, stage: str) -> Metrics:
    """Give the phone error rates of a stage by input; nothing where it has none."""
    return look_up(metrics, f"{stage}.per") or {}


def _mismatch_words(metrics: Metrics, learning: pd.DataFrame) -> str:
    rates = _rates(metrics)
    if not rates:
        reason = (look_up(metrics, "recognize.absent") or {}).get("per", "not computed")
        return f"No phone error rates: {reason}."
    said = [
        f"{name} {percent(per)} %"
        for name, own in rates.items()
        if (per := look_up(own, "male.female.per")) is not None
    ]
    across = f" From men to women: {', '.join(said)}." if said else ""
    return f"Phone error rates of every input, matched and mismatched.{across}"


def _mismatch_tables(metrics: Metrics, learning: pd.DataFrame) -> list[Table]:
    return [_per_table(name, own) for name, own in _rates(metrics).items()]


def _per_table(name: str, rates: Metrics) -> Table:
    """Lay out the error rates of an input: a row per side trained on, a column per side tested."""
    named = {test for own in rates.values() for test in own}
    tests = [one for one in SIDES if one in named] + sorted(named - {*SIDES}, key=by_noise)
    cells = [[look_up(rates, f"{train}.{test}.per") for test in tests] for train in rates]
    rows = [
        [train, *(MISSING if one is None else percent(one) for one in row)]
        for train, row in zip(rates, cells, strict=True)
    ]
    shades = [[min(1.0, one or 0.0) for one in row] for row in cells]
    return Table(
        f"Phone error rate of {INPUTS[name]}, %.", ["trained on, tested on", *tests], rows, shades
    )


def _map_words(what: str) -> Callable[[Metrics, pd.DataFrame], str]:
    return lambda metrics, learning: f"Map of {what} by t-SNE, drawn twice: by speaker, and by sex."


def _said(text: str) -> Callable[[Metrics, pd.DataFrame], str]:
    return lambda metrics, learning: text


T_SNE = (
    "t-SNE keeps who is near whom and nothing else: distances between groups, their sizes and the "
    "axes mean nothing, and another seed gives another map."
)
WORDS: Mapping[str, Words] = {
    "det": Words(
        "Speaker verification",
        "False rejections over false acceptances; the dot is the equal error rate. Bands: the "
        "middle 95 % of resampled speakers, of cosine alone.",
        _det_words,
        _det_tables,
    ),
    "learning_curve": Words(
        "Learning curves",
        "The bound is what is maximized. The EERs on dev say whether mu2 learns the speaker and "
        "z1 does not; they do not steer the training.",
        _learning_words,
        _learning_tables,
    ),
    "tsne_mu2": Words("Map of mu2", T_SNE, _map_words("mu2 of test utterances"), _no_table),
    "tsne_z1": Words("Map of z1", T_SNE, _map_words("z1 of test segments"), _no_table),
    "matrix": Words(
        "What each code knows",
        "Of one segment, by a linear probe. Bright in z1 should be the phone, in z2 and mu2 the "
        "rest; a probe that fails proves no absence.",
        _matrix_words,
        _matrix_tables,
    ),
    "probe": Words(
        "Phones and speakers, read from codes",
        "Accuracy of linear probes on test speakers, and chance.",
        _probe_words,
        _probe_tables,
    ),
    "mismatch": Words(
        "Phone recognition under mismatch",
        "One recognizer for every input. Trained on one side, tested on another; lines are 95 % "
        "intervals over speakers.",
        _mismatch_words,
        _mismatch_tables,
    ),
    "factor_grid": Words(
        "z1 of one, z2 of another",
        "Means of the decoder. Along a row the words should stay and the voice change.",
        _said(
            "Spectrograms of segments decoded with z1 of one speaker and z2 of another, in a grid, "
            "beside originals and reconstructions; time in ms, frequency in Hz."
        ),
        _no_table,
    ),
    "traversals": Words(
        "One dimension at a time",
        "The dimensions of mu2 and z1 that vary most over the test split, moved by up to three "
        "standard deviations; they were not chosen for their looks.",
        _said(
            "Spectrograms of one segment decoded while one dimension of mu2 or z1 moves from minus "
            "three to plus three standard deviations; time in ms, frequency in Hz."
        ),
        _no_table,
    ),
}
