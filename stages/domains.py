"""Recordings -> frames of degraded copies: noise, telephone, room."""

from contextlib import ExitStack
from dataclasses import dataclass

from fhvae.acoustics.render import Draws, prepare, write_copies
from fhvae.acoustics.summary import draws_table, summarize, summarize_noises
from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, write_csv, write_metrics
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams


@stage
def main(
    corpus: Input, fbank: Input, train: Output, topline: Output, test: Output, metrics: Output
) -> None:
    """Write the copies of train and dev, those for toplines, those of test, and what was drawn."""
    params = read_params(Params)
    sections = params.domains, params.fbank
    prepared = prepare(read_corpus(corpus), fbank, *sections, params.corpus.seed)
    counts: dict[str, dict[str, object]] = {}
    with ExitStack() as stack:
        for path, plans, prefix in (
            (train, prepared.train, ""),
            (topline, prepared.topline, "topline_"),
            (test, prepared.test, ""),
        ):
            folder = stack.enter_context(new_folder(path))
            draws: list[Draws] = []
            for plan in plans:
                drawn = write_copies(folder, plan.copies, prepared.front_end)
                counts.setdefault(plan.domain, {})[prefix + plan.split] = summarize(drawn)
                draws += drawn
            write_csv(folder / "draws.csv", draws_table(draws))
    write_metrics(metrics, counts | summarize_noises(prepared.noises))


if __name__ == "__main__":
    run(main)
