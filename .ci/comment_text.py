"""Markdown for a comment in which every word of a change stays text.

Names, values and reasons come from whoever wrote the change. GitHub and GitLab leave code alone:
no HTML, link, picture, @mention, #reference, formula or emoji is made of it. So what is more than
plain words stands as code, in a table as in a sentence.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

MOST_BYTES = 20_000
MOST_ROWS = 40  # of a table
MOST_LETTERS = 80  # of a cell
TABLE_HEAD_LINES = 2
CUT = "\n\n... cut at 20 KB: `dvc metrics diff` and `dvc params diff` say all.\n"
OPENED, CLOSED = "<details>", "</details>"
# Words in which no renderer finds a mark: no underscore at the end of a word, no address, no
# number of an issue or of a commit, no item of a list.
PLAIN = re.compile(r"[\w+-][\w .,()%/+-]*")
MARKED = re.compile(
    r"(?<![^\W_])_|_(?![^\W_])|www\.|\bGH-\d|\b[0-9a-f]{7,40}\b|^[+-] |^\d+[.)] ", re.IGNORECASE
)
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # they hide, turn around or end a line


def literal(text: str, most: int = MOST_LETTERS) -> str:
    """Write foreign text as itself, at most `most` letters of it: plain words, or code."""
    shown = _one_line(text, most)
    if not shown or (PLAIN.fullmatch(shown) and not MARKED.search(shown)):
        return shown
    return code(shown, most)


def code(text: str, most: int = MOST_LETTERS) -> str:
    """Write foreign text as code, at most `most` letters of it."""
    shown = _one_line(text, most)
    if not set(shown) & set("`|"):
        return f"`{shown}`"
    return f"<code>{''.join(map(_entity, shown))}</code>"


def _one_line(text: str, most: int) -> str:
    """Show each letter that is not seen by its number; a line of at most `most` letters."""
    words = " ".join(text[: 20 * most].split())
    seen = "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) in UNSEEN else letter
        for letter in words[: most + 1]
    )
    return seen if len(seen) <= most else f"{seen[: most - 3]}..."


def _entity(letter: str) -> str:
    return letter if letter.isalnum() or letter == " " else f"&#{ord(letter)};"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table of at most `MOST_ROWS` rows; "no change" without any.

    Args:
        header, rows: Markdown; foreign text went through `literal`.
    """
    every = list(rows)
    if not every:
        return "No change."
    lines = [f"| {' | '.join(row)} |" for row in ([*header], ["---"] * len(header), *every)]
    shown = "\n".join(lines[: TABLE_HEAD_LINES + MOST_ROWS])
    more = len(every) - MOST_ROWS
    return f"{shown}\n\n... and {more} more" if more > 0 else shown


def folded(title: str, text: str) -> str:
    """Hide a text behind its title; one click opens it."""
    return f"{OPENED}<summary>{title}</summary>\n\n{text}\n\n{CLOSED}"


def capped(text: str) -> str:
    """Cut a text at a line end so that it has at most `MOST_BYTES` bytes, and close its fold."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    room = MOST_BYTES - len(f"\n\n{CLOSED}{CUT}".encode())
    kept = text.encode()[:room].decode(errors="ignore").rpartition("\n")[0]
    # Lines begin with these two words only where `folded` wrote them.
    lines = kept.splitlines()
    opened = sum(line.startswith(OPENED) for line in lines) - lines.count(CLOSED)
    return kept + f"\n\n{CLOSED}" * opened + CUT
