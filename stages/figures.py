"""Metrics, curves and latents of earlier stages -> pictures; no number is computed here."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder, read_json
from fhvae.files.packed import read_packed
from fhvae.latents import read_latents
from fhvae.model.weights import read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.run import Seeded
from fhvae.report.figures.decoded import decode_otherwise
from fhvae.report.figures.every import DRAWN_METRICS, Drawn, draw_every
from fhvae.report.figures.latent_maps import latent_maps
from fhvae.report.figures.learning_curve import COLUMNS
from fhvae.report.run_page.readers import read_curve as read_learning_curve
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
    corpus_path, fbank, model, latents, scores, metrics, plots, drawn = parse_paths(
        __doc__, "corpus", "fbank", "model", "latents", "scores", "metrics", "plots", "drawn"
    )
    params = read_params(Params)
    corpus, trained = read_corpus(corpus_path), read_model(model, choose_device())
    of_test = read_latents(latents / "test.safetensors")
    systems = pd.read_csv(plots / "det.csv")["system"].unique()
    figures = Drawn(
        read_learning_curve(plots, COLUMNS),
        {name: read_curve(scores / f"{name}.tsv") for name in systems},
        pd.read_csv(plots / "det_bands.csv"),
        {stage: read_json(metrics / f"{stage}.json") for stage in DRAWN_METRICS},
        latent_maps(of_test, corpus, params.latents, params.seed),
        decode_otherwise(trained, read_packed(fbank / "test"), of_test, corpus),
    )
    with new_folder(drawn) as folder:
        draw_every(figures, plots, folder)


if __name__ == "__main__":
    run(main)
