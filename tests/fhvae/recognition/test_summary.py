"""Cells -> metrics: where each number stands, and the reason where there is none."""

import numpy as np
import pandas as pd
import pytest

from fhvae.recognition.cells import COLUMNS, Experiment
from fhvae.recognition.labels import make_labels
from fhvae.recognition.matrix import Materials, Matrix, TargetSide, TrainSide
from fhvae.recognition.summary import NO_COST, collect, summarize

NAMES = tuple(f"u{number}" for number in range(8))  # eight speakers, one utterance each
PHONES = 100
MATRIX = Matrix(
    train=(
        TrainSide("clean", "clean", ("t0", "t1"), ("d0",)),
        TrainSide("room", "room", ("t0", "t1"), ("d0",), topline=True),
    ),
    test=(
        TargetSide("clean", "clean", NAMES, 8),
        TargetSide("room", "room", NAMES, 8),
        TargetSide("female", "clean", NAMES[:3], 3),
    ),
    absent={"male": "nobody"},
)
MATERIALS = Materials(
    labels=make_labels({"t0": ("aa", "s")}, ["t0"]),
    matrix=MATRIX,
    speakers={},
    left_out={"train": {"without_transcript": 2}},
    test_phones=800,
    unknown_phones=5,
    too_fast=1,
)


def rows(recognizer, source, train, errors, repeat=0):
    """Give every utterance of a domain as many substitutions, by domain."""
    return [
        (
            recognizer,
            source,
            train,
            domain,
            repeat,
            name,
            f"s{name}",
            PHONES,
            count,
            0,
            0,
            "",
            "",
            "",
        )
        for domain, count in errors.items()
        for name in NAMES
    ]


FBANK = [
    *rows("blstm", "fbank", "clean", {"clean": 10, "room": 50}),
    *rows("blstm", "fbank", "room", {"clean": 20, "room": 30}),
]


def metrics_of(own, baselines=FBANK, training=None):
    found, compared = (pd.DataFrame(one, columns=list(COLUMNS)) for one in (own, baselines))
    results = collect(Experiment(found, training or {}), compared, MATERIALS)
    return summarize(results, MATERIALS)


def test_a_recognizer_that_was_not_asked_for_is_absent_with_the_reason():
    linear = [("linear", *row[1:]) for row in FBANK]
    trained = {"linear": {"fbank": {"clean": {"dev_per": 0.5}}}}
    found = metrics_of(linear, linear, trained)
    assert "per" not in found
    assert found["per_linear"]["fbank"]["clean"]["clean"]["per"] == 0.1
    assert found["absent"]["per"].endswith("does not name blstm; per_linear stands for others")
    assert "per" not in metrics_of(FBANK, training={"blstm": {}})["absent"]


def test_error_rates_stand_under_input_training_and_test_side():
    found = metrics_of(rows("blstm", "z1", "clean", {"clean": 20, "room": 45}))
    sides = found["per"]["z1"]["clean"]
    bounds = {name: (one.pop("per_low"), one.pop("per_high")) for name, one in sides.items()
              if "per_low" in one}  # fmt: skip
    assert sides == {"clean": rate(0.2), "room": rate(0.45), "female": rate(0.2)}
    assert set(bounds) == {"clean", "room"}
    assert bounds["clean"][0] < 0.2 < bounds["clean"][1] < bounds["room"][0] < 0.45


def rate(value):
    parts = {"substitutions": value, "deletions": 0, "insertions": 0}
    return {"per": pytest.approx(value), **parts}


def test_the_gap_is_measured_against_fbank_in_both_sides():
    """FBANK 50 % in the room, 30 % trained there; z1 45 %: a quarter of 20 points."""
    found = metrics_of(rows("blstm", "z1", "clean", {"clean": 20, "room": 45}))
    gap = found["gap"]["z1"]["clean"]
    assert set(gap) == {"room"}
    assert gap["room"]["defined"] == 1
    assert gap["room"]["cost"] == pytest.approx(0.2)
    assert gap["room"]["gain"] == pytest.approx(0.05)
    assert gap["room"]["recovered"] == pytest.approx(0.25)
    assert gap["room"]["recovered_low"] == pytest.approx(0.25)
    assert gap["room"]["fbank"] == pytest.approx(gap["room"]["topline"] + gap["room"]["cost"])
    assert gap["room"]["topline_low"] <= gap["room"]["topline"] <= gap["room"]["topline_high"]


def test_fbank_has_no_gap_to_itself():
    found = metrics_of(FBANK)
    assert "gap" not in found
    assert set(found["per"]["fbank"]) == {"clean", "room"}


def test_a_mismatch_without_cost_has_its_reason():
    easy = [
        *rows("blstm", "fbank", "clean", {"clean": 10, "room": 30}),
        *rows("blstm", "fbank", "room", {"clean": 20, "room": 30}),
    ]
    own = rows("blstm", "z1", "clean", {"clean": 20, "room": 25})
    found = metrics_of(own, baselines=easy)
    room = found["gap"]["z1"]["clean"]["room"]
    assert room["defined"] == 0
    assert "recovered" not in room
    assert found["absent"]["gap.z1.clean.room.recovered"] == NO_COST


def test_a_linear_recognizer_has_metrics_of_its_own():
    own = rows("linear", "z1", "clean", {"clean": 30, "room": 60})
    fbank = [("linear", *row[1:]) for row in FBANK]
    training = {"linear": {"z1": {"clean": {"steps": 7.0}}}}
    found = metrics_of(own, baselines=fbank, training=training)
    assert found["per_linear"]["z1"]["clean"]["clean"]["per"] == pytest.approx(0.3)
    assert found["gap_linear"]["z1"]["clean"]["room"]["recovered"] == pytest.approx(-0.5)
    assert found["training_linear"] == training["linear"]
    assert not {"per", "gap", "training"} & set(found)


def test_several_seeds_have_a_spread():
    own = [
        row
        for repeat, errors in enumerate((10, 20, 60))
        for row in rows("blstm", "z1", "clean", {"clean": errors, "room": errors}, repeat)
    ]
    clean = metrics_of(own)["per"]["z1"]["clean"]["clean"]
    assert clean["per"] == pytest.approx(0.3)
    assert clean["per_std"] == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))


def test_what_is_absent_is_named_and_sides_of_few_speakers_are_warned_of(caplog):
    found = metrics_of(rows("blstm", "z1", "clean", {"clean": 20, "room": 45}))
    assert found["absent"]["male"] == "nobody"
    assert "there are 3" in found["absent"]["intervals.female"]
    assert set(found["absent"]) == {"male", "intervals.female"}
    assert "intervals.female is absent: an interval needs at least 6" in caplog.text


def test_the_corpus_is_counted():
    found = metrics_of(rows("blstm", "z1", "clean", {"clean": 20, "room": 45}))
    assert found["corpus"] == {
        "classes": 2,
        "left_out": {"train": {"without_transcript": 2}},
        "train_utterances": {"clean": 2, "room": 2},
        "test_utterances": {"clean": 8, "room": 8, "female": 3},
        "test_speakers": {"clean": 8, "room": 8, "female": 3},
        "test_phones": 800,
        "test_phones_never_taught": 5,
        "too_many_phones_for_ctc": 1,
    }
