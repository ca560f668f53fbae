"""Figures: equal bytes for equal drawings, and nothing left of a drawing that failed."""

import os
import subprocess
import sys

import matplotlib as mpl
import pytest

from fhvae.report.figures.drawing import new_figure


def draw_line(path, heights=(1, 3, 2)):
    with new_figure(path, width=2, height=1) as figure:
        figure.subplots().plot(heights)


def png_chunks(content: bytes) -> list[str]:
    """Name the chunks of a PNG file."""
    place, names = 8, []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        names.append(content[place + 4 : place + 8].decode())
        place += 12 + length
    return names


def test_equal_drawings_give_equal_bytes(tmp_path):
    draw_line(tmp_path / "first.png")
    draw_line(tmp_path / "again.png")
    draw_line(tmp_path / "other.png", heights=(3, 1, 2))
    first, again, other = (
        (tmp_path / f"{name}.png").read_bytes() for name in ("first", "again", "other")
    )
    assert first == again != other


def test_the_file_names_no_program_and_no_date(tmp_path):
    draw_line(tmp_path / "line.png")
    chunks = png_chunks((tmp_path / "line.png").read_bytes())
    assert not {"tEXt", "iTXt", "zTXt", "tIME"} & set(chunks)


def test_settings_of_the_user_neither_enter_nor_change(tmp_path):
    draw_line(tmp_path / "plain.png")
    with mpl.rc_context({"lines.linewidth": 9.0, "font.size": 30.0}):
        draw_line(tmp_path / "styled.png")
        assert mpl.rcParams["font.size"] == 30.0
    assert (tmp_path / "styled.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


DRAW_LINE = """
import sys
from pathlib import Path
from fhvae.report.figures.drawing import new_figure

with new_figure(Path(sys.argv[1]), width=2, height=1) as figure:
    figure.subplots().plot((1, 3, 2))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},  # of a notebook
        {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
        {"MATPLOTLIBRC": "{folder}/broken"},
        pytest.param({"MPLCONFIGDIR": "{folder}/own"}, marks=pytest.mark.slow),  # lists all fonts
        pytest.param(  # no place to write to
            {"MPLCONFIGDIR": "/dev/null/none", "HOME": "/dev/null"}, marks=pytest.mark.slow
        ),
    ],
    ids=["notebook", "no-display", "broken-settings", "own-settings", "no-folder"],
)
def test_the_environment_does_not_change_a_figure(tmp_path, settings):
    (tmp_path / "broken").write_bytes(b"\xff no text")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/matplotlibrc").write_text("lines.linewidth: 9\nbackend: nothing\n")
    changed = {name: value.format(folder=tmp_path) for name, value in settings.items()}
    subprocess.run(
        [sys.executable, "-c", DRAW_LINE, str(tmp_path / "theirs.png")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changed},
        check=True,
    )
    draw_line(tmp_path / "ours.png")
    assert (tmp_path / "theirs.png").read_bytes() == (tmp_path / "ours.png").read_bytes()


def test_the_environment_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("MATPLOTLIBRC", raising=False)
    draw_line(tmp_path / "line.png")
    assert os.environ["MPLBACKEND"] == "TkAgg"
    assert "MATPLOTLIBRC" not in os.environ


def test_a_failed_drawing_leaves_nothing(tmp_path):
    def fail():
        with new_figure(tmp_path / "figure.png", width=2, height=1):
            raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        fail()
    assert list(tmp_path.iterdir()) == []
