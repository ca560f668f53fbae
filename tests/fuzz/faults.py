"""Seeded faults in bytes and in tables: what disks, networks and strangers do to files.

FHVAE_FUZZ=100000 asks for as many examples as that, FHVAE_FUZZ_SEED=7 for others; example `n` of a
seed is always the same.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fhvae.errors import FhvaeError

FEW = 150  # examples, where nobody asks for more
SEED = int(os.environ.get("FHVAE_FUZZ_SEED", "0"))
LONGEST = 600  # characters of a sentence
ODD = (0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF)  # bytes at which signs and ends lie
ODD_NUMBERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
HEADER = 128  # bytes, in which most faults are: the body of a recording is only sound
ODD_CELLS = (
    *("", " ", "nan", "inf", "-inf", "-1", "0", "1e999", "1e-999", "1_0", "0x10", "٣", "1:30"),
    *("9" * 400, "9" * 5000, "a" * 140_000, "a\0b", "\x1b[31mred\x1b[0m", "\u202eabc", "\ufeff"),
    *("../../etc/passwd", "/etc/passwd", "~", ".", "..", "con", "nul.wav", "a.", "C:\\x", "a|b"),
    *("$\\frac{$", "<script>", "=1+1", "cat /etc/passwd |", "\U0001f600", "\u2028", "a\rb", '"'),
)  # fmt: skip


def examples(few: int = FEW) -> range:
    """Number the examples to try."""
    return range(int(os.environ.get("FHVAE_FUZZ", few)))


def random_of(name: str, number: int) -> np.random.Generator:
    return np.random.default_rng([SEED, number, *name.encode()])


def damaged(content: bytes, others: Sequence[bytes], random: np.random.Generator) -> bytes:
    """Damage bytes in one to four ways."""
    for _ in range(int(random.integers(1, 5))):
        fault = FAULTS[int(random.integers(len(FAULTS)))]
        content = fault(bytearray(content), others, random)
    return content


def _place(content: bytearray, random: np.random.Generator) -> int:
    end = len(content) if random.random() < 0.4 else min(HEADER, len(content))
    return int(random.integers(max(1, end)))


def _flip(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    if content:
        content[_place(content, random)] ^= 1 << int(random.integers(8))
    return bytes(content)


def _odd_byte(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    if content:
        content[_place(content, random)] = ODD[int(random.integers(len(ODD)))]
    return bytes(content)


def _odd_number(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    place, size = _place(content, random), (2, 4, 8)[int(random.integers(3))]
    number = ODD_NUMBERS[int(random.integers(len(ODD_NUMBERS)))] % (1 << 8 * size)
    order = ("little", "big")[int(random.integers(2))]
    content[place : place + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
    return bytes(content)


def _cut(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    return bytes(content[: int(random.integers(len(content) + 1))])


def _drop(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    place = _place(content, random)
    del content[place : place + int(random.integers(1, 65))]
    return bytes(content)


def _double(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    place = _place(content, random)
    part = content[place : place + int(random.integers(1, 257))]
    return bytes(content[:place] + part + content[place:])


def _insert(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    place = _place(content, random)
    return bytes(content[:place]) + random.bytes(int(random.integers(1, 33))) + content[place:]


def _zero(content: bytearray, _: Sequence[bytes], random: np.random.Generator) -> bytes:
    place = _place(content, random)
    length = len(content[place : place + (16, 4096)[int(random.integers(2))]])
    content[place : place + length] = bytes(length)
    return bytes(content)


def _splice(content: bytearray, others: Sequence[bytes], random: np.random.Generator) -> bytes:
    """Go on with another file from the same byte on."""
    place = _place(content, random)
    return bytes(content[:place]) + others[int(random.integers(len(others)))][place:]


def _append(content: bytearray, others: Sequence[bytes], random: np.random.Generator) -> bytes:
    return bytes(content) + others[int(random.integers(len(others)))]


Fault = Callable[[bytearray, Sequence[bytes], np.random.Generator], bytes]
FAULTS: tuple[Fault, ...] = (
    *(_flip, _flip, _odd_byte, _odd_byte, _odd_number, _odd_number, _odd_number),
    *(_cut, _drop, _double, _insert, _zero, _splice, _append),
)


def damaged_table(content: bytes, separator: str, random: np.random.Generator) -> bytes:
    """Damage a table in one to three ways: its bytes, its lines, its cells."""
    for _ in range(int(random.integers(1, 4))):
        kind = int(random.integers(8))
        if kind == 0:
            content = damaged(content, [content], random)
        elif kind == 1:
            content = (b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"))[
                int(random.integers(2))
            ]
        elif kind <= 3:
            content = _damaged_lines(content.split(b"\n"), random)
        else:
            content = _damaged_cell(content.split(b"\n"), separator.encode(), random)
    return content


def _damaged_lines(lines: list[bytes], random: np.random.Generator) -> bytes:
    one, other = (int(place) for place in random.integers(len(lines), size=2))
    kind = int(random.integers(4))
    if kind == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == 1:
        lines.insert(one, lines[other])
    elif kind == 2:
        del lines[one]
    else:
        lines[one : one + 2] = [b" ".join(lines[one : one + 2])]
    return b"\n".join(lines)


def _damaged_cell(lines: list[bytes], separator: bytes, random: np.random.Generator) -> bytes:
    line = int(random.integers(len(lines)))
    cells = lines[line].split(separator)
    cell = int(random.integers(len(cells)))
    kind = int(random.integers(4))
    if kind == 0:
        del cells[cell]
    elif kind == 1:
        cells.insert(cell, cells[cell])
    else:
        odd = ODD_CELLS[int(random.integers(len(ODD_CELLS)))]
        cells[cell] = odd.encode("utf-8", "surrogatepass")
    lines[line] = separator.join(cells)
    return b"\n".join(lines)


def check_sentence(error: FhvaeError, path: Path) -> None:
    """Check that an error is one line that may stand on a terminal; the path counts as nothing."""
    said = str(error).replace(str(path), "")
    assert said.isprintable(), said
    assert len(said) <= LONGEST, f"{len(said)} characters: {said[:200]}"
