"""Ask how well the vector of an utterance tells who speaks."""

from dataclasses import dataclass
from functools import partial

from fhvae.artifacts import new_folder, write_csv, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import read_corpus
from fhvae.parallel import map_in_order
from fhvae.params.asked import read_params
from fhvae.params.run import Evaluated
from fhvae.params.verification import VerificationParams
from fhvae.verification.comparison import evaluate_vector
from fhvae.verification.conditions import labels_of
from fhvae.verification.det import band_table, det_table
from fhvae.verification.plan import make_plan, write_lists
from fhvae.verification.sources import Sources, read_vectors
from fhvae.verification.summary import calibration_table, named_curves, summarize

INPUTS = ("corpus", "fbank", "latents", "ivectors", "controls")


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    verification: VerificationParams


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, latents, ivectors, controls, scores, metrics_path, plots = parse_paths(
        __doc__, *INPUTS, "scores", "metrics", "plots"
    )
    params = read_params(Params)
    corpus = read_corpus(corpus_path)
    sources = Sources(fbank, latents, ivectors, controls)
    vectors = {split: read_vectors(sources, split, params.seed) for split in SPLITS}
    labels = {
        split: labels_of(own["mu2"].utterance_ids, corpus.split(split))
        for split, own in vectors.items()
    }
    plan = make_plan(vectors, labels, params.verification, params.protocol, params.seed)

    with new_folder(scores) as folder:
        hashes = write_lists(folder, plan.setting)
        evaluate = partial(evaluate_vector, setting=plan.setting, scores=folder)
        results = list(map_in_order(evaluate, plan.tasks, "compare vectors", unit="vector"))
        write_csv(folder / "calibration.csv", calibration_table(results))

    curves = named_curves(results)
    write_csv(plots / "det.csv", det_table(curves))
    write_csv(plots / "det_bands.csv", band_table(curves))
    metrics = summarize(results, plan.setting, hashes, labels["train"].speakers, plan.absent)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
