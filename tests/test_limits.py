"""metrics/limits.yaml: what it may say, and what each limit forbids."""

from pathlib import Path

import pytest
from limits import LimitsError, broken, parse_limits
from summaries import Side, Value, pair, parse

ROOT = Path(__file__).resolve().parents[1]
BASE = Side(0.10, 0.08, 0.12)


def value(head: object, better: str | None = "lower", base: Side | None = BASE) -> Value:
    return Value("x", better, base, None if head is None else Side(head))


@pytest.mark.parametrize(
    ("limit", "found", "bound"),
    [
        pytest.param("{max: 0.2}", value(0.2), None, id="at-the-largest"),
        pytest.param("{max: 0.2}", value(0.21), "at most 0.2,", id="above"),
        pytest.param("{min: 0.2}", value(0.2), None, id="at-the-smallest"),
        pytest.param("{min: 0.2}", value(0.19), "at least 0.2,", id="below"),
        pytest.param("{worsening: 0.03}", value(0.14), None, id="within-the-margin"),
        pytest.param("{worsening: 0.03}", value(0.16), "at most 0.15, 0.03 beyond", id="beyond"),
        pytest.param("{worsening: 0}", value(0.11), None, id="worse-within-the-interval"),
        pytest.param("{worsening: 0}", value(0.01), None, id="better-is-never-too-much"),
        pytest.param(
            "{worsening: 0.03}", value(0.04, "higher"), "at least 0.05, 0.03", id="higher-is-better"
        ),
        pytest.param("{worsening: 0.03}", value(0.9, "higher"), None, id="higher-and-better"),
        pytest.param("{worsening: 0}", value(0.9, base=None), None, id="new"),
        pytest.param(
            "{worsening: 5}",
            value(-506.0, "higher", Side(-500.0)),
            "at least -505, 5 beyond its value before (-500)",
            id="without-an-interval",
        ),
        pytest.param("{max: 0.2}", value(None), "must be in metrics/summary.json", id="gone"),
        pytest.param("{max: 0.2}", value(float("nan")), "a finite number", id="not-a-number"),
        pytest.param("{max: 0.2}", value(True), "a finite number", id="a-flag"),
    ],
)
def test_a_limit_forbids_what_it_says(limit, found, bound):
    sentences = broken(parse_limits(f"x: {limit}"), [found])
    assert len(sentences) == (bound is not None)
    assert all(bound in sentence for sentence in sentences)


def test_a_limit_of_nothing_is_a_name_to_correct():
    (sentence,) = broken(parse_limits("eer_mu3: {max: 1}"), [value(0.1)])
    assert sentence == (
        "eer_mu3 has a limit in metrics/limits.yaml and must be in metrics/summary.json, found in "
        "neither commit; correct its name there, or take the limit out"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x: {", "must be YAML, found", id="no-yaml"),
        pytest.param("- x", "must hold lines such as", id="a-list"),
        pytest.param("x: 0.2", "x must have some of max, min, worsening, found 0.2", id="bare"),
        pytest.param("x: {}", "x must have some of max, min, worsening", id="empty"),
        pytest.param("x: {maximum: 1}", "x must have some of max, min, worsening", id="a-word"),
        pytest.param("x: {max: high}", "max of x must be a number, found high", id="no-number"),
        pytest.param("x: {max: true}", "max of x must be a number, found True", id="a-flag"),
        pytest.param(
            "x: {worsening: -1}", "worsening of x must be a number of at least 0", id="negative"
        ),
    ],
)
def test_limits_that_say_nothing_are_refused_with_one_sentence(text, words):
    with pytest.raises(LimitsError) as refused:
        parse_limits(text)
    assert str(refused.value).startswith("metrics/limits.yaml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_worsening_needs_to_know_which_way_is_better():
    with pytest.raises(LimitsError, match="worsening of x needs to know which way is better"):
        broken(parse_limits("x: {worsening: 1}"), [value(0.2, better=None)])


def test_no_file_has_no_limits():
    assert parse_limits(None) == {}


def test_the_committed_results_keep_the_committed_limits():
    """Against themselves: every limited value is there, and within its bounds."""
    limits = parse_limits((ROOT / "metrics/limits.yaml").read_text())
    files = [parse((ROOT / f"metrics/summary{end}.json").read_text()) for end in ("", "_intervals")]
    values = pair(files[0], files[0], files[1], files[1])
    assert broken(limits, values) == []
    assert len(limits) > 20
