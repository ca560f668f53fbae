"""All results of a run -> one page to read, to look at and to listen to."""

from dataclasses import dataclass

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder
from fhvae.params.asked import read_params
from fhvae.params.every import EveryParam
from fhvae.report.run_page.page import Sources, gather, render
from fhvae.stage import Input, Output, stage


@dataclass(frozen=True, kw_only=True)
class Params(EveryParam):
    """What the stage reads of params.yaml."""


@stage
def main(
    corpus: Input,
    model: Input,
    metrics: Input,
    plots: Input,
    figures: Input,
    sounds: Input,
    report: Output,
) -> None:
    """Run the stage."""
    sources = Sources(model, metrics, plots, figures, sounds)
    page = gather(sources, read_corpus(corpus), read_params(Params))
    with new_folder(report) as folder:
        (folder / "index.html").write_text(render(page), encoding="utf-8")


if __name__ == "__main__":
    run(main)
