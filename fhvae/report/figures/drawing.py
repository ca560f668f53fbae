"""What all figures share: a look, a canvas without a screen, and PNG files equal byte for byte."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhvae.files.atomic import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Distinct for color-blind readers (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOR_OF = {"z1": ORANGE, "mu1": ORANGE, "z2": BLUE, "mu2": BLUE, "fbank": GREEN}
DOTS_PER_INCH = 120  # of the PNG files
IMPORT_SETTINGS = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


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
def new_figure(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """Give a figure of `width` by `height` inches; write it to `path` if nothing was raised.

    Equal drawings give equal bytes: the PNG names no program and no date.
    """
    mpl = _import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # no matplotlibrc of the user
        parameters: Any = mpl.rcParams
        parameters.update(STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with new_file(path) as partial:
            figure.savefig(partial, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
