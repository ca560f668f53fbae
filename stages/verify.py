"""Ask how well the vector of an utterance tells who speaks."""

from pathlib import Path

from fhvae.artifacts import read_packed, write_csv, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.latents import read_latents
from fhvae.params import load_params
from fhvae.plots.det import DetCurve, det_table, draw_det
from fhvae.seeds import generator
from fhvae.verification.error_rates import det_points, equal_error_rate
from fhvae.verification.intervals import draw_speakers
from fhvae.verification.systems import (
    TrainVectors,
    score_systems,
    speakers_of,
    summarize,
    write_system_scores,
)
from fhvae.verification.trials import pairs_of
from fhvae.verification.vectors import Vectors, utterance_vectors


def read_vectors(latents: Path, fbank: Path, split: str) -> dict[str, Vectors]:
    """Read the vectors of one split by name."""
    stored = read_latents(latents / f"{split}.safetensors")
    return utterance_vectors(stored, read_packed(fbank / split))


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, latents, scores, metrics_path, plots = parse_paths(
        __doc__, "corpus", "fbank", "latents", "scores", "metrics", "plots"
    )
    params = load_params()
    corpus = read_corpus(corpus_path)

    test, train = (read_vectors(latents, fbank, split) for split in ("test", "train"))
    utterance_ids = test["mu2"].utterance_ids
    trials = pairs_of(utterance_ids, speakers_of(utterance_ids, corpus.split("test")))
    train_speakers = speakers_of(train["mu2"].utterance_ids, corpus.split("train"))
    fitted_on = TrainVectors(train, train_speakers)

    systems = score_systems(test, trials, fitted_on, params.verification.lda_dimensions)
    random = generator(params.seed, "verification", "speakers")
    draws = draw_speakers(trials, params.verification.bootstrap, random)
    metrics = summarize(systems, trials, draws, fitted_on)

    curves = {}
    for name, system_scores in systems.scores.items():
        curve = det_points(system_scores, trials.is_target)
        curves[name] = DetCurve(curve.fpr, curve.fnr, float(equal_error_rate(curve)))
    title = f"Test split: {len(trials.speaker_names)} speakers, {len(trials)} trials"
    write_system_scores(scores, systems, trials)
    write_csv(plots / "det.csv", det_table(curves))
    draw_det(plots / "det.png", curves, title)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
