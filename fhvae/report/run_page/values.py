"""What one cites of a run, with intervals, beside what papers print of other corpora."""

from collections.abc import Mapping
from typing import Any

from fhvae.report.published import PAPER, PAPER_HEADER
from fhvae.report.run_page.cells import MISSING, Table, interval, listed, percent
from fhvae.report.run_page.readers import Summary
from fhvae.report.sequential import STATIC_DYNAMIC, static_dynamic_rows

Metrics = Mapping[str, Any]

# What each value of the summary is, in the order of the page; a group a table.
MEANING: Mapping[str, Mapping[str, str]] = {
    "Speakers": {
        "eer_mu2": "EER of mu2 by cosine",
        "eer_ivector": "EER of i-vectors by cosine",
        "eer_fbank": "EER of mean and spread of FBANK by cosine",
        "best_mu2": "EER of mu2, the supervised back-end best on dev",
        "best_ivector": "EER of i-vectors, the supervised back-end best on dev",
        "eer_mu1": "EER of the mean of z1 by cosine, which should not know",
        "leak_z1": "EER of z1, its strongest attacker on dev",
        "spk_z2": "speaker read from z2 by a linear probe, accuracy",
        "spk_z1": "speaker read from z1, which should not know",
    },
    "Phones": {
        "phn_z1": "phone read from z1 by a linear probe, accuracy",
        "phn_pca": "phone read from PCA of the same size",
        "phn_z2": "phone read from z2, which should not know",
        "per_z1": "phone error rate of z1, clean speech",
        "per_fbank": "phone error rate of FBANK, clean speech",
    },
    "Mismatch": {
        "per_z1_mf": "phone error rate of z1, men to women",
        "per_fbank_mf": "phone error rate of FBANK, men to women",
        "cost_mf": "points of PER that men to women cost FBANK",
        "gain_mf": "points of these that z1 gains",
        "gap_mf": "share of the cost that z1 recovers",
        "cost_n10": "points of PER that noise at 10 dB costs FBANK",
        "gain_n10": "points of these that z1 gains",
        "gap_noise": "share of the cost that z1 recovers",
    },
    "Training": {
        "bound": "lower bound of dev, nats per segment",
        "collapsed": "whether a latent collapsed",
    },
}


def summary_tables(summary: Summary) -> list[Table]:
    """Lay out the values with their intervals, absent ones with the reason; a table a group."""
    tables = []
    for group, meanings in MEANING.items():
        rows = [
            _row(name, words, summary)
            for name, words in meanings.items()
            if name in summary.values or name in summary.absent
        ]
        published = any(name in PAPER for name in meanings)
        header = ["value", f"{'' if group == 'Training' else '%'}", "95 % interval", "better"]
        tables.append(
            Table(
                group,
                [*header, PAPER_HEADER] if published else header,
                [row if published else row[:-1] for row in rows],
            )
        )
    return tables


def _row(name: str, words: str, summary: Summary) -> tuple[str, ...]:
    if name not in summary.values:
        return (words, "absent", summary.absent[name], "", PAPER.get(name, ""))
    cited = summary.cited[name]
    return (
        words,
        shown(name, summary.values[name]),
        _around(cited) or cited.get("no_interval", ""),
        cited["better"],
        PAPER.get(name, ""),
    )


def shown(name: str, value: float) -> str:
    """Write a value of the summary in its unit: percent, nats, yes or no."""
    if name == "collapsed":
        return "yes" if value else "no"
    return f"{value:.1f}" if name == "bound" else percent(value)


def others_table(metrics: Metrics) -> Table:
    """Set the static and the dynamic code beside what papers print of other systems."""
    rows = [
        [cell.replace("FHVAE, alpha 10", "this run") for cell in row]
        for row in static_dynamic_rows({"alpha10": {0: metrics}})
    ]
    caption = (
        "Static and dynamic code by the field's rule. Published rows are of other corpora, without "
        "an interval, chosen on test."
    )
    return Table(caption, STATIC_DYNAMIC, rows)


def headline(summary: Summary) -> str:
    """Say in one sentence what the run reached."""
    wanted = {"eer_mu2": "EER of mu2", "phn_z1": "phones from z1", "spk_z1": "speakers from z1"}
    parts = [
        f"{words} {shown(name, summary.values[name])} % {_around(summary.cited[name])}".strip()
        for name, words in wanted.items()
        if name in summary.values
    ]
    return listed(parts) if parts else MISSING


def _around(cited: Metrics) -> str:
    return interval({f"x_{end}": cited.get(end) for end in ("low", "high")}, "x")
