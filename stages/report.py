"""All results of a run -> one page to read, to look at and to listen to."""

from dataclasses import dataclass

from fhvae.commandline import parse_paths, run
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder
from fhvae.params.asked import read_params
from fhvae.params.every import EveryParam
from fhvae.report.run_page.page import Sources, gather, render


@dataclass(frozen=True, kw_only=True)
class Params(EveryParam):
    """What the stage reads of params.yaml."""


def main() -> None:
    """Run the stage."""
    corpus, *sources, report = parse_paths(
        __doc__, "corpus", "model", "metrics", "plots", "figures", "sounds", "report"
    )
    page = gather(Sources(*sources), read_corpus(corpus), read_params(Params))
    with new_folder(report) as folder:
        (folder / "index.html").write_text(render(page), encoding="utf-8")


if __name__ == "__main__":
    run(main)
