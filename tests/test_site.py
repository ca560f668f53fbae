"""The site builds without a warning, opens from disk, asks nobody, and its links lead somewhere."""

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
OPENED = ("index", "model", "params", "metrics", "architecture", "cli", "api/index", "api/model")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    return folder


class Anchors(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {str(given[name]) for name in ("id", "name") if given.get(name)}
        self.links += [str(given[name]) for name in ("href", "src") if given.get(name)]


def broken(site: Path) -> Iterator[str]:
    """Name each link to a file or an anchor that is not there."""
    pages = {path: Anchors(path.read_text()) for path in site.rglob("*.html")}
    for page, found in pages.items():
        if page.name == "404.html":  # for servers, with addresses from the top
            continue
        for link in found.links:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            if not target.is_file():
                yield f"{page.relative_to(site)} -> {link}"
            elif target in pages and anchor and unquote(anchor) not in pages[target].ids:
                yield f"{page.relative_to(site)} -> {link}: no such place"


def test_a_link_to_nothing_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="here">x</h1><a href="#here"></a><a href="b.html#gone"></a><a href="c.html"></a>'
        '<a href="https://example.org/x"></a>'
    )
    (tmp_path / "b.html").write_text("<p>")
    assert list(broken(tmp_path)) == ["a.html -> b.html#gone: no such place", "a.html -> c.html"]


def test_links_and_anchors_lead_somewhere(site):
    assert list(broken(site)) == []


def test_every_page_of_docs_and_every_room_is_there(site):
    written = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    on_one_page = {"shipped", "pretrained", "recording", "transformer", "errors"}
    inside = {path.stem for path in (ROOT / "fhvae").glob("[!_]*") if path.suffix in ("", ".py")}
    wanted = written | {Path("api", f"{room}.md") for room in inside - on_one_page}
    missing = [page for page in wanted if not (site / page).with_suffix(".html").exists()]
    assert missing == []


def test_diagrams_and_equations_are_drawn(site):
    architecture, model = (
        (site / f"{name}.html").read_text() for name in ("architecture", "model")
    )
    assert architecture.count('class="diagram"') == 2
    assert "flowchart TB\n" not in architecture
    assert "recognize_baselines" in architecture.split('class="diagram"')[1]
    assert model.count("<math ") >= 6
    assert "\\mathcal" not in model
    assert 'class="figure"' in model


@pytest.mark.parametrize("width", [1300, 380])
@pytest.mark.parametrize("name", OPENED)
def test_a_page_opens_from_disk_and_asks_nobody(site, browser, name, width):
    said, asked = [], []
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_search_finds_without_a_server(site, browser):
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.locator("[data-md-component=search-query]").first.click()
    page.keyboard.type("hierarchical sampling")
    found = page.locator(".md-search-result__item").filter(has_text="Blocks of K sequences")
    found.first.wait_for(timeout=30_000)
    page.close()


def test_a_table_of_nine_columns_fits_on_a_desk(site, browser):
    """What is out of sight to the right is not read; a table lies in a box that would scroll."""
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.goto((site / "results/paper-default.html").as_uri())
    tables = page.evaluate("""() => [...document.querySelectorAll('article table')].map(one => {
      const box = one.closest('.md-typeset__scrollwrap');
      return [one.rows[0].cells.length, box.scrollWidth - box.clientWidth];
    })""")
    page.close()
    assert max(columns for columns, _ in tables) == 9
    assert [out_of_sight for _, out_of_sight in tables if out_of_sight > 0] == []
