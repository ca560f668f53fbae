"""Pages that are made from code say what the code says."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import site_fences
import site_pages
import yaml

from fhvae.params.reading import number

ROOT = Path(__file__).resolve().parents[1]


def test_comments_stand_on_the_line_of_a_key_or_alone_below_it():
    text = """
# Of the file.
alpha: 10.0 # weight; a # in it
corpus: # all of it
  name: espeak # spoken; recorded
  # elsewhere
  conditions: # names
  - clean
  espeak:
    speakers: 60
fbank:
  mels: 80 # bands
"""
    assert site_pages.comments_of(text) == {
        "alpha": "weight; a # in it",
        "corpus": "all of it",
        "corpus.name": "spoken; recorded elsewhere",
        "corpus.conditions": "names",
        "fbank.mels": "bands",
    }


@dataclass(frozen=True, kw_only=True)
class Inner:
    from_: str | None = None
    rate: float = number(above=0, most=1)


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner
    count: int = number(least=2)
    kinds: tuple[Literal["a", "b"], ...]
    shown: bool


def test_types_and_bounds_are_told_in_words():
    assert site_pages.kinds_of(Outer) == {
        "inner.from": "text or empty",
        "inner.rate": "number above 0, at most 1",
        "count": "whole number at least 2",
        "kinds": "list of: one of a, b",
        "shown": "true or false",
    }


def test_every_param_has_its_default_and_the_stages_that_read_it():
    found = {one.key: one for one in site_pages.params()}
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert found["seed"].value == "0"
    assert found["alpha"].value == "10.0"
    assert found["verification.plda_floor"].value == "0.000001"
    assert found["training.from"].value == "empty"
    assert found["training.noise_floor_db"].value == "[]"
    assert found["domains.train_noises"].value == "white, speech_shaped"
    assert found["alpha"].stages == ("train",)
    assert found["fbank.mels"].kind == "whole number at least 1"
    sections = {key for key, value in values.items() if isinstance(value, dict)}
    assert {key.split(".")[0] for key in found} == set(values)
    for section in sections:
        assert all(f"{section}.{name}" in str(list(found)) for name in values[section])
    # silent ones are those that their neighbour explains
    assert sum(not one.comment for one in found.values()) < len(found) / 3
    assert [one.key for one in found.values() if not one.stages] == []


def test_a_row_of_a_table_stays_one_cell_a_column():
    page = site_pages.params_page()
    rows = [line for line in page.splitlines() if line.startswith("| <a id=")]
    assert len(rows) == len(site_pages.params())
    assert all(len(line.replace(r"\|", "").split("|")) == 5 for line in rows)


def test_a_comment_that_names_a_page_links_to_it():
    told = site_pages._sentence("all of it; x*y (docs/evaluation.md)")
    assert told == r"All of it; x\*y ([evaluation.md](evaluation.md))"


def test_each_command_has_its_help():
    page = site_pages.cli_page()
    for name in ("embed", "convert", "train", "doctor"):
        assert f"## fhvae {name}\n\n```text\nusage: fhvae {name} " in page


def test_a_notebook_is_laid_out_cell_by_cell(tmp_path):
    file = tmp_path / "a.ipynb"
    text = {"cell_type": "markdown", "source": ["# A\n", "x"]}
    code = {"cell_type": "code", "source": ["1"]}
    file.write_text(json.dumps({"cells": [text, code]}))
    assert site_pages.notebook_page(file) == "# A\nx\n\n```python\n1\n```\n"


def test_values_stand_beside_their_definitions():
    page = "| value | what | good |\n|---|---|---|\n| `eer_mu2`, `none` | EER | low |\n\n| a |\n"
    header, ruler, row, *rest = site_pages.with_values(page).splitlines()
    assert header.count("|") == ruler.count("|") == row.count("|") == 5
    value = yaml.safe_load((ROOT / "metrics/summary.json").read_text())["eer_mu2"]
    assert f">{value:g} [" in row
    assert row.endswith("<br>- |")
    assert rest == ["", "| a |"]


def test_an_equation_has_a_line_for_each_of_its_own():
    pytest.importorskip("latex2mathml")
    lines = ("\\begin{align*}", "a &= b \\\\", "c &= \\frac{1}{2}", "\\end{align*}", "")
    drawn = site_fences.math("\n".join(lines))
    assert drawn.count("<math ") == 1
    assert drawn.count("<mtr>") == 2
    assert "<mfrac>" in drawn


def test_two_drawings_on_a_page_share_no_id():
    pytest.importorskip("merman")
    first, second = (site_fences.mermaid("flowchart TB\n  a --> b\n") for _ in range(2))
    names = [set(re.findall(r'\sid="([^"]+)"', drawn)) for drawn in (first, second)]
    assert names[0]
    assert not names[0] & names[1]
    assert "<style>" not in first


@pytest.mark.parametrize("source", ["flowchart TB\n  a -->\n", "nothing at all"])
def test_a_drawing_that_cannot_be_read_ends_the_build(source):
    pytest.importorskip("merman")
    with pytest.raises(Exception, match=r"(?i)pars|unknown|diagram"):
        site_fences.mermaid(source)
