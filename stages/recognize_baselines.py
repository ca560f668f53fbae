"""Recognize phones from frames and their PCA: inputs that need no trained FHVAE."""

from dataclasses import dataclass

from fhvae.baselines.pca import PCA_FILE, read_pca
from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.recognition import RecognitionParams
from fhvae.params.run import Evaluated
from fhvae.params.segments import SegmentsParams
from fhvae.recognition.cells import plan_jobs, run_jobs, write_edits
from fhvae.recognition.inputs import frame_inputs
from fhvae.recognition.matrix import FramePaths, gather_materials
from fhvae.recognition.summary import collect, summarize
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params(Evaluated):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    segments: SegmentsParams
    recognition: RecognitionParams


@stage
def main(
    corpus: Input,
    fbank: Input,
    train_domains: Input,
    test_domains: Input,
    pca: Input,
    edits: Output,
    metrics: Output,
) -> None:
    """Run the stage."""
    params = read_params(Params)
    budget, asked = params.recognition.under(params.protocol), params.recognition
    frames = FramePaths(fbank, train_domains, test_domains)
    materials = gather_materials(read_corpus(corpus), frames, budget, params.corpus.seed)
    inputs = frame_inputs(frames, read_pca(pca / PCA_FILE), params.segments.frames, budget.shift)
    with new_folder(edits) as folder:
        found = run_jobs(plan_jobs(inputs, materials, budget, asked.seed))
        write_edits(folder, found.table)
    results = collect(found, found.table, materials)
    write_metrics(metrics, summarize(results, materials))


if __name__ == "__main__":
    run(main)
