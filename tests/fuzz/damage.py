"""Damage to a file, as disks, networks, editors and strangers do it.

Hypothesis draws it, and shrinks it; where many are wanted, a generator draws the same, quickly.
FHVAE_FUZZ=100000 asks for as many examples as that, FHVAE_FUZZ_SEED=7 for others; example `n` of a
seed is always the same.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from fhvae.errors import LONGEST, FhvaeError

WANTED = int(os.environ.get("FHVAE_FUZZ", "0"))
SEED = int(os.environ.get("FHVAE_FUZZ_SEED", "0"))
PAGE = 4096
HEADER = 128  # bytes, in which most faults are: the body of a recording is only sound
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
ODD_BYTES = bytes((0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF))  # at which signs and ends lie
ODD_NUMBERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
PIECES = (  # of text and numbers that a reader may stumble over
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b'"', b"'", b",", b"\t", b"\\",
    b"\x1b[31mred\x1b[0m", b" ", b"-1", b"0", b"-0.0", b"1e999", b"-1e999", b"1e-999", b"nan",
    b"inf", b"-inf", b"1_0", b"0x10", b" 1", b"1.5", b"1:30", b"true", b"null", b"[]", b"{}",
    b"9" * 19, b"9" * 400, b"9" * 5000, b"1e-320", b"x" * 140_000, b"[" * 3000, b"a\0b", b"a\rb",
    b"../../etc/passwd", b"/etc/passwd", b"~", b".", b"..", b"con", b"nul.wav", b"a.", b"C:\\x",
    b"a|b", b"cat /etc/passwd |", b"=1+1", b"$\\frac{$", b"<script>", b"NaN", b"\xed\xa0\x80",
    b"\\ud800", b"PK\x03\x04", *map(str.encode, ("\u202eabc", "\u2028", "\u0661", "\U0001f600")),
)  # fmt: skip
VALUES = (None, True, 0.5, -1e300, 10**30, "word", "", [], ["a"], {}, {"a": 1})  # of JSON


@dataclass(frozen=True)
class Damage:
    """One step of damage.

    Attributes:
        kind: of `KINDS`.
        where, until: shares of the length, or of what the kind counts.
        early: whether of the first `HEADER` of these alone.
        piece: what is put in.
    """

    kind: str
    where: float
    until: float
    early: bool
    piece: bytes

    def done_to(self, content: bytes, others: Sequence[bytes]) -> bytes:
        """Do it; `others` are contents of other files."""
        return KINDS[self.kind](self, content, others)

    def span(self, length: int) -> tuple[int, int]:
        """Take a range out of so many."""
        length = min(length, HEADER) if self.early else length
        first, last = sorted((int(self.where * length), int(self.until * length)))
        return first, last

    def one_of(self, length: int) -> int:
        """Take one out of so many, of which there is one at least."""
        length = min(length, HEADER) if self.early else length
        return min(length - 1, int(self.where * length))


def _flip(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    if not content:
        return content
    place = own.one_of(len(content))
    return _put(content, place, bytes([content[place] ^ 1 << int(own.until * 7.99)]))


def _odd_byte(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    odd = ODD_BYTES[int(own.until * 7.99)]
    return _put(content, own.one_of(len(content)), bytes([odd]))


def _odd_number(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a number of 2, 4 or 8 bytes in the place of others, of either order."""
    which = int(own.until * 5.99)
    size, order = (2, 4, 8)[which % 3], ("little", "big")[which % 2]
    number = ODD_NUMBERS[int(own.until * 997) % len(ODD_NUMBERS)] % (1 << 8 * size)
    return _put(content, own.one_of(len(content)), number.to_bytes(size, order))  # type: ignore[arg-type]


def _put(content: bytes, place: int, there: bytes) -> bytes:
    return content[:place] + there + content[place + len(there) :]


def _zero(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    start = own.span(len(content))[0] // PAGE * PAGE
    return _put(content, start, bytes(min(PAGE, len(content) - start)))


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


def _splice(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Go on with another file from the same byte on."""
    place = own.span(len(content))[0]
    return content[:place] + _other(own, content, others)[place:]


def _append(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    return content + _other(own, content, others)


def _other(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    return others[int(own.until * 0.999 * len(others))]


def _number(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a piece in the place of a number in letters."""
    found = [match.span() for match in NUMBER.finditer(content[: 1 << 16])]
    if not found:
        return content
    first, last = found[own.one_of(len(found))]
    return content[:first] + own.piece + content[last:]


def _words(change: Callable[[list[bytes], int, bytes], None]) -> Callable[..., bytes]:
    def changed(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
        parts = re.split(rb'([,\t\n": |]+)', content)  # each second one separates
        change(parts, own.one_of(len(parts)), own.piece)
        return b"".join(parts)

    return changed


def _set(parts: list[bytes], place: int, piece: bytes) -> None:
    parts[place] = piece


def _lose(parts: list[bytes], place: int, piece: bytes) -> None:
    del parts[place : place + 2]


def _repeat(parts: list[bytes], place: int, piece: bytes) -> None:
    parts[place:place] = parts[place : place + 2]


def _lines(change: Callable[[list[bytes], int, int], None]) -> Callable[..., bytes]:
    def changed(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
        lines = content.splitlines(keepends=True) or [b""]
        first, last = own.span(len(lines) - 1)
        change(lines, first, last)
        return b"".join(lines)

    return changed


def _swap_lines(lines: list[bytes], first: int, last: int) -> None:
    lines[first], lines[last] = lines[last], lines[first]


def _join_lines(lines: list[bytes], first: int, last: int) -> None:
    lines[first] = lines[first].rstrip() + b" "


def _other_value(own: Damage, content: bytes, others: Sequence[bytes]) -> bytes:
    """Put a value in the place of another, of another kind perhaps, where the file is JSON."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        return content
    tables = list(_tables(whole))
    if not tables:
        return content
    table = tables[own.one_of(len(tables))]
    key = list(table)[int(own.where * 997) % len(table)]
    table[key] = VALUES[int(own.until * 0.999 * len(VALUES))]
    return json.dumps(whole, indent=2).encode()


def _tables(whole: Any) -> Iterator[dict[str, Any]]:
    if isinstance(whole, dict) and whole:
        yield whole
        for one in whole.values():
            yield from _tables(one)


Kinds = dict[str, Callable[[Damage, bytes, Sequence[bytes]], bytes]]
BYTES: Kinds = {
    "flip": _flip,
    "odd byte": _odd_byte,
    "odd number": _odd_number,
    "zero page": _zero,
    "cut": _cut,
    "insert": _insert,
    "delete": _delete,
    "double": _double,
    "splice": _splice,
    "append": _append,
    "other file": _other,
    "empty": lambda own, content, others: b"",
}
TEXT: Kinds = {
    "number": _number,
    "word": _words(_set),
    "lose word": _words(_lose),
    "repeat word": _words(_repeat),
    "swap lines": _lines(_swap_lines),
    "repeat line": _lines(lambda lines, first, last: lines.insert(last, lines[first])),
    "lose line": _lines(lambda lines, first, last: lines.__delitem__(first)),
    "join lines": _lines(_join_lines),
    "line ends": lambda own, content, others: content.replace(b"\n", b"\r\n"),
    "other value": _other_value,
    "byte order mark": lambda own, content, others: b"\xef\xbb\xbf" + content,
}
KINDS: Kinds = BYTES | TEXT


def damages() -> st.SearchStrategy[list[Damage]]:
    """Draw one to three steps."""
    share, piece = st.floats(0, 1), st.sampled_from(PIECES)
    one = st.builds(Damage, st.sampled_from(sorted(KINDS)), share, share, st.booleans(), piece)
    return st.lists(one, min_size=1, max_size=3)


def drawn(random: Random, kinds: Kinds = KINDS) -> list[Damage]:
    """Draw the same from a generator."""
    return [
        Damage(
            random.choice(sorted(kinds)),
            random.random(),
            random.random(),
            random.random() < 0.5,
            random.choice(PIECES),
        )
        for _ in range(random.choice((1, 1, 2, 3)))
    ]


def damaged(content: bytes, others: Sequence[bytes], random: Random, kinds: Kinds = KINDS) -> bytes:
    """Damage bytes in one to three steps."""
    for step in drawn(random, kinds):
        content = step.done_to(content, others)
    return content


def examples(few: int) -> range:
    """Number the examples to try: few, or as many as are wanted."""
    return range(WANTED or few)


def random_of(name: str, number: int) -> Random:
    return Random(f"{SEED} {name} {number}")


def check_sentence(error: FhvaeError, path: Path | None = None) -> None:
    """Check that an error is one line that may stand on a terminal; the path counts as nothing."""
    said = str(error).replace(str(path), "")
    assert said.isprintable(), said
    assert 0 < len(said) <= LONGEST, f"{len(said)} characters: {said[:200]}"
