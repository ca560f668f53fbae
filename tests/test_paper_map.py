"""docs/paper-map.md, the code that cites it, the symbols and the tests it names, agree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = dict(
    re.findall(
        r"^### (\S+)\n(.*?)(?=^##|\Z)",
        (ROOT / "docs/paper-map.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)
CITATION = re.compile(r"paper-map:\s*((?:[a-z0-9-]+,\s*)*[a-z0-9-]+)", re.IGNORECASE)

each_entry = pytest.mark.parametrize("key", ENTRIES)


def cited() -> dict[str, Path]:
    found = {}
    for folder in ("fhvae", "stages", "benchmarks", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            for keys in CITATION.findall(path.read_text()):
                found.update(dict.fromkeys(re.split(r",\s*", keys), path))
    return found


def definitions(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in body if isinstance(node, kinds)}


def defined(path: Path, names: list[str]) -> bool:
    """Say whether a file defines names[0], and that names[1], and so on."""
    body = ast.parse(path.read_text()).body
    for name in names:
        found = definitions(body)
        if name not in found:
            return False
        body = found[name].body
    return True


def symbol_exists(symbol: str) -> bool:
    parts = symbol.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        path = ROOT.joinpath(*parts[:cut]).with_suffix(".py")
        if path.is_file():
            return defined(path, parts[cut:])
    return False


def test_every_cited_key_stands_in_the_map():
    keys = cited()
    assert "segment-lower-bound" in keys
    assert {key: str(path) for key, path in keys.items() if key not in ENTRIES} == {}


@each_entry
def test_an_entry_names_code_that_exists(key):
    symbols = re.findall(r"`(fhvae\.[\w.]+)`", ENTRIES[key])
    assert symbols
    assert [symbol for symbol in symbols if not symbol_exists(symbol)] == []


@each_entry
def test_an_entry_names_tests_that_exist(key):
    places = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", ENTRIES[key])
    assert places
    missing = [
        f"{path}::{name}"
        for path, name in places
        if not (ROOT / path).is_file() or (name and not defined(ROOT / path, [name]))
    ]
    assert missing == []


def test_links_of_the_docs_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
