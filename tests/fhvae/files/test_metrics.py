"""Metrics that another stage reads: what is not there is told with its key and its stage."""

import json

import pytest

from fhvae.errors import ArtifactError
from fhvae.files.metrics import read_metrics


@pytest.fixture
def path(tmp_path):
    (tmp_path / "verify.json").write_text(json.dumps({"mu2": {"cos": {"eer": 0.125, "n": 3}}}))
    return tmp_path / "verify.json"


def test_metrics_are_nested_values(path):
    metrics = read_metrics(path)
    assert metrics == {"mu2": {"cos": {"eer": 0.125, "n": 3}}}
    assert metrics["mu2"]["cos"]["eer"] == 0.125
    assert metrics.get("mu1") is None
    assert "mu1" not in metrics


def test_what_is_not_there_is_told_with_its_key(path):
    with pytest.raises(ArtifactError, match=r"json: mu2\.cos\.low must be there, .* stage verify$"):
        read_metrics(path)["mu2"]["cos"]["low"]


def test_a_count_that_no_float_holds_is_refused(path):
    path.write_text('{"mu2": {"n": ' + "9" * 400 + "}}")
    with pytest.raises(ArtifactError, match=r"json: mu2\.n must be a count .*, it is not; rerun"):
        read_metrics(path)


NO_JSON = {
    "nan": '{"eer": NaN}',
    "infinite": '{"eer": 1e999}',
    "twice": '{"eer": 1, "eer": 2}',
    "deep": "[" * 100_000,
    "half-a-pair": '{"who": "\\ud800"}',
    "list": "[1]",
    "cut": '{"eer": 0.1',
    "mark": "\ufeff{}",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_of_finite_numbers_is_refused(path, name):
    path.write_text(NO_JSON[name], encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"verify\.json is not a JSON object .*stage verify$"):
        read_metrics(path)
