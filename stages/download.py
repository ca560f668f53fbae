"""Corpus name -> local recordings and manifest."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from fhvae.artifacts import write_csv, write_metrics
from fhvae.commandline import parse_paths, run
from fhvae.corpus.catalogue import recordings
from fhvae.corpus.manifest import Recording, Refused
from fhvae.corpus.rates import Rates, are_mixed, by_split, counted, warn_of_mixed
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.corpus.summary import summarize
from fhvae.domains.conditioning import CLEAN, condition
from fhvae.domains.copies import Draws
from fhvae.domains.summary import draws_table, summarize_conditions
from fhvae.params import Params, load_params


def main() -> None:
    """Write the local copy of the corpus and count what it holds."""
    corpus_path, metrics_path = parse_paths(__doc__, "corpus", "metrics")
    params = load_params()
    metrics: dict[str, Any] = {}
    rates: Rates = Counter()
    if set(params.corpus.conditions) - {CLEAN}:
        metrics["conditions"] = summarize_conditions(write_conditioned(corpus_path, params, rates))
    else:
        write_clean(corpus_path, params, rates)
    if are_mixed(rates):
        warn_of_mixed(rates)
        metrics["rates_hz"] = by_split(rates)
    write_metrics(metrics_path, summarize(read_corpus(corpus_path)) | metrics)


def write_clean(folder: Path, params: Params, rates: Rates) -> None:
    """Write the recordings as they are."""
    with closing(recordings(params.corpus, params.seed)) as found:
        write_corpus(folder, counted(found, rates))


def write_conditioned(folder: Path, params: Params, rates: Rates) -> list[Draws]:
    """Write the recordings as they are heard in `corpus.conditions`, and what was drawn."""
    drawn: list[Draws] = []
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".clean-", dir=folder.parent) as scratch:
        clean = Path(scratch) / "clean"
        write_clean(clean, params, rates)
        write_corpus(folder, _heard(clean, params, drawn))
    write_csv(folder / "conditions.csv", draws_table(drawn))
    return drawn


def _heard(clean: Path, params: Params, drawn: list[Draws]) -> Iterator[Recording | Refused]:
    corpus = read_corpus(clean)
    yield from corpus.left_out
    for recording, draws in condition(corpus, params):
        if draws is not None:
            drawn.append(draws)
        yield recording


if __name__ == "__main__":
    run(main)
