"""Every figure in every format: no text is cut, whatever the corpus lacks; PDF and SVG as asked."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.text import Text

from fhvae.report.figures.drawing import COLUMN_IN
from fhvae.report.figures.every import draw_every
from tests.figure_factory import CASES

ENDS = (".png", ".svg", "-column.svg", ".pdf")
FIGURES = list(CASES["rich"].figures())


@pytest.mark.parametrize("end", [".png", ".pdf"], ids=["wide", "column"])
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut(case, name, end, tmp_path, figures):
    CASES[case].figures()[name](tmp_path / f"{name}{end}")
    figure = figures[-1]
    figure.draw_without_rendering()  # extents as of the layout, not of the file's resolution
    page, unseen = figure.bbox.padded(1.0), unseen_labels(figure)
    outside = [
        text.get_text()
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen
        if not contains(page, text.get_window_extent())
    ]
    assert outside == []


def unseen_labels(figure) -> set[Text]:
    """Find labels of ticks that lie beyond their axis, which keeps them all the same."""
    return {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.majorTicks, *axis.minorTicks)
        for label in (tick.label1, tick.label2)
        if not (axes.axison and min(axis.get_view_interval()) <= tick.get_loc())
        or tick.get_loc() > max(axis.get_view_interval())
    }


def contains(page, box) -> bool:
    return page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1


@pytest.mark.parametrize("case", ["poor", "rich"])
def test_a_cell_says_no_number_of_four_digits(case, tmp_path, figures):
    CASES[case].figures()["matrix"](tmp_path / "matrix.png")
    texts = [text.get_text() for text in figures[-1].axes[0].texts]
    assert {"<-100", "<-100 to >100"} <= set(texts)
    assert not [text for text in texts if re.search(r"\d{4}", text)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("every")
    for name in ("once", "again"):
        draw_every(CASES["rich"], top / name, top / name)
    return top


@pytest.mark.slow
def test_every_format_is_drawn_and_equal_bytes_twice(folder):
    wanted = {f"{name}{end}" for name in FIGURES for end in ENDS}
    assert {path.name for path in (folder / "once").iterdir()} == wanted
    for name in wanted:
        assert (folder / "once" / name).read_bytes() == (folder / "again" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_pdf_is_one_column_wide_with_fonts_that_publishers_take(folder, name):
    content = (folder / "once" / f"{name}.pdf").read_bytes()
    (box,) = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", content)
    assert float(box[0]) == pytest.approx(72 * COLUMN_IN)
    assert b"/Subtype /Type0" in content  # TrueType, as matplotlib embeds type 42
    assert b"/Subtype /Type3" not in content
    assert not re.search(rb"/(CreationDate|Producer|Creator)\b", content)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("end", [".svg", "-column.svg"])
def test_an_svg_can_stand_in_a_page_beside_others(folder, name, end):
    text = (folder / "once" / f"{name}{end}").read_text()
    root = ElementTree.fromstring(text)
    names = [one.get("id") for one in root.iter() if one.get("id")]
    assert names
    assert len(names) == len(set(names))
    assert all(one.startswith(f"{name}{end.removesuffix('.svg')}-") for one in names)
    links = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
    assert set(links) <= set(names)
    assert "<!--" not in text
    assert "#000000" not in text  # black is the color of the text around it
    assert not re.search(r"\d{4}-\d\d-\d\dT", text)
