"""Put a run together as one page that needs no network."""

from dataclasses import dataclass
from pathlib import Path

from fhvae.corpus.store import Corpus
from fhvae.params.every import EveryParam
from fhvae.report.headline import warnings_of
from fhvae.report.published import PAPER_NOTE
from fhvae.report.run_page import facts, values, weak
from fhvae.report.run_page.cells import Table
from fhvae.report.run_page.gallery import Picture, pictures
from fhvae.report.run_page.readers import read_curve, read_summary
from fhvae.report.run_page.settings import params_table, versions_table
from fhvae.report.run_page.sounds import Album, album
from fhvae.report.shape import read_shaped

TEMPLATE, STYLE = "page.jinja", "page.css"


@dataclass(frozen=True)
class Page:
    """What the template lays out.

    Attributes:
        title, headline: at the top.
        warnings: what a reader must know before any figure.
        corpus, training: what was trained on what.
        summary: what one cites.
        published_note: what the published figures beside it are.
        others: static and dynamic code beside other systems.
        pictures: figures by name.
        album: sounds.
        no_sound: said where there are none.
        weak: tables of what is weak; empty ones are left out.
        better: where FHVAE is better.
        settings: tables of params and versions.
    """

    title: str
    headline: str
    warnings: list[str]
    corpus: Table
    training: Table
    summary: list[Table]
    published_note: str
    others: Table
    pictures: dict[str, Picture]
    album: Album
    no_sound: str
    weak: list[Table]
    better: Table
    settings: list[Table]


@dataclass(frozen=True)
class Sources:
    """Where the results of a run lie.

    Attributes:
        model: a model folder.
        metrics: folder of all metrics.
        plots: folder with `learning_curve.csv`.
        figures: folder of SVG files, of the stage figures.
        sounds: folder of the stage convert.
    """

    model: Path
    metrics: Path
    plots: Path
    figures: Path
    sounds: Path


def gather(sources: Sources, corpus: Corpus, params: EveryParam) -> Page:
    """Read the results of a run and lay them out."""
    metrics = read_shaped(sources.metrics)
    summary = read_summary(sources.metrics, metrics)
    learning = read_curve(sources.plots)
    found = weak.differences(metrics)
    tables = [
        weak.differences_table(found, ("worse",), "Where FHVAE is worse: the interval excludes 0."),
        weak.differences_table(found, ("level",), "Where it is level: the interval holds 0."),
        weak.differences_table(found, ("no verdict",), "Without a verdict: speakers are too few."),
        weak.changed_table(metrics["convert"]),
        weak.thin_table(metrics["verify"]),
        weak.absent_table(metrics),
    ]
    return Page(
        f"FHVAE on {params.corpus.name}, alpha {params.alpha:g}",
        values.headline(summary),
        [*warnings_of(metrics), *facts.warnings_of(metrics["train"])],
        facts.corpus_table(metrics["download"]),
        facts.training_table(metrics, sources.model, len(learning)),
        values.summary_tables(summary),
        PAPER_NOTE,
        values.others_table(metrics),
        pictures(sources.figures, metrics, learning),
        album(sources.sounds, corpus),
        why_no_sound(params.listening.examples),
        [table for table in tables if table.rows],
        weak.differences_table(found, ("better",), "Where FHVAE is better."),
        [params_table(params), versions_table()],
    )


def why_no_sound(examples: int) -> str:
    """Say why a page plays nothing, which was asked for or which happened."""
    if examples == 0:
        return "No sound was asked for: listening.examples is 0."
    return "No sound was kept; the reasons are under what is weak."


def render(page: Page) -> str:
    """Write the page as HTML; every text of a corpus stays text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((here / STYLE).read_text(encoding="utf-8"))
    return environment.get_template(TEMPLATE).render(page=page, style=style)
