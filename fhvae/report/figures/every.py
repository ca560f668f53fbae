"""All figures of a run, by name, each drawn in every format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fhvae.report.figures.decoded import Decoded
from fhvae.report.figures.det import draw_det
from fhvae.report.figures.drawing import COLUMN
from fhvae.report.figures.latent_maps import LatentMap
from fhvae.report.figures.learning_curve import draw_learning_curve
from fhvae.report.figures.matrix import draw_matrix, matrix_cells
from fhvae.report.figures.mismatch import draw_mismatch
from fhvae.report.figures.probe import draw_probes
from fhvae.trials import ErrorCurve

PAGE = (".svg", f"{COLUMN}.svg")  # wide, and for a phone
PAPER = ".pdf"
PICTURE = ".png"
DRAWN_METRICS = ("verify", "probe", "recognize_baselines", "recognize")


@dataclass(frozen=True)
class Drawn:
    """What figures are drawn from; everything that takes long is already computed.

    Attributes:
        learning: the learning curve, a row per epoch.
        curves: error rates of the systems in the DET plot, by `<vector>.<back-end>`.
        bands: of these curves.
        metrics: of the stages `DRAWN_METRICS`.
        maps: `tsne_mu2` and `tsne_z1`.
        decoded: crossed and moved latents.
    """

    learning: pd.DataFrame
    curves: Mapping[str, ErrorCurve]
    bands: pd.DataFrame
    metrics: Mapping[str, Mapping[str, Any]]
    maps: Mapping[str, LatentMap]
    decoded: Decoded

    def figures(self) -> dict[str, Callable[[Path], None]]:
        """Give what draws each figure to a file."""
        verified, probed, *recognized = (self.metrics[stage] for stage in DRAWN_METRICS)
        return {
            "det": lambda path: draw_det(path, self.curves, self.bands, verified),
            "factor_grid": self.decoded.draw_grid,
            "learning_curve": lambda path: draw_learning_curve(path, self.learning),
            "matrix": lambda path: draw_matrix(path, matrix_cells(probed)),
            "mismatch": lambda path: draw_mismatch(path, *recognized),
            "probe": lambda path: draw_probes(path, probed),
            "traversals": self.decoded.draw_traversals,
            **{name: one.draw for name, one in self.maps.items()},
        }


def draw_every(drawn: Drawn, pictures: Path, others: Path) -> None:
    """Draw all figures: PNG files to `pictures`; SVG for a page and PDF for a paper to `others`."""
    for name, draw in drawn.figures().items():
        draw(pictures / f"{name}{PICTURE}")
        for end in (*PAGE, PAPER):
            draw(others / f"{name}{end}")
