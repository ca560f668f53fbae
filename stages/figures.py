"""Metrics, curves and latents of earlier stages -> pictures; no number is computed here."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed
from fhvae.latents import read_latents
from fhvae.model.weights import read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.run import Seeded
from fhvae.report.figures.decoded import draw_grid
from fhvae.report.figures.det import draw_det
from fhvae.report.figures.latent_maps import draw_maps
from fhvae.report.figures.learning_curve import draw_learning_curve
from fhvae.report.figures.matrix import draw_matrix, matrix_cells
from fhvae.report.figures.mismatch import draw_mismatch
from fhvae.report.figures.probe import draw_probes
from fhvae.trials import ErrorCurve, det_points
from fhvae.verification.scores import read_scores


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    latents: LatentsParams


def read_curve(path: Path) -> ErrorCurve:
    """Follow the error rates of a file of scores, as the stage verify did."""
    read = read_scores(path)
    return det_points(read.scores, read.is_target)


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, model, latents, scores, metrics, plots = parse_paths(
        __doc__, "corpus", "fbank", "model", "latents", "scores", "metrics", "plots"
    )
    params = read_params(Params)
    corpus, trained = read_corpus(corpus_path), read_model(model, choose_device())
    names = "verify", "probe", "recognize_baselines", "recognize"
    verified, probed, *recognized = (read_json(metrics / f"{name}.json") for name in names)

    draw_learning_curve(plots / "learning_curve.png", pd.read_csv(plots / "learning_curve.csv"))
    of_test = read_latents(latents / "test.safetensors")
    draw_maps(plots, of_test, corpus, params.latents, params.seed)
    undo = trained.normalizer
    draw_grid(plots / "factor_grid.png", trained, read_packed(fbank / "test"), corpus, undo)
    bands = pd.read_csv(plots / "det_bands.csv")
    systems = pd.read_csv(plots / "det.csv")["system"].unique()
    curves = {name: read_curve(scores / f"{name}.tsv") for name in systems}
    draw_det(plots / "det.png", curves, bands, verified)
    draw_probes(plots / "probe.png", probed)
    draw_matrix(plots / "matrix.png", matrix_cells(probed))
    draw_mismatch(plots / "mismatch.png", *recognized)


if __name__ == "__main__":
    run(main)
