"""Recordings -> the corpus as it is heard: clean, or in noise, on the telephone, in a room."""

from dataclasses import dataclass

from fhvae.acoustics.conditions import CLEAN, clean_draws, write_conditioned
from fhvae.acoustics.summary import summarize_conditions
from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import link_folder, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    domains: DomainsParams


@stage
def main(recordings: Input, corpus: Output, metrics: Output) -> None:
    """Write the corpus of every later stage and count who is heard in what."""
    params = read_params(Params)
    recorded, conditions = read_corpus(recordings), params.corpus.conditions
    seed = params.corpus.seed
    if set(conditions) == {CLEAN}:
        link_folder(recordings, corpus)
        drawn = clean_draws(recorded)
    else:
        drawn = write_conditioned(corpus, recorded, conditions, params.domains, seed)
    write_metrics(metrics, summarize_conditions(drawn))


if __name__ == "__main__":
    run(main)
