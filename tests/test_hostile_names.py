"""The pipeline on names that mean something to a shell, a file system, TeX, HTML or a table.

Its params are as odd as they may be: lists empty or of what is least, networks of one number.
"""

import re
from pathlib import Path

import pandas as pd
import pytest

from fhvae.corpus.listing import check_names
from fhvae.corpus.store import read_corpus
from fhvae.errors import CorpusError
from fhvae.files.atomic import read_json
from tests.tones import write_tone_corpus
from tests.whole_run import run_whole

IDS = [
    "$frac{$", "con", "nul.txt", "aux", "COM1", "end.", "a|b", "<b>x", "-rf", "%s%n",
    "{0.__class__}", ";rm&&", "*?", "'\"", "`x`", "\U0001f600", "a\u0308", "\u540d\u524d", "NaN",
    "null", "007", "1e5", "True", "=1+1", "@x", "~", "#", ",;", "x" * 400,
]  # fmt: skip
SPEAKERS = [
    r"$\frac{$", "con", "nul.txt", "..", "a/b", "a\\b", "a | b", "<script>x</script>", "&amp;",
    "%s", "{0}", "\U0001f600", "-", "x" * 400, "NaN", "_hidden", "end.",
    "two  blanks", "'\"`", "=1+1",
]  # fmt: skip
REFUSED = [
    "",
    ".",
    ".hidden",
    "a b",
    "a/b",
    "a\\b",
    "a\nb",
    "a\0b",
    "a\u202eb",
    "a\x1b[2J",
    "\u200b",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = write_tone_corpus(
        tmp_path_factory.mktemp("named"), {"train": 8, "dev": 4, "test": 8}, seconds=0.7
    )
    manifest, phones = (pd.read_csv(folder / f"{name}.csv") for name in ("manifest", "phones"))
    ids = [*IDS, *(f"{one}2" for one in IDS), *(f"{one}3" for one in IDS)]
    new = dict(zip(manifest["utterance_id"], ids, strict=False))
    named = dict(zip(manifest["speaker"].unique(), SPEAKERS, strict=True))
    for table, name in ((manifest, "manifest"), (phones, "phones")):
        table["utterance_id"] = table["utterance_id"].map(new)
        if "speaker" in table:
            table["speaker"] = table["speaker"].map(named)
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory) -> Path:
    return run_whole(
        tmp_path_factory.mktemp("hostile") / "run",
        corpus,
        fbank__mels=1,
        segments__frames=1,
        model__z1=1,
        model__z2=1,
        domains__train=[],
        domains__topline=[],
        domains__test=[],
        domains__train_noises=[],
        domains__test_noises=[],
        verification__priors=[0.5],
        recognition__headline__recognizers=["linear"],
        recognition__headline__speaker_shares=[],
        recognition__headline__latent_inputs=["untrained"],
    )


@pytest.mark.slow
def test_every_name_comes_through_the_pipeline_as_it_was(run, corpus):
    manifest = pd.read_csv(corpus / "manifest.csv", dtype=str, keep_default_na=False)
    found = read_corpus(run / "data/corpus")
    assert dict(zip(manifest["utterance_id"], manifest["speaker"], strict=True)) == dict(
        found.speaker_of
    )


@pytest.mark.slow
def test_no_file_is_named_after_them(run):
    """Those of data are numbered, all others are of the code."""
    names = {path.name for path in run.rglob("*")}
    assert len(names) > 100
    assert [name for name in names if not re.fullmatch(r"[\w.-]{1,60}", name, re.ASCII)] == []
    assert not names & set(IDS + SPEAKERS)


@pytest.mark.slow
def test_a_name_in_the_page_is_text_and_what_was_not_asked_for_has_its_reason(run):
    page = (run / "data/report/index.html").read_text()
    assert "<script>x" not in page
    assert "does not name blstm" in page
    absent = read_json(run / "metrics/summary_intervals.json")["absent"]
    assert "does not name blstm" in absent["per_z1"]
    assert len(read_json(run / "metrics/summary.json")) > 5


@pytest.mark.parametrize("name", REFUSED, ids=range(len(REFUSED)))
def test_an_id_that_no_table_or_terminal_can_show_is_refused(name):
    with pytest.raises(CorpusError, match=r"^manifest.csv row 2: utterance_id must be a name"):
        check_names(name, "speaker", "manifest.csv row 2")
