"""Links between pages work where GitHub shows them: the file is there, and so is the heading."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "fhvae/shipped/README.md",
    ROOT / "examples/README.md",
]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """Name a heading as GitHub does: letters, digits, hyphens and underscores stay."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def broken(page: Path) -> Iterator[str]:
    for target, place in LINK.findall(FENCE.sub("", page.read_text())):
        file = (page.parent / target).resolve() if target else page
        if not file.exists():
            yield target
        elif place and file.suffix == ".md":
            headings = HEADING.findall(FENCE.sub("", file.read_text()))
            if place not in map(anchor, headings):
                yield f"{target}#{place}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    assert list(broken(page)) == []


def test_a_link_to_nothing_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# What's `new`: 1, 2\n```\n# no\n```\n")
    page = tmp_path / "a.md"
    page.write_text("[x](b.md#whats-new-1-2) [x](c.md) [x](b.md#no) [x](#gone) [x](https://y.z/c)")
    assert list(broken(page)) == ["c.md", "b.md#no", "#gone"]
