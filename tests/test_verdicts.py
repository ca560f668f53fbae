"""Verdicts on values that one cites, and what their intervals must be."""

import json

import pytest
from commit_files import ReportError
from summaries import outside_own, pair, parse_intervals

NAN, INF = float("nan"), float("inf")


def beside(low: float, high: float, better: str = "lower") -> dict[str, str | float]:
    return {"better": better, "low": low, "high": high}


FEW = {"better": "lower", "no_interval": "few speakers"}


def verdict(before, after, old, new):
    (value,) = pair({"x": before}, {"x": after}, {"cited": {"x": old}}, {"cited": {"x": new}})
    return value.verdict


@pytest.mark.parametrize(
    ("before", "old", "new", "expected"),
    [
        pytest.param(0.30, beside(0.25, 0.35), beside(0.1, 0.2), "better", id="far-above"),
        pytest.param(0.05, beside(0.01, 0.09), beside(0.1, 0.2), "worse", id="far-below"),
        pytest.param(0.12, beside(0.11, 0.13), beside(0.1, 0.2), "level", id="in-new"),
        pytest.param(0.25, beside(0.14, 0.36), beside(0.1, 0.2), "level", id="in-old"),
        pytest.param(0.15, beside(0.1, 0.2), beside(0.1, 0.2), "level", id="same"),
        pytest.param(0.30, FEW, beside(0.1, 0.2), "no verdict", id="few-speakers-before"),
        pytest.param(0.30, beside(0.25, 0.35), FEW, "no verdict", id="few-speakers-after"),
        pytest.param(0.30, {"better": "lower"}, beside(0.1, 0.2), "no verdict", id="none-before"),
        pytest.param(0.30, beside(0.25, 0.35), {"better": "lower"}, "no verdict", id="none-after"),
        pytest.param(NAN, beside(0.25, 0.35), beside(0.1, 0.2), "no verdict", id="nan"),
        pytest.param(INF, {"better": "lower"}, {"better": "lower"}, "no verdict", id="infinite"),
        pytest.param("bad", beside(0.25, 0.35), beside(0.1, 0.2), "no verdict", id="a-text"),
        pytest.param(
            0.50, beside(0.25, 0.35), beside(0.1, 0.2), "no verdict", id="outside-its-own"
        ),
        pytest.param(0.30, {}, {}, "no verdict", id="nobody-says-which-way-is-better"),
        pytest.param(
            0.30, beside(0.25, 0.35), beside(0.1, 0.2, "higher"), "worse", id="more-is-better"
        ),
    ],
)
def test_a_verdict_needs_more_than_noise(before, old, new, expected):
    assert verdict(before, 0.15, old, new) == expected


@pytest.mark.parametrize(("after", "expected"), [(-500.0, "better"), (-520.0, "worse")])
def test_a_value_that_is_not_resampled_is_judged_by_itself(after, expected):
    direction = {"better": "higher"}
    assert verdict(-510.0, after, direction, direction) == expected


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_not_finite_is_never_level(value):
    """Not even with itself: nobody looks at what is folded away as the same."""
    own = {"cited": {"x": beside(0.1, 0.2)}}
    (both,) = pair({"x": value}, {"x": value}, own, own)
    assert (both.verdict, both.moved) == ("no verdict", True)
    assert both.why_unjudged == "the value after is not finite"


@pytest.mark.parametrize("after", [0.1, 0.3])
def test_a_lost_interval_is_named(after):
    """Also of a value that stays: what is folded away as the same has lost nothing."""
    (value,) = pair(
        {"x": 0.1}, {"x": after}, {"cited": {"x": beside(0.05, 0.15)}}, {"cited": {"x": {}}}
    )
    assert (value.verdict, value.moved) == ("no verdict", True)
    assert value.why_unjudged == "the value after has no interval"


def test_a_value_outside_its_own_interval_is_named():
    own = {"cited": {"inside": beside(0.1, 0.2), "outside": beside(0.1, 0.2)}}
    values = {"inside": 0.2, "outside": 0.25}
    assert outside_own(pair(values, values, own, own)) == [
        "outside is 0.25 after, outside its own interval (0.1 to 0.2)"
    ]


@pytest.mark.parametrize(
    ("own", "words"),
    [
        pytest.param({"low": 0.1}, "finite numbers in this order, found 0.1 and None", id="half"),
        pytest.param({"low": 0.2, "high": 0.1}, "found 0.2 and 0.1", id="turned-around"),
        pytest.param({"low": 0.1, "high": NAN}, "found 0.1 and nan", id="nan"),
        pytest.param({"low": "0.1", "high": 1}, "found `'0.1'` and 1", id="a-text"),
        pytest.param({"better": "more"}, "must be lower or higher, found `'more'`", id="no-way"),
        pytest.param(3, "must be an object of names and values, found a number, 3", id="a-number"),
    ],
)
def test_what_stands_beside_a_value_is_checked(own, words):
    with pytest.raises(ReportError) as refused:
        parse_intervals(json.dumps({"cited": {"x": own}}).encode(), "metrics/beside.json")
    assert words in str(refused.value)
    assert "x in metrics/beside.json" in str(refused.value)
