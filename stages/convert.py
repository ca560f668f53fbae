"""Convert test speakers into each other and denoise noisy copies; compare both with controls."""

from dataclasses import dataclass

from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, write_csv, write_metrics
from fhvae.listening.run import Setting, measure
from fhvae.listening.summary import table, write_sounds
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.params.listening import ListeningParams


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    listening: ListeningParams


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, model, sounds, metrics_path = parse_paths(
        __doc__, "corpus", "fbank", "model", "sounds", "metrics"
    )
    params, corpus = read_params(Params), read_corpus(corpus_path)
    sections = params.corpus, params.fbank, params.domains, params.listening
    found, metrics = measure(Setting(corpus, fbank, model, *sections))
    with new_folder(sounds) as folder:
        for name, items in found.items():
            write_csv(folder / f"{name}.csv", table(items))
            write_sounds(folder, items)
    write_metrics(metrics_path, metrics)


if __name__ == "__main__":
    run(main)
