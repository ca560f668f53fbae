"""What the benchmarks of speed and memory compute from their measurements, by hand."""

from benchmarks import extraction
from benchmarks.sizes import put
from benchmarks.step import medians


def test_dotted_keys_are_put_where_they_belong():
    values = {"alpha": 10.0, "model": {"cells": 128, "z1": 96}}
    put(values, {"alpha": 0.0, "model.cells": 256})
    assert values == {"alpha": 0.0, "model": {"cells": 256, "z1": 96}}


def test_medians_are_taken_figure_by_figure():
    rounds = [{"a": 1.0, "b": 30.0}, {"a": 3.0, "b": 10.0}, {"a": 2.123456, "b": 20.0}]
    assert medians(rounds) == {"a": 2.123, "b": 20.0}


def test_extraction_is_measured_against_one_segment_at_a_time(tiny, monkeypatch):
    monkeypatch.setattr(extraction, "SEQUENCE_FRAMES", 15)
    found = extraction.measure(tiny, rounds=1)
    assert set(found) == {"one_at_a_time_to_whole_utterance", "seconds_of_speech_per_cpu_second"}
    assert min(found.values()) > 0
