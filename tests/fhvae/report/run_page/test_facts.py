"""What was trained on what: counts of the metrics and of the model's own files."""

import json

import pytest
import torch

from fhvae.files.tensors import numbers_in
from fhvae.report.run_page.facts import corpus_table, training_table, warnings_of
from tests.probe_factory import write_network
from tests.tiny import ROOT


def test_splits_are_counted_and_sexes_where_they_are_known():
    known = {
        "speakers": 3,
        "utterances": 1200,
        "hours": 1.234,
        "phones": 40,
        "genders": {"F": 1, "M": 2},
    }
    unknown = {"speakers": 2, "utterances": 4, "hours": 0.1, "phones": 0, "genders": {}}
    assert corpus_table({"test": unknown, "train": known}).rows == [
        ("train", "3 (1 F, 2 M)", "1\u00a0200", "1.23", "40"),
        ("test", "2 (sex unknown)", "4", "0.10", "0"),
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts") / "model"
    return folder, write_network(folder, seed=1)


def test_parameters_are_those_of_the_networks(model):
    folder, trained = model
    expected = sum(one.numel() for one in trained.network.parameters())
    assert numbers_in(folder / "model.safetensors", "train") == expected
    assert isinstance(next(trained.network.parameters()), torch.Tensor)


def test_a_collapse_is_a_warning():
    collapse = {"collapsed": 1, "dev_kl_z2": 1.25, "certain_share": 0.5}
    (warning,) = warnings_of({"collapse": collapse})
    assert "KL of z2 on dev is 1.2 nats" in warning
    assert "50 %" in warning
    assert warnings_of({"collapse": collapse | {"collapsed": 0}}) == []


def test_the_training_is_told_with_its_sizes(model):
    folder, _ = model
    metrics = {"train": json.loads((ROOT / "metrics/train.json").read_text()), "f0": {}}
    rows = dict(training_table(metrics, folder, epochs=16).rows)
    assert rows["input"] == "7 log-mel bands, a frame each 10 ms"
    assert rows["segment"] == "5 frames, 50 ms"
    assert rows["latents"] == "z1 3, z2 4 dimensions"
    assert rows["steps, epochs"] == "4\u00a0800, 16"
    assert rows["corpus"] == "-"  # a folder that does not say where it comes from
    assert rows["arithmetic"].startswith("portable")
    fast = training_table({**metrics, "f0": {"arithmetic": "fast"}}, folder, epochs=16)
    assert dict(fast.rows)["arithmetic"] == "fast"
