"""The section recognition of params.yaml: two budgets, and what each refuses."""

from pathlib import Path

import pytest
import yaml

from fhvae.errors import ParamsError
from fhvae.params.reading import from_mapping
from fhvae.params.recognition import RecognitionParams

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def values():
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["recognition"]


def read(values):
    return from_mapping(RecognitionParams, values, "params.yaml", "recognition")


def test_the_protocol_chooses_the_budget(values):
    found = read(values)
    assert found.under("headline") == found.headline
    assert found.under("full") == found.full
    assert found.full.repeats == 3
    assert set(found.full.recognizers) == {"blstm", "linear"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rates", [], "headline.learning_rates must list one at least, got an empty"),
        ("learning_rates", [0], r"learning_rates\[0\] must be a number above 0, got 0"),
        ("speaker_shares", [0.1, 0.1], "headline.speaker_shares must name each once"),
        ("speaker_shares", [1.0], "at most 0.99"),
        ("latent_inputs", ["z9"], "must be one of z1, z1mu2, untrained, got 'z9'"),
        ("topline_inputs", ["z1"], "headline.topline_inputs must name fbank"),
        ("looks", 10_000, "looks must be at most recognition.headline.steps=600, got 10000"),
        ("dropout", 1.0, "headline.dropout must be .* at most 0.9"),
        ("recognizers", ["gmm"], "must be one of blstm, linear"),
    ],
)
def test_values_that_cannot_be_used(values, key, value, message):
    values["headline"][key] = value
    with pytest.raises(ParamsError, match=message):
        read(values)
