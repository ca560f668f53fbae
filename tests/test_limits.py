"""metrics/limits.yaml: what it may say, and what each limit forbids."""

from pathlib import Path

import pytest
from commit_files import ReportError, parse_json
from limits import broken, parse_limits
from summaries import Side, Value, pair

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
    sentences = broken(parse_limits(f"x: {limit}".encode()), [found])
    assert len(sentences) == (bound is not None)
    assert all(bound in sentence for sentence in sentences)


def test_a_limit_of_nothing_is_a_name_to_correct():
    (sentence,) = broken(parse_limits(b"eer_mu3: {max: 1}"), [value(0.1)])
    assert sentence == (
        "eer_mu3 has a limit in metrics/limits.yaml and must be in metrics/summary.json, found in "
        "neither commit; correct its name there, or take the limit out"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x: {", "must be YAML with every name once, found", id="no-yaml"),
        pytest.param("x: {max: 1}\nx: {max: 2}", "found `duplicate key", id="a-name-twice"),
        pytest.param("x: {max: 1, max: 2}", "in line 1;", id="a-word-twice"),
        pytest.param("- x", "must hold lines such as", id="a-list"),
        pytest.param("[]", "found a list, `[]`", id="an-empty-list"),
        pytest.param("5", "found a number, 5;", id="a-number"),
        pytest.param("hello", "found a text, `'hello'`", id="a-text"),
        pytest.param("x: 0.2", "some of max, min, worsening, found a number, 0.2", id="bare"),
        pytest.param("x: {}", "x must have some of max, min, worsening", id="empty"),
        pytest.param("x: {maximum: 1}", "x must have some of max, min, worsening", id="a-word"),
        pytest.param("x: {1: 1}", "x must have some of max, min, worsening", id="a-numbered-word"),
        pytest.param(
            "x: {max: '0.1'}", "finite number, found a text, `'0.1'`", id="number-as-text"
        ),
        pytest.param(
            "x: {max: true}", "max of x must be a finite number, found a flag", id="a-flag"
        ),
        pytest.param("x: {max: .nan}", "a finite number, found a number, nan", id="nan"),
        pytest.param("x: {min: -.inf}", "a finite number, found a number, -inf", id="infinite"),
        pytest.param("x: {max: 1" + 400 * "0" + "}", "a finite number, found a number", id="huge"),
        pytest.param(
            "x: {worsening: -1}",
            "worsening of x must be a finite number of at least",
            id="negative",
        ),
    ],
)
def test_limits_that_say_nothing_are_refused_with_one_sentence(text, words):
    with pytest.raises(ReportError) as refused:
        parse_limits(text.encode())
    assert str(refused.value).startswith("metrics/limits.yaml")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_worsening_needs_to_know_which_way_is_better():
    with pytest.raises(ReportError, match="worsening of x needs to know which way is better"):
        broken(parse_limits(b"x: {worsening: 1}"), [value(0.2, better=None)])


@pytest.mark.parametrize("content", [None, b"", b"# none\n"])
def test_no_file_has_no_limits(content):
    assert parse_limits(content) == {}


def test_a_limit_may_be_written_as_a_power_of_ten():
    assert parse_limits(b"x: {max: 1e-1}")["x"].max == 0.1


def test_the_committed_results_keep_the_committed_limits():
    """Against themselves: every limited value is there, and within its bounds."""
    limits = parse_limits((ROOT / "metrics/limits.yaml").read_bytes())
    paths = [ROOT / f"metrics/summary{end}.json" for end in ("", "_intervals")]
    files = [parse_json(path.read_bytes(), path.name) for path in paths]
    values = pair(files[0], files[0], files[1], files[1])
    assert broken(limits, values) == []
    assert len(limits) > 20
