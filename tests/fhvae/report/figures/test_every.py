"""Every figure in every format: no text is cut, whatever the corpus lacks; PDF and SVG as asked."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from fhvae.report.figures.decoded import STEPS, Decoded, Move
from fhvae.report.figures.drawing import COLUMN_IN
from fhvae.report.figures.every import Drawn, draw_every
from fhvae.report.figures.latent_maps import LatentMap
from fhvae.report.figures.learning_curve import PANELS
from fhvae.trials import ErrorCurve

ENDS = (".png", ".svg", "-column.svg", ".pdf")
LONG_NAMES = ["$\\frac{$", "speaker-with-a-very-long-name-00017", "s3", "s4", "s5", "_s6", "s7"]
REASON = "the corpus gives no times of phones and no transcripts of any utterance of its test split"


def rates(speakers: int) -> dict:
    return {"eer": 0.16, "eer_low": 0.1, "eer_high": 0.3, "speakers": speakers}


def drawn(metrics: dict, genders: list[str], points: np.ndarray | None) -> Drawn:
    random = np.random.default_rng(0)
    columns = [column for one in PANELS.values() for column in one]
    learning = pd.DataFrame(random.normal(size=(6, len(columns))), columns=columns)
    learning.insert(0, "epoch", np.arange(1, 7))
    rate = np.linspace(0, 1, 20)
    curves = {name: ErrorCurve(rate, rate, rate[::-1]) for name in ("mu2.cos", "ivector.plda")}
    maps = {name: LatentMap(name, points, LONG_NAMES, genders) for name in ("tsne_mu2", "tsne_z1")}
    moves = [Move("mu2", 31, 1.0), Move("z1", 95, 2.0)]
    decoded = Decoded(
        LONG_NAMES[:5],
        random.normal(size=(5, 4, 20)),
        random.normal(size=(5, 5, 4, 20)),
        moves,
        random.normal(size=(2, len(STEPS), 4, 20)),
        10.0,
    )
    bands = pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])
    return Drawn(learning, curves, bands, metrics, maps, decoded)


VERIFY = {
    "trials": {"target": 3, "nontarget": 12},
    "speakers": 4,
    "mu2": {"cos": rates(4)},
    "ivector": {"plda": rates(4)},
}
RICH_PROBE = {
    "phone": {"classes": 40, "chance": 0.03, "z1": {"accuracy": 0.6, "information": 0.5}},
    "speaker": {"speakers": 7, "chance": 0.1, "z1": {"accuracy": 0.2, "information": 0.1}},
    "f0": {"z1": {"r2": -29.45, "r2_low": -80.0, "r2_high": 21.0}},
}
PER = {"clean": {"clean": {"per": 0.3, "per_low": 0.2, "per_high": 0.4}}}
RICH = {
    "verify": VERIFY,
    "probe": RICH_PROBE,
    "recognize_baselines": {"per": {"fbank": PER}},
    "recognize": {"per": {"z1": PER}},
}
# No phones, no sexes; nothing but the pitch could be probed.
POOR = {
    "verify": VERIFY,
    "probe": {"absent": {"phone": REASON, "speaker": REASON}, "f0": RICH_PROBE["f0"]},
    "recognize_baselines": {"absent": {"per": REASON}},
    "recognize": {"absent": {"per": REASON}},
}
EMPTY = POOR | {"probe": {"absent": {"phone": REASON, "speaker": REASON}}}
CASES = {
    "rich": drawn(RICH, list("FMFMFMF"), np.random.default_rng(1).normal(size=(7, 2))),
    "poor": drawn(POOR, [""] * 7, np.random.default_rng(1).normal(size=(7, 2))),
    "empty": drawn(EMPTY, [""] * 7, None),
}
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
    assert all(one.startswith(f"{name}{end.removesuffix('.svg')}-") for one in names)
    links = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
    assert set(links) <= set(names)
    assert "<!--" not in text
    assert "#000000" not in text  # black is the color of the text around it
    assert not re.search(r"\d{4}-\d\d-\d\dT", text)
