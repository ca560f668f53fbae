"""Bars of probe accuracies: heights, bounds and chance of the metrics; absent tasks."""

import pytest
from matplotlib.colors import to_hex

from fhvae.report.figures.drawing import BLUE, GREEN, ORANGE
from fhvae.report.figures.probe import draw_probes


def one_input(accuracy):
    return {
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.05,
        "accuracy_high": accuracy + 0.03,
        "penalty": 0.01,
    }


METRICS = {
    "absent": {},
    "phone": {
        "classes": 40,
        "chance": 0.03,
        "z1": one_input(0.6),
        "z2": one_input(0.1),
        "fbank": one_input(0.4),
    },
    "speaker": {
        "speakers": 24,
        "chance": 0.04,
        "z1": one_input(0.2),
        "z2": {"accuracy": 0.9},
        "fbank": one_input(0.5),
    },
}


@pytest.fixture
def panels(tmp_path, figures):
    draw_probes(tmp_path / "probe.png", METRICS)
    return dict(zip(("phone", "speaker"), figures[-1].axes, strict=True))


@pytest.mark.parametrize("task", ["phone", "speaker"])
def test_each_bar_is_the_accuracy_of_the_input_below_it(panels, task):
    axes, names = panels[task], ("z1", "z2", "fbank")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z1", "z2", "fbank\nframe"]
    found = [100 * METRICS[task][name]["accuracy"] for name in names]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(found)
    assert [bar.get_center()[0] for bar in axes.patches] == pytest.approx([0, 1, 2])
    colors = [to_hex(bar.get_facecolor()) for bar in axes.patches]
    assert colors == [color.lower() for color in (ORANGE, BLUE, GREEN)]
    assert [text.get_text() for text in axes.texts] == [f"{value:.1f}" for value in found]


def test_bounds_stand_on_their_bar_where_there_are_any(panels):
    *bounds, chance = panels["speaker"].lines
    found = {int(x): y for line in bounds for x, y in zip(*line.get_data(), strict=True)}
    ends = [list(line.get_ydata()) for line in bounds]
    assert ends == [pytest.approx([15, 23]), [], pytest.approx([45, 53])]
    assert set(found) == {0, 2}
    assert set(chance.get_ydata()) == {4}


def test_a_title_counts_the_classes(panels):
    assert panels["phone"].get_title(loc="left") == "phone, 40 classes"
    assert panels["speaker"].get_title(loc="left") == "speaker, 24 classes"
    assert panels["phone"].get_title(loc="right") == "- - chance 3.0"


def test_an_absent_task_shows_its_reason(tmp_path, figures):
    reason = "the corpus has no phone times"
    metrics = {"absent": {"phone": reason}, "speaker": METRICS["speaker"]}
    draw_probes(tmp_path / "absent.png", metrics)
    phone, speaker = figures[-1].axes
    assert [text.get_text() for text in phone.texts] == [reason]
    assert len(speaker.patches) == 3
