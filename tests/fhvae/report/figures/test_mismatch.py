"""The mismatch plot: points where their cells say, inputs told apart, and a reason."""

import pytest

from fhvae.report.figures.drawing import GREEN, ORANGE
from fhvae.report.figures.mismatch import draw_mismatch, shown_pairs


def cell(rate):
    return {"per": rate, "per_low": rate - 0.02, "per_high": rate + 0.03}


def rates(offset):
    """Give every cell an error rate of its own."""
    tests = ("clean", "female", "male", "noise0", "noise10", "noise5", "room")  # as JSON sorts
    train = ("clean", "male", "female", "few10", "noise10")
    return {
        one: {test: cell(offset + 0.05 * place + 0.01 * row) for place, test in enumerate(tests)}
        for row, one in enumerate(train)
    }


BASELINES, METRICS = {"per": {"fbank": rates(0.1)}}, {"per": {"z1": rates(0.2)}}
ALL = BASELINES["per"] | METRICS["per"]
PAIRS = [
    ("clean", "clean"),
    ("male", "male"),
    ("male", "female"),
    ("female", "female"),
    ("female", "male"),
    ("clean", "noise10"),
    ("clean", "noise5"),
    ("clean", "noise0"),
    ("clean", "room"),
]


@pytest.fixture
def panels(tmp_path, figures):
    draw_mismatch(tmp_path / "mismatch.png", BASELINES, METRICS)
    return figures[-1].axes


def test_pairs_go_from_matched_to_mismatched():
    assert shown_pairs(ALL) == PAIRS


def test_each_point_is_the_error_rate_of_the_pair_below_it(panels):
    axes = panels[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == [f"{train}\nto {test}" for train, test in PAIRS]
    points = {line.get_label(): line for line in axes.lines if line.get_marker() == "o"}
    assert set(points) == {"FBANK", "z1"}
    for label, color, own in (("FBANK", GREEN, ALL["fbank"]), ("z1", ORANGE, ALL["z1"])):
        expected = [100 * own[train][test]["per"] for train, test in PAIRS]
        assert points[label].get_ydata() == pytest.approx(expected)
        assert points[label].get_color() == color
        assert [round(x) for x in points[label].get_xdata()] == list(range(len(PAIRS)))


def test_each_point_has_its_interval(panels):
    axes = panels[0]
    bars = [line for line in axes.lines if line.get_marker() != "o"]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    places = [(x, y) for line in points for x, y in zip(*line.get_data(), strict=True)]
    assert len(bars) == len(places) == 2 * len(PAIRS)
    for bar, (x, y) in zip(bars, places, strict=True):
        assert list(bar.get_xdata()) == [x, x]
        assert bar.get_ydata() == pytest.approx([y - 2, y + 3])


def test_the_legend_names_the_inputs(panels):
    legend = panels[0].get_legend()
    found = {
        text.get_text(): handle.get_color()
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert found == {"FBANK": GREEN, "z1": ORANGE}


def test_the_budget_goes_from_few_speakers_to_all(panels):
    lines = {line.get_color(): line for line in panels[1].lines if line.get_marker() == "o"}
    for color, own in ((GREEN, ALL["fbank"]), (ORANGE, ALL["z1"])):
        expected = [100 * own[train]["clean"]["per"] for train in ("few10", "clean")]
        assert lines[color].get_ydata() == pytest.approx(expected)
        assert lines[color].get_xdata() == pytest.approx([10, 100], rel=0.05)


def test_a_corpus_without_genders_and_shares_is_drawn(tmp_path, figures):
    plain = {name: {"clean": {"clean": {"per": 0.3}}} for name in ("fbank", "z1")}
    assert shown_pairs(plain) == [("clean", "clean")]
    draw_mismatch(tmp_path / "plain.png", {"per": plain}, {"per": {}})
    assert len(figures[-1].axes[0].lines) == 2  # points, and no interval of few speakers


def test_the_reason_is_drawn_where_nothing_was_recognized(tmp_path, figures):
    draw_mismatch(tmp_path / "none.png", {}, {"absent": {"per": "no transcript"}})
    assert "no transcript" in [text.get_text() for text in figures[-1].texts]
