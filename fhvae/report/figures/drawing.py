"""What all figures share: a look, a canvas without a screen, files equal byte for byte.

The end of the file's name says what is drawn, by the same code:

    det.png           for a screen; in git
    det.svg           the same, for a page: black is the color of the text around it
    det-column.svg    for a phone: as narrow as a column of a paper
    det.pdf           for a paper: one column, fonts embedded as TrueType
"""

import io
import logging
import os
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhvae.files.atomic import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


# Distinct for color-blind readers (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY = "#E69F00", "#56B4E9"
COLOR_OF = {"z1": ORANGE, "mu1": ORANGE, "z2": BLUE, "mu2": BLUE, "fbank": GREEN}
DARK_TEXT = "#111111"  # on a bright cell, which stays bright on a dark page
DOTS_PER_INCH = 120  # of the PNG files, and of dots in an SVG
COLUMN = "-column"  # at the end of a name: a narrow drawing
COLUMN_IN = 3.15  # 80 mm, a column of Interspeech; those of the IEEE are wider
MOST_DOTS = 500  # that an SVG holds one by one
LETTER_EM = 0.6  # mean width of a letter of DejaVu Sans
MOST_LETTERS = 20  # of a name that somebody else chose
IMPORT_SETTINGS = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "black",
    "grid.alpha": 0.14,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "text.parse_math": False,  # a speaker's name may hold dollars
}
# What is smaller where a figure is a third as wide.
COLUMN_STYLE: dict[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "lines.linewidth": 0.9,
    "lines.markersize": 2.2,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "legend.handlelength": 1.6,
}
FILES: dict[str, dict[str, Any]] = {
    ".png": {"metadata": {"Software": None}},
    ".svg": {"metadata": dict.fromkeys(("Creator", "Date", "Format", "Type"))},
    ".pdf": {"metadata": dict.fromkeys(("Creator", "Producer", "CreationDate"))},
}
FORMATS: dict[str, Any] = {
    "svg.fonttype": "path",  # no font of the reader
    "svg.hashsalt": "fhvae",  # the same names inside, run by run
    "pdf.fonttype": 42,  # TrueType: publishers refuse type 3
}
BARE = {"figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none"}


def is_column(path: Path) -> bool:
    """Say whether a figure is drawn as narrow as a column."""
    return path.suffix == ".pdf" or path.stem.endswith(COLUMN)


def draws_dots(path: Path, count: int) -> bool:
    """Say whether so many points become a picture inside the file: each costs an SVG 100 bytes."""
    return path.suffix == ".svg" and count > MOST_DOTS


def _import_matplotlib() -> Any:
    """Import matplotlib whatever the user's settings say.

    A notebook exports its backend to what it starts; importing fails where that is not known.
    A matplotlibrc may name one too, or be unreadable.
    """
    before = {name: os.environ.get(name) for name in IMPORT_SETTINGS}
    os.environ.update(IMPORT_SETTINGS)
    try:
        import matplotlib as mpl
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return mpl


@contextmanager
def new_figure(
    path: Path, width: float, height: float, column_height: float | None = None
) -> Iterator["Figure"]:
    """Give a figure of `width` by `height` inches; write it to `path` if nothing was raised.

    Equal drawings give equal bytes: no file names a program or a date.

    Args:
        path: its end says the format, see above.
        width, height: where it is not narrow.
        column_height: where it is; by default in proportion.
    """
    mpl = _import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (width, height)
    if is_column(path):
        size = (COLUMN_IN, column_height or COLUMN_IN * height / width)
    with mpl.rc_context():
        mpl.rcdefaults()  # no matplotlibrc of the user
        parameters: Any = mpl.rcParams
        parameters.update(STYLE | FORMATS)
        parameters.update(COLUMN_STYLE if is_column(path) else {})
        parameters.update(BARE if path.suffix == ".svg" else {})
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        drawn = io.BytesIO()
        how = FILES[path.suffix]
        logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every letter
        figure.savefig(drawn, format=path.suffix[1:], dpi=DOTS_PER_INCH, **how)
        content = drawn.getvalue()
        if path.suffix == ".svg":
            content = _for_a_page(content.decode(), path.stem).encode()
        with new_file(path) as partial:
            partial.write_bytes(content)


def _for_a_page(svg: str, name: str) -> str:
    """Make of an SVG file what can stand among others in a page, light or dark.

    Names inside begin with the figure's, black is the color of the text around it, and comments,
    which repeat every text, are gone.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<image [^>]*?)\bid="[^"]*" ?', r"\1", svg)  # equal images have equal names
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", svg)
    return svg.replace("<svg ", '<svg fill="currentColor" ', 1)


def filled(figure: "Figure", text: str, share: float = 1.0, size: str = "medium") -> str:
    """Break a text into lines that fit a share of the figure's width."""
    from matplotlib.font_manager import FontProperties

    points = FontProperties(size=size).get_size_in_points()
    letters = share * figure.get_figwidth() * 72 / (LETTER_EM * points)  # 72 points an inch
    return textwrap.fill(text, max(8, int(letters)))


def write_reason(figure: "Figure", title: str, reason: str) -> None:
    """Say in an empty figure why nothing is drawn."""
    figure.suptitle(filled(figure, title), x=0.01, ha="left", fontsize="large")
    text = filled(figure, reason, 0.9)
    figure.text(0.5, 0.4, text, ha="center", va="center")


def legible(name: str, most: int = MOST_LETTERS) -> str:
    """Shorten a name that somebody else chose to a line that a legend shows.

    A legend leaves out what begins with an underscore.
    """
    line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)
    cut = line if len(line) <= most else f"{line[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
    return f" {cut}" if cut.startswith("_") else cut


def color_bar(figure: "Figure", image: "AxesImage", beside: Any, label: str) -> None:
    """Put the scale of colors beside some axes."""
    bar = figure.colorbar(image, ax=beside, fraction=0.03, pad=0.02)
    bar.set_label(label, fontsize="small")
    bar.ax.tick_params(labelsize="small")
