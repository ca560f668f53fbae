"""What MkDocs asks while it builds the site (mkdocs.yml): pages that are no file of docs/.

- Pages made from code: params.md, cli.md, api/ (.ci/site_pages.py).
- Pages from elsewhere in the repository, such as CONTRIBUTING.md: `ELSEWHERE`.
- Links stay as GitHub wants them, relative to the file; here they are turned to where a page of
  the site, or a copy of the file, lies.
"""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the library need not be installed
import site_fences  # noqa: E402
import site_pages  # noqa: E402

# In the repository -> on the site.
ELSEWHERE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "fhvae/shipped/README.md": "shipped.md",
    "examples/README.md": "examples.md",
    "params.yaml": "params.md",
    "README.md": "index.md",
    "docs/tour.ipynb": "tour.md",
}
MADE = ("params.md", "cli.md", "tour.md")
COPIED = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
CARDS = ("fhvae/shipped/README.md", "examples/README.md")  # linked, in no menu
UNLISTED = [ELSEWHERE[name] for name in CARDS]
FIGURE = re.compile(r"!\[[^\]]*\]\((assets/\w+\.svg)\)")  # drawn in the color of the text
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"(^```.*?^```[^\S\n]*$)", re.MULTILINE | re.DOTALL)
SHOWN = {
    ".md",
    ".png",
    ".svg",
    ".csv",
    ".txt",
    ".html",
}  # by a browser; other files are copied as .txt


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Draw fences; list the decisions and the rooms of the library in the menu."""
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": site_fences.fences()}
    for section in config.nav or []:
        for entries in section.values():
            entries[:] = [one for entry in entries for one in _expanded(entry)]
    return config


def _expanded(entry: Any) -> list[Any]:
    if not isinstance(entry, dict):
        return [entry]
    ((title, uri),) = entry.items()
    if uri == "decisions/":
        pages = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))
        return [{title: [f"decisions/{name}" for name in pages]}]
    if uri == "api/":
        return [{title: [{room: f"api/{room}.md"} for room in site_pages.rooms()]}]
    return [entry]


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add pages that are made, pages from elsewhere, and what any page links to."""
    pages = {
        "params.md": site_pages.params_page(ROOT),
        "cli.md": site_pages.cli_page(),
        "tour.md": site_pages.notebook_page(ROOT / "docs/tour.ipynb"),
        **site_pages.api_pages(),
        **{ELSEWHERE[name]: _text(ROOT / name) for name in (*COPIED, *CARDS)},
    }
    sources = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    sources += [*COPIED, *CARDS]
    linked = {_target(target, name) for name in sources for target in _targets(_text(ROOT / name))}
    for uri, content in pages.items():
        inclusion = InclusionLevel.NOT_IN_NAV if uri in UNLISTED else InclusionLevel.UNDEFINED
        files.append(File.generated(config, uri, content=content, inclusion=inclusion))
    for path in sorted(linked):
        if not _is_of_site(path) and path not in ELSEWHERE and (ROOT / path).is_file():
            copied = (ROOT / path).read_bytes()
            files.append(File.generated(config, _copy_of(path), content=copied))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links; lay the values of this clone beside the definitions of metrics."""
    uri = page.file.src_uri
    if "```mermaid" in markdown:
        page.meta["hide"] = ["toc"]  # room for the drawing
    if uri == "metrics.md":
        markdown = site_pages.with_values(markdown, ROOT)
    if uri in MADE or uri.startswith("api/"):
        return markdown  # its links were made for the site
    origin = f"docs/{uri}"
    if not (ROOT / origin).exists():
        origin = next(name for name, to in ELSEWHERE.items() if to == uri)
    parts = FENCE.split(markdown)
    for place in range(0, len(parts), 2):
        part = FIGURE.sub(_inlined, parts[place])
        parts[place] = LINK.sub(lambda found: _turned(found, origin, uri), part)
    return "".join(parts)


def _inlined(found: re.Match[str]) -> str:
    drawn = site_fences.STYLE.sub("", _text(ROOT / "docs" / found[1]))
    in_a_line = re.sub(r">\s+<", "><", drawn).strip()
    return f'<div class="figure-box">{in_a_line}</div>'


def _turned(found: re.Match[str], origin: str, uri: str) -> str:
    target, anchor = found[1], found[2] or ""
    path = _target(target, origin)
    if path in ELSEWHERE:
        place = ELSEWHERE[path]
    elif _is_of_site(path):
        place = path.removeprefix("docs/")
    else:
        place = _copy_of(path)
    return posixpath.relpath(place, posixpath.dirname(uri) or ".") + anchor


def _targets(markdown: str) -> list[str]:
    return [found[1] for part in FENCE.split(markdown)[::2] for found in LINK.finditer(part)]


def _target(target: str, origin: str) -> str:
    """Say which file of the repository a link in the file `origin` leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def _is_of_site(path: str) -> bool:
    """Whether MkDocs takes the file from docs/; not HTML, whose place the page beside it takes."""
    return path.startswith("docs/") and not path.endswith(".html")


def _copy_of(path: str) -> str:
    return f"repository/{path}" + ("" if Path(path).suffix in SHOWN else ".txt")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
