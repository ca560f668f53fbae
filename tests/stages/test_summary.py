"""The stage summary, whole, on the committed metrics and on metrics with holes."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from fhvae.cited import STAGES
from fhvae.errors import ArtifactError
from stages.summary import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def found(tmp_path):
    (tmp_path / "metrics").mkdir()
    for stage in STAGES:
        shutil.copy(ROOT / "metrics" / f"{stage}.json", tmp_path / "metrics")
    return tmp_path / "metrics"


def run(monkeypatch, found: Path) -> tuple[dict, dict]:
    outputs = [found / "summary.json", found / "summary_intervals.json"]
    options = ["--found", found, "--metrics", outputs[0], "--intervals", outputs[1]]
    monkeypatch.setattr(sys, "argv", ["stages.summary", *map(str, options)])
    main()
    first, second = (json.loads(path.read_text()) for path in outputs)
    return first, second


def test_values_are_those_of_the_stages_with_their_intervals_beside(monkeypatch, found):
    values, beside = run(monkeypatch, found)
    cos = json.loads((found / "verify.json").read_text())["mu2"]["cos"]
    assert values["eer_mu2"] == round(cos["eer"], 4)
    assert beside["cited"]["eer_mu2"]["low"] == round(cos["eer_low"], 4)
    assert beside["absent"] == {}
    assert all(isinstance(value, float | int) for value in values.values())


def test_a_corpus_without_phones_has_fewer_values_and_the_reasons(monkeypatch, found):
    for stage in ("recognize", "recognize_baselines"):
        (found / f"{stage}.json").write_text('{"absent": {"per": "no transcripts"}}')
    values, beside = run(monkeypatch, found)
    assert not [name for name in values if name.startswith("per")]
    assert beside["absent"]["per_fbank_mf"] == "no transcripts"


def test_a_stage_that_did_not_run_is_named(monkeypatch, found):
    (found / "probe.json").unlink()
    with pytest.raises(ArtifactError, match=r"probe\.json must exist; rerun the stage"):
        run(monkeypatch, found)
