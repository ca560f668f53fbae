"""docs/tour.ipynb: ten cells without outputs, and every one of them runs."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
TOUR = json.loads((ROOT / "docs/tour.ipynb").read_text())
CODE = ["".join(cell["source"]) for cell in TOUR["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def player(monkeypatch):
    """Stand for IPython's, which a notebook has and the tests do not; keep what is heard."""
    heard = []
    top, display = ModuleType("IPython"), ModuleType("IPython.display")
    top.get_ipython, top.version_info = (lambda: None), (9, 0)  # matplotlib asks
    display.Audio = lambda data, rate=None: heard.append((data, rate))
    monkeypatch.setitem(sys.modules, "IPython", top)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return heard


def test_it_has_ten_cells_and_no_outputs():
    assert len(TOUR["cells"]) == 10
    for cell in TOUR["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_every_cell_runs(player, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.chdir(ROOT / "docs")
    names: dict[str, object] = {}
    for number, code in enumerate(CODE):
        exec(compile(code, f"tour, cell {number}", "exec"), names)
        pyplot.close("all")
    assert names["voices"].shape == (3, names["model"].dimensions)
    (man, _), (woman, _), (converted, rate_hz) = player
    assert (Path(man).name, Path(woman).name, rate_hz) == ("a.flac", "b.flac", 16000)
    assert np.isfinite(converted).all()
    assert np.abs(converted).max() > 0.01
