"""Corpus name -> local recordings and manifest."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fhvae.commandline import run
from fhvae.corpus.catalogue import recordings
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.corpus.summary import Rates, are_mixed, by_split, counted, summarize, warn_of_mixed
from fhvae.files.atomic import write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.stage import Output, stage


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams


@stage
def main(corpus: Output, metrics: Output) -> None:
    """Write the local copy of the corpus and count what it holds."""
    params = read_params(Params)
    rates: Rates = Counter()
    with closing(recordings(params.corpus)) as found:
        write_corpus(corpus, counted(found, rates))
    counts: dict[str, Any] = summarize(read_corpus(corpus))
    if are_mixed(rates):
        warn_of_mixed(rates)
        counts["rates_hz"] = by_split(rates)
    write_metrics(metrics, counts)


if __name__ == "__main__":
    run(main)
