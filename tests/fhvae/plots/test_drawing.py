"""Figures: equal bytes for equal drawings, and nothing left of a drawing that failed."""

import matplotlib as mpl
import pytest

from fhvae.plots.drawing import new_figure


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


def test_a_failed_drawing_leaves_nothing(tmp_path):
    def fail():
        with new_figure(tmp_path / "figure.png", width=2, height=1):
            raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        fail()
    assert list(tmp_path.iterdir()) == []
