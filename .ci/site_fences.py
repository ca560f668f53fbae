"""Fences of Markdown that GitHub draws itself, drawn for the site while it is built.

```math becomes MathML, ```mermaid an SVG: the page then needs no script and no network.
"""

import re
from typing import Any

NAMES = ("math", "mermaid")
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
WIDTH = re.compile(r'width="100%"(.*?)style="max-width: ([\d.]+)px;"', re.DOTALL)
SCALE = 0.65  # of a drawing as wide as a page without its table of contents


def math(source: str, *_: Any, **__: Any) -> str:
    """Lay out LaTeX as MathML; several lines stand in align*, which GitHub knows as well."""
    from latex2mathml.converter import convert

    return f'<div class="equations">{convert(source.strip(), display="block")}</div>'


def mermaid(source: str, *_: Any, **__: Any) -> str:
    """Draw a flowchart; docs/assets/site.css colors it, light or dark."""
    from merman import Merman

    drawn = STYLE.sub("", Merman().render_svg(source, None))
    number = mermaid.count = getattr(mermaid, "count", 0) + 1  # type: ignore[attr-defined]
    drawn = drawn.replace("merman", f"diagram{number}")  # arrow heads are found by id
    drawn = WIDTH.sub(lambda found: f'width="{SCALE * float(found[2]):.0f}"{found[1]}', drawn, 1)
    return f'<div class="diagram">{drawn}</div>'


def fences() -> list[dict[str, Any]]:
    """Name them for pymdownx.superfences."""
    return [
        {"name": "math", "class": "math", "format": math},
        {"name": "mermaid", "class": "mermaid", "format": mermaid},
    ]
