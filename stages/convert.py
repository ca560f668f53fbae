"""Convert test speakers into each other and denoise noisy copies; compare both with controls."""

from dataclasses import dataclass

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, write_csv, write_metrics
from fhvae.listening.run import Setting, measure
from fhvae.listening.summary import table, write_sounds
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.params.listening import ListeningParams
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    listening: ListeningParams


@stage
def main(corpus: Input, fbank: Input, model: Input, sounds: Output, metrics: Output) -> None:
    """Run the stage."""
    params = read_params(Params)
    sections = params.corpus, params.fbank, params.domains, params.listening
    found, measured = measure(Setting(read_corpus(corpus), fbank, model, *sections))
    with new_folder(sounds) as folder:
        for name, items in found.items():
            write_csv(folder / f"{name}.csv", table(items))
            write_sounds(folder, items)
    write_metrics(metrics, measured)


if __name__ == "__main__":
    run(main)
