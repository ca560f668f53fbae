"""Recognize phones from z1: the mismatch matrix, and what z1 recovers of FBANK's losses."""

from dataclasses import dataclass

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, scratch_folder, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.recognition import RecognitionParams
from fhvae.params.run import Evaluated
from fhvae.params.training import TrainingParams
from fhvae.recognition.cells import plan_jobs, read_edits, run_jobs, write_edits
from fhvae.recognition.latent_inputs import Models, make_latent_inputs
from fhvae.recognition.matrix import FramePaths, gather_materials
from fhvae.recognition.summary import collect, summarize
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    training: TrainingParams
    recognition: RecognitionParams


@stage
def main(
    corpus: Input,
    fbank: Input,
    train_domains: Input,
    test_domains: Input,
    model: Input,
    untrained: Input,
    baselines: Input,
    edits: Output,
    metrics: Output,
) -> None:
    """Run the stage."""
    params = read_params(Params)
    budget, asked = params.recognition.under(params.protocol), params.recognition
    paths, models = FramePaths(fbank, train_domains, test_domains), Models(model, untrained)
    materials = gather_materials(read_corpus(corpus), paths, budget, params.corpus.seed)
    compared = read_edits(baselines)
    with new_folder(edits) as folder, scratch_folder(edits) as scratch:
        inputs = make_latent_inputs(models, paths, scratch, materials.matrix, budget)
        found = run_jobs(plan_jobs(inputs, materials, budget, asked.seed))
        write_edits(folder, found.table)
    results = collect(found, compared, materials)
    summary = summarize(results, materials) | {"fhvae_saw": params.training.domains}
    write_metrics(metrics, summary)


if __name__ == "__main__":
    run(main)
