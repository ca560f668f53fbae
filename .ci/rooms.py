"""Draw the rooms of the library, and which imports from which, into docs/architecture.md.

    python .ci/rooms.py            # exit code 1 if the picture is not that of the imports
    python .ci/rooms.py --write    # draws it anew

A room is a folder or a module below fhvae/. An arrow points to what is imported; one that
follows from two others is left out. What nearly every room uses stands in a box without arrows.
"""

import re
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path

import grimp
import networkx

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"
BLOCK = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- end -->)", re.DOTALL)
# Imported from everywhere; none of them imports a room.
GROUND = (
    "files parallel cluster commandline stage params seeds device progress intervals errors "
    "portable run_record environment orphans addresses"
).split()


def imports_of_rooms(package: str = "fhvae") -> dict[str, set[str]]:
    """Find, by room, the rooms that its modules import."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph(package)
    rooms = {module.split(".")[1] for module in graph.modules if "." in module}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules - {package}:
        for imported in graph.find_modules_directly_imported_by(module) - {package}:
            found[module.split(".")[1]].add(imported.split(".")[1])
    return {room: uses - {room} for room, uses in found.items()}


def picture(imports: Mapping[str, set[str]]) -> str:
    """Draw rooms as a Mermaid flowchart.

    Raises:
        ValueError: something of the ground imports a room.
    """
    for low in GROUND:
        if above := imports[low] - set(GROUND):
            raise ValueError(f"{low} must import no room, it imports {', '.join(sorted(above))}")
    graph = networkx.DiGraph(
        (room, used)
        for room, uses in imports.items()
        for used in uses
        if not {room, used} & set(GROUND)
    )
    arrows = sorted(networkx.transitive_reduction(graph).edges)
    lines = [
        "flowchart TD",
        *(f"  {room} --> {used}" for room, used in arrows),
        f'  ground["used by all: {", ".join(GROUND)}"]',
    ]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def main() -> int:
    """Compare or write."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="draw the picture anew")
    write = parser.parse_args().write
    text = PAGE.read_text(encoding="utf-8")
    drawn = BLOCK.sub(lambda _: picture(imports_of_rooms()), text)
    if write:
        PAGE.write_text(drawn, encoding="utf-8")
    elif drawn != text:
        page = PAGE.relative_to(ROOT)
        print(f"{page} shows other rooms than fhvae/ has; python .ci/rooms.py --write draws them")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
