"""The learning curve: the columns that training writes, the best epoch, missing values."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from fhvae.plots.learning_curve import PANELS, best_epoch, draw_learning_curve
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


def test_bytes_follow_the_numbers(tmp_path):
    images = []
    for name, table in (("first", curve(6)), ("again", curve(6)), ("other", curve(7))):
        draw_learning_curve(tmp_path / f"{name}.png", table)
        images.append((tmp_path / f"{name}.png").read_bytes())
    assert images[0] == images[1] != images[2]


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_measure_without_values_leaves_its_panel_empty(tmp_path, missing):
    table = curve(1)
    table["dev_eer_mu1"] = missing
    table["dev_eer_mu2"] = missing
    draw_learning_curve(tmp_path / "curve.png", table)
    assert (tmp_path / "curve.png").stat().st_size > 0
