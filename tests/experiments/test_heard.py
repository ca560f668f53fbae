"""README's sound and picture are what the package makes today."""

import sys

import pytest

from benchmarks.sizes import ROOT
from experiments import heard


@pytest.mark.slow
def test_sound_and_picture_are_those_of_the_present_code(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["heard", "--folder", str(tmp_path)])
    heard.main()
    for name in (heard.CHANGED, heard.PICTURE):
        committed = (ROOT / "docs" / "assets" / name).read_bytes()
        assert (tmp_path / name).read_bytes() == committed, f"{name}: python -m experiments.heard"
