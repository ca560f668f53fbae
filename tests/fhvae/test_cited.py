"""What one cites: picked by name, with the interval beside it, or absent with a reason."""

import json
from pathlib import Path

import pytest

from fhvae.cited import (
    CITED,
    LEAK,
    STAGES,
    cite,
    intervals,
    leaks,
    look_up,
    reason_for,
    values,
    why_no_bounds,
)
from fhvae.errors import ArtifactError

ROOT = Path(__file__).resolve().parents[2]
MOST = 25  # columns that a reader bears


def rate(value: float, on_dev: float = 0.5) -> dict[str, float]:
    bounds = {"eer_low": value - 0.01, "eer_high": value + 0.02}
    return {"eer": value, "dev_eer": on_dev, **bounds}


@pytest.fixture
def metrics() -> dict[str, dict]:
    verify = {
        "mu2": {"cos": rate(0.1234567), "best": {**rate(0.05), "backend": "plda"}},
        "mu1": {"cos": rate(0.45, 0.44), "plda": rate(0.31, 0.3), "best": rate(0.1, 0.1)},
        "z1_stats": {"plda": rate(0.2, 0.32), "lda12": rate(0.1, 0.1)},
        "pca": {"lda": rate(0.08, 0.07), "cos": rate(0.06, 0.09)},
        "absent": {"ivector": "no utterance has speech"},
    }
    empty: dict[str, dict] = {stage: {} for stage in STAGES}
    return empty | {"verify": verify}


def test_a_key_that_is_not_there_is_none():
    assert look_up({"a": {"b": 1}}, "a.b") == 1
    assert look_up({"a": {"b": 1}}, "a.c.d") is None


def test_values_are_rounded_and_nothing_else(metrics):
    found = values(cite(metrics))
    assert found["eer_mu2"] == 0.1235
    assert found["best_mu2"] == 0.05
    assert found["eer_mu1"] == 0.45


@pytest.mark.parametrize(
    ("attacker", "on_dev", "eer", "source"),
    [
        pytest.param(("mu1", "lda"), 0.31, 0.31, "verify.mu1.plda.eer", id="who-stands-there"),
        pytest.param(("mu1", "lda"), 0.29, 0.6, "verify.mu1.lda.eer", id="better-on-dev-alone"),
        pytest.param(("mu1", "plda_asn"), 0.3, 0.31, "verify.mu1.plda.eer", id="equal"),
        pytest.param(("z1_stats", "plda_asn"), 0.2, 0.6, "verify.z1_stats.plda_asn.eer", id="std"),
        pytest.param(("mu1", "cos"), 0.2, 0.6, "verify.mu1.cos.eer", id="no-labels"),
        pytest.param(("mu2", "plda"), 0.0, 0.31, "verify.mu1.plda.eer", id="not-of-z1"),
    ],
)
def test_the_leak_is_by_the_attacker_that_is_best_on_dev(metrics, attacker, on_dev, eer, source):
    """On test another is stronger, always: that one was not known before."""
    vector, backend = attacker
    metrics["verify"][vector][backend] = rate(0.6, on_dev)
    found = cite(metrics)
    assert values(found)[LEAK] == eer
    assert found[LEAK].source.key == source
    assert intervals(found, metrics)["cited"][LEAK] == {
        "from": source,
        "better": "higher",
        "low": pytest.approx(eer - 0.01),
        "high": pytest.approx(eer + 0.02),
    }


def test_tables_have_the_leak_of_every_code_that_was_attacked(metrics):
    assert leaks(metrics) == {"z1": rate(0.31, 0.3), "pca": rate(0.08, 0.07)}


def test_without_dev_nobody_is_chosen_and_the_reason_is_told(metrics):
    for vector in ("mu1", "z1_stats"):
        for row in metrics["verify"][vector].values():
            del row["dev_eer"]
    metrics["verify"]["absent"]["mu1.best"] = "no supervised back-end could be chosen on dev"
    found = cite(metrics)
    assert LEAK not in found
    assert intervals(found, metrics)["absent"][LEAK].startswith("no supervised back-end")


def test_what_a_corpus_does_not_have_is_absent_with_the_reason_of_its_stage(metrics):
    metrics["recognize"]["absent"] = {"per": "no phones", "per.z1.male.female": "no women"}
    beside = intervals(cite(metrics), metrics)
    assert set(beside["cited"]) | set(beside["absent"]) == {*CITED, LEAK}
    assert beside["absent"]["eer_ivector"] == "no utterance has speech"
    assert beside["absent"]["per_z1"] == "no phones"
    assert beside["absent"]["per_z1_mf"] == "no women"
    assert beside["absent"]["phn_z1"] == "metrics/probe.json has no phone.z1.accuracy"


def test_a_condition_that_is_not_there_is_the_reason():
    metrics = {"recognize": {"absent": {"female": "test has 1 speaker of gender F"}}}
    assert (
        reason_for("recognize.per.z1.male.female.per", metrics) == "test has 1 speaker of gender F"
    )


def test_a_reason_is_of_the_value_and_not_of_one_whose_name_begins_alike():
    metrics = {"probe": {"absent": {"phone.z": "another", "phon": "another"}}}
    assert "has no" in reason_for("probe.phone.z1.accuracy", metrics)


def test_a_value_without_an_interval_has_no_bounds(metrics):
    del metrics["verify"]["mu2"]["cos"]["eer_low"]
    beside = intervals(cite(metrics), metrics)["cited"]["eer_mu2"]
    assert beside == {
        "from": "verify.mu2.cos.eer",
        "better": "lower",
        "no_interval": "its stage gave no reason",
    }


def test_the_bound_and_the_collapse_need_no_interval(metrics):
    metrics["train"] = {"dev_lower_bound": -500.0, "collapse": {"collapsed": 0}}
    cited = intervals(cite(metrics), metrics)["cited"]
    assert cited["bound"] == {"from": "train.dev_lower_bound", "better": "higher"}
    assert "no_interval" not in cited["collapsed"]


@pytest.mark.parametrize(
    ("absent", "reason"),
    [
        ({"intervals": "few"}, "few"),
        ({"intervals": "few", "intervals.female": "few women"}, "few women"),
        ({"intervals.male": "few men", "intervals.female": "few women"}, "few women"),
        ({"per.z1.intervals": "few of z1", "intervals": "few"}, "few of z1"),
        ({"gap.intervals": "few", "per": "no phones"}, "its stage gave no reason"),
    ],
)
def test_a_missing_interval_has_the_reason_nearest_to_it(absent, reason):
    metrics = {"recognize": {"absent": absent}}
    assert why_no_bounds("recognize.per.z1.male.female.per", metrics) == reason


def test_the_committed_metrics_have_every_value():
    found = cite({s: json.loads((ROOT / f"metrics/{s}.json").read_text()) for s in STAGES})
    assert found.keys() == {*CITED, LEAK}
    assert len(found) <= MOST


@pytest.mark.parametrize("value", ["0.1", True, {}, [0.1]])
def test_a_value_that_is_no_number_is_refused(value):
    metrics = {"verify": {"mu2": {"cos": {"eer": value}}}}
    with pytest.raises(ArtifactError, match=r"verify\.json: mu2\.cos\.eer must be a number, found"):
        cite(metrics)


@pytest.mark.parametrize("absent", [1, ["per"], {"per": 3}])
def test_reasons_that_are_no_words_are_refused(absent):
    with pytest.raises(ArtifactError, match=r"recognize\.json: absent must give reasons in words"):
        intervals({}, {"recognize": {"absent": absent}})
