"""What one cites on the page: values have words, absent ones a reason, published ones a mark."""

import json

from fhvae.cited import CITED, LEAK
from fhvae.report.published import PAPER, PAPER_HEADER
from fhvae.report.run_page.readers import Summary, read_summary
from fhvae.report.run_page.values import (
    MEANING,
    headline,
    others_table,
    summary_tables,
)
from tests.tiny import ROOT

SUMMARY = Summary(
    {"eer_mu2": 0.0878, "phn_z1": 0.8271, "bound": -552.5464, "collapsed": 1, "spk_z1": 0.1},
    {
        "eer_mu2": {"better": "lower", "from": "", "low": 0.0656, "high": 0.1166},
        "phn_z1": {"better": "higher", "from": "", "no_interval": "few speakers"},
        "spk_z1": {"better": "lower", "from": "", "low": 0.05, "high": 0.2},
        "bound": {"better": "higher", "from": ""},
        "collapsed": {"better": "lower", "from": ""},
    },
    {"per_z1": "no transcripts"},
)


def test_every_value_of_the_summary_has_words():
    named = [name for group in MEANING.values() for name in group]
    assert sorted(named) == sorted([*CITED, LEAK])


def test_values_have_their_unit_their_interval_and_their_reason():
    tables = {table.caption: table for table in summary_tables(SUMMARY)}
    speakers = tables["Speakers"]
    assert speakers.header == ["value", "%", "95 % interval", "better", PAPER_HEADER]
    assert speakers.rows[0] == (
        "EER of mu2 by cosine", "8.8", "[6.6, 11.7]", "lower", PAPER["eer_mu2"],
    )  # fmt: skip
    assert tables["Phones"].rows == [
        ("phone read from z1 by a linear probe, accuracy", "82.7", "few speakers", "higher"),
        ("phone error rate of z1, clean speech", "absent", "no transcripts", ""),
    ]  # fmt: skip
    assert [row[1] for row in tables["Training"].rows] == ["-552.5", "yes"]
    assert tables["Mismatch"].rows == []


def test_the_headline_names_what_there_is():
    assert headline(SUMMARY) == (
        "EER of mu2 8.8 % [6.6, 11.7], phones from z1 82.7 %, speakers from z1 10.0 % [5.0, 20.0]"
    )
    bound = {"bound": {"better": "higher", "from": ""}}
    assert headline(Summary({"bound": -1.0}, bound, {})) == "-"


def test_published_systems_are_marked_as_not_ours():
    metrics = {"verify": json.loads((ROOT / "metrics/verify.json").read_text())}
    rows = others_table(metrics).rows
    own, theirs = [row for row in rows if row[0] == "this run"], rows[len(rows) - 8 :]
    assert len(own) == 3
    assert all(row[0].startswith("published, not ours: ") for row in theirs)


def test_the_committed_summary_can_be_laid_out():
    summary = read_summary(ROOT / "metrics", {})
    rows = [row for table in summary_tables(summary) for row in table.rows]
    assert len(rows) == len(summary.cited) + len(summary.absent)
