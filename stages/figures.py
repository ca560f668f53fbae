"""Metrics, curves and latents of earlier stages -> pictures; no number is computed here."""

from dataclasses import dataclass
from pathlib import Path

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.files.atomic import new_folder
from fhvae.files.columns import NAME, SHARE, read_csv
from fhvae.files.packed import FRAMES, read_packed
from fhvae.latents import read_latents
from fhvae.model.weights import read_model
from fhvae.params.asked import read_params
from fhvae.params.latents import LatentsParams
from fhvae.params.run import Seeded
from fhvae.report.figures.decoded import decode_otherwise
from fhvae.report.figures.every import DRAWN_METRICS, Drawn, draw_every
from fhvae.report.figures.latent_maps import latent_maps
from fhvae.report.figures.learning_curve import DRAWN
from fhvae.report.run_page.readers import read_curve
from fhvae.report.shape import read_shaped
from fhvae.stage import Input, Output, Shared, stage
from fhvae.trials import ErrorCurve, det_points
from fhvae.verification.scores import read_scores

BANDS = {"system": NAME, "fpr": SHARE, "fnr_low": SHARE, "fnr_high": SHARE}


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    latents: LatentsParams


def curve_of(path: Path) -> ErrorCurve:
    """Follow the error rates of a file of scores, as the stage verify did."""
    read = read_scores(path)
    return det_points(read.scores, read.is_target)


@stage
def main(
    corpus: Input,
    fbank: Input,
    model: Input,
    latents: Input,
    scores: Input,
    metrics: Input,
    plots: Shared,
    drawn: Output,
) -> None:
    """Run the stage."""
    params = read_params(Params)
    spoken, trained = read_corpus(corpus), read_model(model, choose_device())
    of_test = read_latents(latents / "test.safetensors")
    systems = read_csv(plots / "det.csv", {"system": NAME}, "verify")["system"].unique()
    figures = Drawn(
        read_curve(plots, DRAWN),
        {name: curve_of(scores / f"{name}.tsv") for name in systems},
        read_csv(plots / "det_bands.csv", BANDS, "verify"),
        read_shaped(metrics, DRAWN_METRICS),
        latent_maps(of_test, spoken, params.latents, params.seed),
        decode_otherwise(trained, read_packed(fbank / "test", FRAMES), of_test, spoken),
    )
    with new_folder(drawn) as folder:
        draw_every(figures, plots, folder)


if __name__ == "__main__":
    run(main)
