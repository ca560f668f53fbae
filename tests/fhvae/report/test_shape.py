"""What figures and the page ask of metrics is there, and what is of another kind is named."""

import json
import shutil

import pytest

from fhvae.errors import ArtifactError
from fhvae.report.run_page.weak import OTHERS
from fhvae.report.shape import SHAPE, VECTORS, _held, read_shaped
from tests.tiny import ROOT


def test_all_that_is_asked_for_is_there_by_name():
    found, leads = read_shaped(ROOT / "metrics"), {}
    for key in (key for _, keys in SHAPE.values() for key in keys):
        stage, *names = key.split(".")
        there = list(_held(found[stage], names, walked=False))
        leads[names[-1]] = leads.get(names[-1], False) or bool(there)
        if len(names) > 1 and names[0] != "absent":
            assert list(_held(found[stage], names[:-1], walked=False)), key
    assert [name for name, there in leads.items() if not there] == []


def test_all_that_fhvae_is_compared_with_is_looked_through():
    assert set(OTHERS) <= set(VECTORS)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("recognize.per.z1.clean", 0.5, r"per\.z1\.clean must be a table, found 0\.5"),
        ("recognize.gap.z1", "x", r"gap\.z1 must be a table, found 'x'"),
        ("verify.mu2.cos.eer", "x", r"mu2\.cos\.eer must be a number, found 'x'"),
        ("verify.difference.cos", [1], r"difference\.cos must be a table, found \[1\]"),
        ("probe.absent", 0.5, r"absent must be a table, found 0\.5"),
        ("download.train.hours", {}, r"train\.hours must be a number, found \{\}"),
        ("convert.denoising.noise5.difference", 1, r"noise5\.difference must be a table, found 1"),
    ],
)
def test_what_is_of_another_kind_is_named(tmp_path, path, value, said):
    shutil.copytree(ROOT / "metrics", tmp_path / "metrics")
    stage, *names, last = path.split(".")
    file = tmp_path / f"metrics/{stage}.json"
    whole = json.loads(file.read_text())
    table = whole
    for name in names:
        table = table[name]
    assert last in table
    table[last] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(ArtifactError, match=rf"{stage}\.json: .*{said}; rerun the stage {stage}$"):
        read_shaped(tmp_path / "metrics")
