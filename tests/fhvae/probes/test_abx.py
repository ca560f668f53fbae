"""The item file of ABX, and what is said where the library is missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fhvae.corpus.manifest import Phone, Utterance
from fhvae.probes.abx import (
    COLUMNS,
    AbxErrors,
    Timing,
    abx_errors,
    abx_metrics,
    fit_items,
    is_available,
    triphones,
)
from tests.probe_factory import PROBES


def phones(*names, start=0.1, length=0.1):
    return tuple(
        Phone(round(start + place * length, 3), round(start + (place + 1) * length, 3), name)
        for place, name in enumerate(names)
    )


def said_by(**speakers):
    """Name utterances and who speaks them."""
    return [Utterance(name, "", speaker, "", "", "test", 1.0) for name, speaker in speakers.items()]


def test_triphones_last_from_the_first_phone_to_the_third():
    items = triphones({"u1": phones("b", "ae", "t", "s")}, said_by(u1="anna", u2="bert"))
    assert list(items) == list(COLUMNS)
    assert items.to_numpy().tolist() == [
        ["u1", 0.1, 0.4, "ae", "b", "t", "anna"],
        ["u1", 0.2, 0.5, "t", "ae", "s", "anna"],
    ]


def test_pauses_and_other_splits_are_left_out():
    spoken = {
        "u1": phones("sil", "b", "ae", "t", "h#"),
        "u2": phones("b", "pcl", "p"),  # a closure counts as a pause
        "u3": phones("b", "ae", "t"),
        "u4": phones("b", "ae"),
    }
    items = triphones(spoken, said_by(u1="anna", u2="anna", u4="anna"))
    assert items[["#file", "#phone"]].to_numpy().tolist() == [["u1", "ae"]]
    assert len(triphones({}, [])) == 0


@pytest.mark.parametrize("first", [0, 9])
def test_fitted_times_select_the_vectors_within_the_phones(first):
    """fastabx takes vectors i with onset <= (i + 1/2) / rate <= offset."""
    items = pd.DataFrame([["u1", 0.2, 0.3, "t", "ae", "s", "anna"]], columns=list(COLUMNS))
    (found,) = fit_items(items, Timing(10.0, first), {"u1": 50}).to_dict("records")
    times = (np.arange(50) + 0.5) * 0.01
    chosen = np.flatnonzero((times >= found["onset"] - 1e-9) & (times <= found["offset"] + 1e-9))
    frames = first + chosen  # frame k is centered at 10 k ms
    assert frames.tolist() == list(range(20, 31))


def test_items_beyond_the_code_or_without_length_are_left_out():
    rows = [("u1", start, end, "t", "ae", "s", "anna") for start, end in TIMES]
    items = pd.DataFrame(rows, columns=list(COLUMNS))
    fitted = fit_items(items, Timing(10.0, 9), {"u1": 30})
    assert len(fitted) == 1  # frames 9 to 38: 0.085 to 0.385 s
    assert fitted["onset"][0] == pytest.approx(0.1 - 0.085)
    assert len(fit_items(items, Timing(10.0, 0), {})) == 0


TIMES = [(0.05, 0.2), (0.1, 0.3), (0.2, 0.4), (0.2, 0.21)]


def test_metrics_hold_the_gap(monkeypatch):
    monkeypatch.delenv("FASTABX_WITH_LIBRILIGHT_BUG", raising=False)
    found = abx_metrics({"z1": AbxErrors(0.125, 0.25)}, {"z1": 7})
    assert found == {
        "z1": {"within": 0.125, "across": 0.25, "across_minus_within": 0.125, "items": 7},
        "librilight_bug": False,
    }


@pytest.mark.skipif(not is_available(), reason="fastabx (Python 3.12 or later) is not installed")
def test_perfect_and_random_codes():
    """Vectors that stand for the phone make no error; noise makes one in two."""
    random = np.random.default_rng(1)
    names = ("ae", "iy", "uw")
    spoken, speakers, perfect, noise = {}, {}, {}, {}
    for number in range(24):
        name, middle = f"u{number}", names[number % 3]
        spoken[name], speakers[name] = phones("b", middle, "t", start=0.0), f"s{number % 4}"
        perfect[name] = np.tile(np.eye(3)[number % 3], (31, 1)) + 0.01 * random.normal(size=(31, 3))
        noise[name] = random.normal(size=(31, 3))
    items = fit_items(
        triphones(spoken, said_by(**speakers)), Timing(10.0, 0), dict.fromkeys(spoken, 31)
    )
    assert len(items) == 24
    told, guessed = (abx_errors(codes, items, 10.0, PROBES, seed=0) for codes in (perfect, noise))
    assert (told.within, told.across) == (0, 0)
    assert 0.3 < guessed.within < 0.7
    assert 0.3 < guessed.across < 0.7


class FakeTask:
    def __init__(self, dataset, *, on, by, across, subsampler):
        self.asked = {"on": on, "by": by, "across": across, "subsampler": subsampler} | dataset


class FakeScore:
    def __init__(self, task, distance):
        self.asked = task.asked | {"distance": distance}

    def collapse(self, *, levels):
        FakeScore.seen = [*getattr(FakeScore, "seen", []), self.asked | {"levels": levels}]
        return 0.125 if self.asked["across"] is None else 0.25


class FakeDataset:
    @staticmethod
    def from_item(item, root, frequency, *, feature_maker, extension):
        table = pd.read_csv(item, sep=" ")
        files = sorted(path.name for path in Path(root).glob(f"*{extension}"))
        shape = tuple(feature_maker(Path(root) / files[0]).shape)
        return {"table": table, "frequency": frequency, "files": files, "shape": shape}


def test_what_fastabx_is_asked(monkeypatch):
    """It cannot run below Python 3.12: a stand-in notes the conditions and reads the files."""
    import sys
    import types

    fake = types.ModuleType("fastabx")
    fake.Dataset, fake.Score, fake.Task = FakeDataset, FakeScore, FakeTask
    fake.Subsampler = lambda *sizes: sizes
    monkeypatch.setitem(sys.modules, "fastabx", fake)
    monkeypatch.setattr(FakeScore, "seen", [], raising=False)
    items = triphones({"u1": phones("b", "ae", "t")}, said_by(u1="anna"))
    codes = {"u1": np.zeros((40, 3)), "u2": np.zeros((9, 3))}
    few = replace(PROBES, abx_items=7, abx_speakers=4)
    errors = abx_errors(codes, items, 10.0, few, seed=5)
    assert (errors.within, errors.across) == (0.125, 0.25)
    within, across = FakeScore.seen
    assert within["table"].to_numpy().tolist() == [["n000000", 0.1, 0.4, "ae", "b", "t", "n000000"]]
    assert (within["files"], within["shape"], within["frequency"]) == (
        ["n000000.npy"],
        (40, 3),
        100,
    )
    assert within["by"] == ["prev-phone", "next-phone", "speaker"]
    assert within["subsampler"] == (7, None, 5)
    assert (across["by"], across["across"]) == (["prev-phone", "next-phone"], ["speaker"])
    assert across["subsampler"] == (7, 4, 5)
    assert {one["distance"] for one in FakeScore.seen} == {"angular"}
    assert across["levels"] == [("next-phone", "prev-phone"), "speaker"]
