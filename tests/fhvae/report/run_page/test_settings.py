"""Params on the page: under the names of params.yaml, and nobody's folders among them."""

from dataclasses import replace

import pytest

from fhvae.params.asked import read_params
from fhvae.params.every import EveryParam
from fhvae.report.run_page.settings import params_table
from tests.tiny import ROOT


@pytest.fixture
def params(monkeypatch):
    monkeypatch.chdir(ROOT)
    return read_params(EveryParam)


def test_a_folder_is_not_shown_and_no_name_of_python_is(params):
    training = replace(params.training, from_="/home/ada/model")
    rows = dict(params_table(replace(params, training=training)).rows)
    assert rows["training.batch"] == str(params.training.batch)
    assert "/home/ada/model" not in rows.values()
    assert [key for key in rows if key.endswith(("_", ".from", "path", "alignments"))] == []
