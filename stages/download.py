"""Corpus name -> local recordings and manifest."""

from contextlib import closing

from fhvae.artifacts import write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.catalogue import recordings
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.corpus.summary import summarize
from fhvae.params import load_params


def main() -> None:
    """Write the local copy of the corpus and count what it holds."""
    corpus_path, metrics_path = parse_paths(__doc__, "corpus", "metrics")
    params = load_params()
    with closing(recordings(params.corpus, params.seed)) as found:
        write_corpus(corpus_path, found)
    write_metrics(metrics_path, summarize(read_corpus(corpus_path)))


if __name__ == "__main__":
    run(main)
