"""The cost of the logits by hand, and what is measured and drawn of it."""

import pytest

from benchmarks import logits
from benchmarks.logits import exponent, shares


def test_logits_are_a_share_of_the_step_without_its_own():
    found = shares({10: 1.0, 40: 4.0, 160: 16.0}, step=12.0, sequences=40)
    assert found == {10: 0.125, 40: 0.5, 160: 2.0}
    assert exponent(found) == 1.0
    assert exponent({10: 1.0, 100: 1.0, 1000: 100.0}) == 2.0


@pytest.mark.slow
def test_logits_are_measured_for_every_number_of_rows(tiny, monkeypatch, tmp_path):
    for name, value in {"ROWS": (20, 40), "SEQUENCES": 20, "SEQUENCE_FRAMES": 15}.items():
        monkeypatch.setattr(logits, name, value)
    found = logits.measure(tiny, rounds=2, repeats=1)
    assert list(found) == [20, 40]
    logits.draw(tmp_path / "logits.png", {"default": {20: 0.1, 40: 0.2}, "paper": found})
    assert (tmp_path / "logits.png").stat().st_size > 0
