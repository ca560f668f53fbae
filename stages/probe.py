"""Ask what linear classifiers read from z1, z2 and a frame: the phone, or the speaker."""

from fhvae.artifacts import read_packed, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.latents import read_latents
from fhvae.params import load_params
from fhvae.plots.probe import draw_probes
from fhvae.probes.accuracy import run_probes
from fhvae.probes.rows import segment_rows
from fhvae.probes.summary import Labelling, plan_tasks, summarize


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, latents, metrics_path, plots = parse_paths(
        __doc__, "corpus", "fbank", "latents", "metrics", "plots"
    )
    params = load_params()
    corpus = read_corpus(corpus_path)
    rows = {
        split: segment_rows(
            read_latents(latents / f"{split}.safetensors"),
            read_packed(fbank / split),
            corpus.split(split),
        )
        for split in ("train", "dev", "test")
    }
    labelling = Labelling(corpus.phones, params.fbank.hop_ms)
    plan = plan_tasks(rows, labelling, params.probes.max_segments, params.seed)
    results = run_probes(plan.tasks, params.probes.penalties, params.probes.bootstrap, params.seed)
    metrics = summarize(plan, results)
    draw_probes(plots / "probe.png", metrics)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
