"""Recordings -> the corpus as it is heard: clean, or in noise, on the telephone, in a room."""

from dataclasses import dataclass

from fhvae.acoustics.conditions import CLEAN, clean_draws, write_conditioned
from fhvae.acoustics.summary import summarize_conditions
from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import link_folder, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    domains: DomainsParams


def main() -> None:
    """Write the corpus of every later stage and count who is heard in what."""
    recordings, heard, metrics = parse_paths(__doc__, "recordings", "corpus", "metrics")
    params = read_params(Params)
    corpus, conditions = read_corpus(recordings), params.corpus.conditions
    seed = params.corpus.seed
    if set(conditions) == {CLEAN}:
        link_folder(recordings, heard)
        drawn = clean_draws(corpus)
    else:
        drawn = write_conditioned(heard, corpus, conditions, params.domains, seed)
    write_metrics(metrics, summarize_conditions(drawn))


if __name__ == "__main__":
    run(main)
