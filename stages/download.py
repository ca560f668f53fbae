"""Corpus name -> local recordings and manifest."""

from contextlib import closing
from dataclasses import dataclass

from fhvae.artifacts import write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.catalogue import recordings
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.corpus.summary import summarize
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.run import Seeded


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams


def main() -> None:
    """Write the local copy of the corpus and count what it holds."""
    corpus, metrics = parse_paths(__doc__, "corpus", "metrics")
    params = read_params(Params)
    with closing(recordings(params.corpus, params.seed)) as found:
        write_corpus(corpus, found)
    write_metrics(metrics, summarize(read_corpus(corpus)))


if __name__ == "__main__":
    run(main)
