"""From edits to error rates, with numbers worked out by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from fhvae.errors import ArtifactError, TrainingError
from fhvae.recognition import cells as cells_module
from fhvae.recognition.cells import (
    COLUMNS,
    CellKey,
    fill_cells,
    plan_jobs,
    read_edits,
    run_job,
    run_jobs,
    write_edits,
)
from fhvae.recognition.inputs import RowReader
from fhvae.recognition.matrix import Materials, Matrix, TargetSide, TrainSide
from fhvae.recognition.train import Learned

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

MATRIX = Matrix(
    train=(),
    test=(
        TargetSide("clean", "clean", ("a1", "a2", "b1"), 2),
        TargetSide("male", "clean", ("b1",), 1),
        TargetSide("room", "room", ("a1", "a2", "b1"), 2),
    ),
    absent={},
)


def row(domain, name, phones, edits, repeat=0):
    speaker = {"a": "anna", "b": "bob"}[name[0]]
    key = ("blstm", "fbank", "clean", domain, repeat)
    wrong, lost, more = edits
    operations = "=" * (phones - wrong - lost) + "S" * wrong + "D" * lost + "I" * more
    said, heard = (" ".join("x" * count) for count in (phones, phones - lost + more))
    return (*key, name, speaker, phones, *edits, said, heard, operations)


def table(rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


ROWS = [
    row("clean", "a1", 10, (1, 0, 0)),
    row("clean", "a2", 30, (0, 2, 1)),
    row("clean", "b1", 20, (5, 0, 0)),
    row("room", "a1", 10, (9, 0, 0)),
    row("room", "a2", 30, (9, 0, 0)),
    row("room", "b1", 20, (9, 0, 0)),
]


def test_edits_are_summed_by_speaker_in_each_test_side():
    cells = fill_cells(table(ROWS), MATRIX)
    clean = cells[CellKey("blstm", "fbank", "clean", "clean")]
    assert clean.speakers == ("anna", "bob")
    assert clean.errors.tolist() == [4, 5]
    assert clean.phones.tolist() == [40, 20]
    assert clean.edits == {"substitutions": 6, "deletions": 2, "insertions": 1}
    assert clean.rate == pytest.approx(9 / 60)
    assert cells[CellKey("blstm", "fbank", "clean", "male")].rate == pytest.approx(5 / 20)
    assert cells[CellKey("blstm", "fbank", "clean", "room")].rate == pytest.approx(27 / 60)


def test_recognizer_seeds_are_pooled_and_their_spread_is_kept():
    again = [row("clean", name, phones, (0, 0, 0), repeat=1) for name, phones in
             (("a1", 10), ("a2", 30), ("b1", 20))]  # fmt: skip
    rooms = [row("room", name, 10, (1, 0, 0), repeat) for name in ("a1", "a2", "b1")
             for repeat in (0, 1)]  # fmt: skip
    cells = fill_cells(table(ROWS[:3] + again + rooms), MATRIX)
    clean = cells[CellKey("blstm", "fbank", "clean", "clean")]
    assert clean.rate == pytest.approx((9 + 0) / 120)
    assert clean.repeat_rates == pytest.approx([9 / 60, 0])


def test_an_utterance_that_was_not_recognized_is_named():
    with pytest.raises(ArtifactError, match="all utterances of clean, a2 is missing"):
        fill_cells(table([ROWS[0], *ROWS[2:]]), MATRIX)


def test_an_empty_table_has_no_cell():
    assert fill_cells(table([]), Matrix((), (), {})) == {}


def test_edits_written_and_read_are_equal(tmp_path):
    rows = table([row("clean", "a1", 2, (1, 0, 0)), row("clean", "b1", 1, (0, 1, 0))])
    write_edits(tmp_path, rows)
    assert read_edits(tmp_path).to_numpy().tolist() == rows.to_numpy().tolist()


@pytest.mark.parametrize(
    ("column", "value"),
    [("substitutions", 2), ("phones", 3), ("operations", "=?"), ("hypothesis", "x"), ("repeat", 0)],
)
def test_edits_that_contradict_themselves_are_refused(tmp_path, column, value):
    rows = table([row("clean", "a1", 2, (1, 0, 0)), row("clean", "a1", 2, (1, 0, 0), repeat=1)])
    rows.loc[1, column] = value
    write_edits(tmp_path, rows)
    with pytest.raises(ArtifactError, match=r"utterances\.csv row 3: counts must be those of its"):
        read_edits(tmp_path)


def test_missing_edits_name_the_stage_to_run(tmp_path):
    with pytest.raises(ArtifactError, match="rerun the stage recognize_baselines"):
        read_edits(tmp_path)


def materials(lesson, *train, test=()):
    matrix = Matrix((lesson.side, *train), test, {})
    speakers = dict.fromkeys(lesson.side.dev_ids, "anna")
    return Materials(lesson.labels, matrix, speakers, {}, 0, 0, 0)


def test_toplines_are_trained_on_their_inputs_only(phone_codes, budget):
    topline = TrainSide("room", "room", ("t00",), ("d00",), topline=True)
    params = replace(budget, recognizers=("blstm", "linear"), topline_inputs=("fbank",))
    inputs = [phone_codes.source, replace(phone_codes.source, name="z1")]
    jobs = plan_jobs(inputs, materials(phone_codes, topline), params, seed=0)
    assert [(one.recognizer, one.source.name, one.side.name) for one in jobs] == [
        ("blstm", "fbank", "clean"), ("blstm", "fbank", "room"), ("blstm", "z1", "clean"),
        ("linear", "fbank", "clean"), ("linear", "fbank", "room"), ("linear", "z1", "clean"),
    ]  # fmt: skip


def test_one_recognizer_is_tested_once_per_domain(phone_codes, budget):
    tests = (
        TargetSide("clean", "clean", ("d00", "d01"), 2),
        TargetSide("male", "clean", ("d01",), 1),  # its utterances are among those of clean
    )
    (job,) = plan_jobs([phone_codes.source], materials(phone_codes, test=tests), budget, seed=0)
    assert [one.name for one in job.tests] == ["clean"]


@pytest.mark.parametrize(("recognizer", "layers"), [("blstm", 2), ("linear", 0)])
def test_the_learning_rate_is_the_best_on_dev_and_the_seeds_are_averaged(
    phone_codes, budget, monkeypatch, recognizer, layers
):
    errors = {(0.01, 0): 0.5, (0.03, 0): 0.2, (0.1, 0): 0.3, (0.03, 1): 0.6}
    labels, names = phone_codes.labels, phone_codes.side.dev_ids[:2]

    def learn(source, side, labels, params, attempt, seed):
        assert attempt.layers == layers
        error = errors[attempt.learning_rate, attempt.repeat]
        return Learned(attempt, None, error, step=10 * (1 + attempt.repeat))

    def recognize(network, reader, normalizer, utterance_ids, labels):
        """The second seed deletes the first phone of every utterance."""
        return {name: labels.references[name][network.repeat :] for name in utterance_ids}

    monkeypatch.setattr(cells_module, "learn", learn)
    monkeypatch.setattr(cells_module, "recognize", recognize)
    monkeypatch.setattr("fhvae.recognition.inputs.Input.open", lambda *_: RowReader(None, None))
    params = replace(
        budget,
        recognizers=(recognizer,),
        layers=2,
        learning_rates=(0.01, 0.03, 0.1),
        repeats=2,
    )
    target = TargetSide("clean", "clean", names, 1)
    jobs = plan_jobs([phone_codes.source], materials(phone_codes, test=(target,)), params, seed=0)
    found = run_job(jobs[0])
    assert (found.learning_rate, found.dev_per, found.steps) == (0.03, pytest.approx(0.4), 15)
    columns = ["repeat", "utterance_id", "speaker", "phones", "deletions", "substitutions"]
    assert found.table[columns].to_numpy().tolist() == [
        [repeat, name, "anna", len(labels.references[name]), repeat, 0]
        for repeat in (0, 1)
        for name in names
    ]
    experiment = run_jobs(jobs)
    assert experiment.table.equals(found.table)
    assert experiment.training[recognizer]["fbank"]["clean"]["learning_rate"] == 0.03


def on_dev(lesson, budget, monkeypatch, **changes):
    """Run a recognizer of the lesson that is tested on dev, as it is."""
    names = lesson.side.dev_ids
    source = lesson.source.open("clean", "dev")
    opened = {"train": lesson.source.open("clean", "train"), "dev": source, "test": source}
    monkeypatch.setattr(
        "fhvae.recognition.inputs.Input.open", lambda self, domain, split: opened[split]
    )
    target = TargetSide("clean", "clean", names, 1)
    params = replace(budget, **changes)
    return plan_jobs([lesson.source], materials(lesson, test=(target,)), params, seed=0)


def test_a_learning_rate_that_diverges_is_none_to_choose_from(phone_codes, budget, monkeypatch):
    jobs = on_dev(phone_codes, budget, monkeypatch, learning_rates=(1e30, 0.03))
    (metrics,) = run_jobs(jobs).training["blstm"]["fbank"].values()
    assert metrics["learning_rate"] == 0.03
    assert metrics["diverged"] == 1
    assert "silent" not in metrics
    jobs = on_dev(phone_codes, budget, monkeypatch, learning_rates=(1e30, 1e29))
    with pytest.raises(TrainingError, match=r"take the rate 1e\+29 out of recognition"):
        run_jobs(jobs)


def test_who_says_nothing_is_named(phone_codes, budget, monkeypatch, caplog):
    """All errors are deletions: an error rate of 1, and no reason in it."""
    jobs = on_dev(phone_codes, budget, monkeypatch, steps=1, looks=1, learning_rates=(1e-9,))
    monkeypatch.setattr(cells_module, "recognize", lambda *given: dict.fromkeys(given[3], ()))
    (metrics,) = run_jobs(jobs).training["blstm"]["fbank"].values()
    assert metrics["silent"] == 1
    assert "recognizes nothing in any test utterance" in caplog.text


def test_without_a_job_there_is_an_empty_table():
    assert list(run_jobs([]).table) == list(COLUMNS)
