"""Damage to a file, as disks, editors and people do it; drawn by Hypothesis, which shrinks it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

PAGE = 4096
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
PIECES = (  # of text and numbers that a reader may stumble over
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b'"', b"'", b",", b"\t", b"\\",
    b"\x1b[2J", b"-1", b"0", b"-0.0", b"1e999", b"-1e999", b"nan", b"inf", b"1_0", b"0x10", b" 1",
    b"1.5", b"true", b"null", b"[]", b"{}", b"9" * 19, b"9" * 400, b"9" * 5000, b"1e-320",
    b"x" * 140_000, b"[" * 3000, b"../../x", b"NaN", b"\xed\xa0\x80", "\u202e".encode(),
    "\u0661".encode(), b"\\ud800", b"PK\x03\x04",
)  # fmt: skip


@dataclass(frozen=True)
class Damage:
    """One step of damage.

    Attributes:
        kind: of `KINDS`.
        where, until: shares of the length, or of what the kind counts.
        piece: what is put in.
    """

    kind: str
    where: float
    until: float
    piece: bytes

    def done_to(self, content: bytes, others: Sequence[bytes]) -> bytes:
        """Do it; `others` are contents of other files."""
        return KINDS[self.kind](self, content, others)

    def span(self, length: int) -> tuple[int, int]:
        """Take a range out of so many."""
        first, last = sorted((int(self.where * length), int(self.until * length)))
        return first, last

    def one_of(self, length: int) -> int:
        """Take one out of so many, of which there is one at least."""
        return min(length - 1, int(self.where * length))


def _flip(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    if not content:
        return content
    changed, bit = bytearray(content), own.one_of(8 * len(content))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _flip_early(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Flip a bit in the header, which is a small part of a large file."""
    return _flip(own, content[:200], others) + content[200:]


def _zero(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    start = own.span(len(content))[0] // PAGE * PAGE
    end = min(len(content), start + PAGE)
    return content[:start] + bytes(end - start) + content[end:]


def _cut(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    return content[: own.span(len(content))[1]]


def _insert(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    place = own.span(len(content))[0]
    return content[:place] + own.piece + content[place:]


def _delete(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    first, last = own.span(len(content))
    return content[:first] + content[last:]


def _double(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    first, last = own.span(len(content))
    return content[:last] + content[first:last] + content[last:]


def _number(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a piece in the place of a number in letters."""
    found = [match.span() for match in NUMBER.finditer(content[: 1 << 16])]
    if not found:
        return content
    first, last = found[own.one_of(len(found))]
    return content[:first] + own.piece + content[last:]


def _cell(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a piece in the place of a word."""
    parts = re.split(rb'([,\t\n":])', content)
    parts[own.one_of(len(parts))] = own.piece
    return b"".join(parts)


def _lines(change: Callable[[list[bytes], int, int], None]) -> Callable[..., bytes]:
    def changed(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
        lines = content.splitlines(keepends=True) or [b""]
        first, last = own.span(len(lines) - 1)
        change(lines, first, last)
        return b"".join(lines)

    return changed


def _swap_lines(lines: list[bytes], first: int, last: int) -> None:
    lines[first], lines[last] = lines[last], lines[first]


KINDS: dict[str, Callable[[Damage, bytes, Sequence[bytes]], bytes]] = {
    "flip": _flip,
    "flip early": _flip_early,
    "zero page": _zero,
    "cut": _cut,
    "insert": _insert,
    "delete": _delete,
    "double": _double,
    "number": _number,
    "cell": _cell,
    "swap lines": _lines(_swap_lines),
    "repeat line": _lines(lambda lines, first, last: lines.insert(last, lines[first])),
    "lose line": _lines(lambda lines, first, last: lines.__delitem__(first)),
    "line ends": lambda own, content, others: content.replace(b"\n", b"\r\n"),
    "other file": lambda own, content, others: others[own.one_of(len(others))],
    "empty": lambda own, content, others: b"",
}


def damages() -> st.SearchStrategy[list[Damage]]:
    """Draw one to three steps."""
    share = st.floats(0, 1)
    one = st.builds(Damage, st.sampled_from(sorted(KINDS)), share, share, st.sampled_from(PIECES))
    return st.lists(one, min_size=1, max_size=3)


def drawn(random: Random) -> list[Damage]:
    """Draw the same from a generator: many, and quickly."""
    return [
        Damage(
            random.choice(sorted(KINDS)), random.random(), random.random(), random.choice(PIECES)
        )
        for _ in range(random.choice((1, 1, 2, 3)))
    ]
