"""The learning curve: the columns that training writes, each in its line, the best epoch."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from fhvae.report.figures.learning_curve import PANELS, best_epoch, draw_learning_curve
from fhvae.training.dev import DevTerms
from fhvae.training.record import EpochRecord, TrainTerms

COLUMNS = [column for columns in PANELS.values() for column in columns]


def curve(epochs: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(epochs, len(COLUMNS))), columns=COLUMNS)
    table.insert(0, "epoch", np.arange(1, epochs + 1))
    return table


def test_every_column_is_one_that_training_writes():
    train = TrainTerms(**{item.name: 1.0 for item in fields(TrainTerms)})
    dev = DevTerms(**{item.name: 1.0 for item in fields(DevTerms)})
    row = EpochRecord(
        epoch=1, step=2, passes=3, train=train, dev=dev, log_q_of_chance=-1.0, collapsed=""
    ).row()
    assert {"epoch", *COLUMNS} <= set(row)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [([1.0, 3.0, 2.0], 2), ([1.0, 3.0, 3.0], 2), ([np.nan, -5.0, -6.0], 2), ([np.nan] * 3, None)],
)
def test_the_best_epoch_is_the_first_of_the_highest_dev_bound(bounds, expected):
    assert best_epoch(pd.DataFrame({"epoch": [1, 2, 3], "dev_lower_bound": bounds})) == expected


def panels_of(tmp_path, figures, table):
    draw_learning_curve(tmp_path / "curve.png", table)
    return dict(zip(PANELS, figures[-1].axes, strict=True))


def test_each_line_is_the_column_of_its_label(tmp_path, figures):
    table = curve(6)
    for title, axes in panels_of(tmp_path, figures, table).items():
        assert axes.get_title(loc="left") == title
        lines = {line.get_label(): line for line in axes.lines}
        for column, (label, color, dashes) in PANELS[title].items():
            percent = 100 if "EER" in title else 1
            np.testing.assert_array_equal(lines[label].get_xdata(), table["epoch"])
            np.testing.assert_allclose(lines[label].get_ydata(), percent * table[column])
            assert (lines[label].get_color(), lines[label].get_linestyle()) == (color, dashes)
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        assert said == [label for label, _, _ in PANELS[title].values()]


def test_dev_is_solid_and_train_is_dashed():
    for columns in PANELS.values():
        for column, (_, _, dashes) in columns.items():
            assert (dashes == "--") == column.startswith("train_")


def test_a_line_marks_the_best_epoch_in_every_panel(tmp_path, figures):
    table = curve(6)
    table["dev_lower_bound"] = [1.0, 2, 9, 3, 4, 5]
    for axes in panels_of(tmp_path, figures, table).values():
        assert list(axes.lines[-1].get_xdata()) == [3, 3]


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_measure_without_values_leaves_its_panel_empty(tmp_path, figures, missing):
    table = curve(1)
    table["dev_eer_mu1"] = missing
    table["dev_eer_mu2"] = missing
    panels = panels_of(tmp_path, figures, table)
    empty = {title for title, axes in panels.items() if axes.texts}
    assert empty == {"EER on dev, %"}
    assert [text.get_text() for text in panels["EER on dev, %"].texts] == ["no value"]
