"""Ask how well the vector of an utterance tells who speaks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from fhvae.commandline import run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import read_corpus
from fhvae.errors import TrialError
from fhvae.files.atomic import new_folder, write_csv, write_metrics
from fhvae.latents import read_latents
from fhvae.parallel import map_in_order
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.run import Evaluated
from fhvae.params.verification import VerificationParams
from fhvae.stage import Input, Output, Shared, stage
from fhvae.verification.closed_set import closed_sets
from fhvae.verification.evaluate import (
    VectorTask,
    evaluate_vector,
    make_evaluation,
    write_lists,
)
from fhvae.verification.parts import compare_parts
from fhvae.verification.static_dynamic import static_dynamic
from fhvae.verification.summary import (
    band_table,
    calibration_table,
    det_table,
    named_curves,
    summarize,
)
from fhvae.verification.trial_lists import find_utterances
from fhvae.verification.vectors import Sources, read_parts, read_vectors

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    verification: VerificationParams


@stage
def main(
    corpus: Input,
    fbank: Input,
    latents: Input,
    ivectors: Input,
    baselines: Input,
    controls: Input,
    scores: Output,
    metrics: Output,
    plots: Shared,
) -> None:
    """Run the stage."""
    params = read_params(Params)
    spoken, seed = read_corpus(corpus), params.corpus.seed
    sources = Sources(fbank, latents, ivectors, baselines, controls)
    vectors = {split: read_vectors(sources, split, seed) for split in SPLITS}
    utterances = {
        split: find_utterances(own["mu2"].utterance_ids, spoken.split(split))
        for split, own in vectors.items()
    }
    evaluation = make_evaluation(utterances, params.verification, params.protocol, seed)
    tasks = [
        VectorTask(name, *(vectors[split][name] for split in SPLITS))
        for name in vectors["test"]
        if all(name in own for own in vectors.values())
    ]

    with new_folder(scores) as folder:
        hashes = write_lists(folder, evaluation)
        evaluate = partial(evaluate_vector, evaluation=evaluation, scores=folder)
        results = list(map_in_order(evaluate, tasks, "compare vectors", unit="vector"))
        write_csv(folder / "calibration.csv", calibration_table(results))

    curves = named_curves(results)
    write_csv(plots / "det.csv", det_table(curves))
    write_csv(plots / "det_bands.csv", band_table(curves))
    found = summarize(results, evaluation, hashes)
    mu2 = vectors["test"]["mu2"]
    parts = read_parts(sources.controls, "test", mu2.utterance_ids)
    found["parts"], absent = compare_parts(
        parts, mu2, evaluation.trials, params.verification.priors
    )
    found["absent"] |= absent
    of_test = read_latents(latents / "test.safetensors")
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "closed_set": partial(closed_sets, vectors["test"], utterances["test"]),
        "static_dynamic": partial(static_dynamic, of_test, evaluation.trials, seed),
    }
    for name, measure in measures.items():
        try:
            found[name] = measure()
        except TrialError as error:
            found["absent"][name] = str(error)
            log.warning("%s is absent: %s", name, error)
    write_metrics(metrics, found)


if __name__ == "__main__":
    run(main)
