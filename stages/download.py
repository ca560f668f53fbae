"""Corpus name -> local recordings and manifest."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fhvae.commandline import parse_paths, run
from fhvae.corpus.catalogue import recordings
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.corpus.summary import Rates, are_mixed, by_split, counted, summarize, warn_of_mixed
from fhvae.files.atomic import write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams


def main() -> None:
    """Write the local copy of the corpus and count what it holds."""
    corpus_path, metrics_path = parse_paths(__doc__, "corpus", "metrics")
    params = read_params(Params)
    rates: Rates = Counter()
    with closing(recordings(params.corpus)) as found:
        write_corpus(corpus_path, counted(found, rates))
    metrics: dict[str, Any] = summarize(read_corpus(corpus_path))
    if are_mixed(rates):
        warn_of_mixed(rates)
        metrics["rates_hz"] = by_split(rates)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
