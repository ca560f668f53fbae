"""The pictures that a change moves, before and after."""

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from comment_text import code, folded
from commit_files import git
from summaries import GONE, NEW

PICTURE_PIXELS = 380  # two beside each other in a comment


@dataclass(frozen=True)
class Raw:
    """Where a browser finds the pictures of both commits.

    Attributes:
        url: what stands before a commit and a path.
        head: the commit of the change; a merge made for CI cannot be reached later.
    """

    url: str
    head: str

    def picture(self, commit: str, path: str) -> str:
        """Write the picture of a commit as a link to itself."""
        link = escape(f"{self.url}/{commit}/{quote(path)}")
        return f'<a href="{link}"><img src="{link}" width="{PICTURE_PIXELS}"></a>'


def plots_part(base: str, raw: Raw | None) -> str | None:
    """Show the pictures that changed, before and after; None where none did."""
    moved = git("diff", "--name-status", "--no-renames", "-z", base, "--", "plots/*.png")
    if not moved:
        return None
    words = moved.split("\0")[:-1]
    listed = list(zip(words[::2], words[1::2], strict=True))
    if raw is None:
        names = ", ".join(code(path) for _, path in listed)
        return (
            f"{names}. *Files changed* shows both versions; a comment cannot show what lies in a "
            "private repository."
        )
    pairs = []
    for kind, path in listed:
        before = NEW if kind == "A" else raw.picture(base, path)
        after = GONE if kind == "D" else raw.picture(raw.head, path)
        pairs.append(f"| {code(path)} before | after |\n| --- | --- |\n| {before} | {after} |")
    return folded(f"{len(listed)} pictures changed, side by side", "\n\n".join(pairs))
