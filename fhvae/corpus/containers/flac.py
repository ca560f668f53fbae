"""The number of samples of a flac file, read from its last frame.

Its header may say nothing (0, written to a pipe) or another number; libsndfile reads nothing
of the first and believes the second. Fields and sums: RFC 9639.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STREAM_INFO = b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22"  # more blocks follow, or none
TOTAL_AT = 8 + 13  # low half of this byte, and the four after it: 36 bits, from the magic on
MOST_BYTES = 1 << 18  # of a frame whose header does not say
ID3V1_BYTES = 128  # size that the format fixes
SHORT_BLOCK, LONG_BLOCK = 6, 7  # codes of sizes that stand behind the number of the frame
SHORT_RATE, LONG_RATES = 12, (13, 14)  # codes of rates that stand behind the size


@dataclass(frozen=True)
class Lengths:
    """How many samples a flac file holds, per channel.

    Attributes:
        promised: by its header; 0 where it does not say.
        there: by its last frame; None where that is broken.
        magic_at: byte at which the stream begins.
    """

    promised: int
    there: int | None
    magic_at: int


def read_lengths(content: bytes) -> Lengths | None:
    """Compare header and last frame of a flac file; None if it does not begin like one."""
    found = [place for magic in STREAM_INFO if (place := content.find(magic)) >= 0]
    if not found:
        return None
    start = min(found)
    total_at = start + TOTAL_AT
    promised = int.from_bytes(content[total_at : total_at + 5]) & (1 << 36) - 1
    end = len(content)
    if content[-ID3V1_BYTES:].startswith(b"TAG"):
        end -= ID3V1_BYTES
    return Lengths(promised, _end_of_last_frame(content[start:end]), start)


def with_total(content: bytes, lengths: Lengths) -> bytes:
    """Fill in the number of samples that are there."""
    if lengths.there is None:
        raise ValueError("the number of samples is not known")
    place = lengths.magic_at + TOTAL_AT
    high = content[place] & 0xF0 | lengths.there >> 32
    low = (lengths.there & 0xFFFFFFFF).to_bytes(4)
    return content[:place] + bytes([high]) + low + content[place + 5 :]


def _end_of_last_frame(stream: bytes) -> int | None:
    """Find the last frame that ends with the stream; give the samples up to its end."""
    block = int.from_bytes(stream[10:12])  # samples of a frame, where all have the same
    most = int.from_bytes(stream[15:18]) or MOST_BYTES
    tail = stream[-most - 2 :]
    for at in _syncs_from_the_end(tail):
        found = _frame_end(tail[at : at + 16], block)
        if found is not None and _crc(tail[at:-2], CRC16, 16) == int.from_bytes(tail[-2:]):
            return found
    return None


def _syncs_from_the_end(tail: bytes) -> Iterator[int]:
    """Walk backwards over the bytes that may begin a frame."""
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        if tail[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            yield at


def _frame_end(header: bytes, block: int) -> int | None:
    """Count the samples up to the end of the frame that `header` begins; None if it does not."""
    if len(header) < 16:
        header = header + bytes(16 - len(header))
    ones = 8 - (header[4] ^ 0xFF).bit_length()  # bytes of the number, as in UTF-8
    length = max(1, ones)
    if ones == 1 or ones > 7:
        return None
    number = header[4] & (0x7F >> ones)
    for value in header[5 : 4 + length]:
        number = number << 6 | value & 0x3F
    at = 4 + length
    size_code, rate_code = header[2] >> 4, header[2] & 15
    size, size_bytes = _block_size(size_code, header[at : at + 2])
    at += size_bytes + (rate_code == SHORT_RATE) + 2 * (rate_code in LONG_RATES)
    if size == 0 or _crc(header[:at], CRC8, 8) != header[at]:
        return None
    counts_samples = header[1] & 1
    return number + size if counts_samples else number * block + size


def _block_size(code: int, behind: bytes) -> tuple[int, int]:
    """Read the samples of a frame; give also the bytes that said so."""
    if code == SHORT_BLOCK:
        return behind[0] + 1, 1
    if code == LONG_BLOCK:
        return int.from_bytes(behind) + 1, 2
    if code == 0:
        return 0, 0
    return (192 if code == 1 else 576 << code - 2 if code < SHORT_BLOCK else 256 << code - 8), 0


def _table(polynomial: int, bits: int) -> list[int]:
    top, mask, found = 1 << bits - 1, (1 << bits) - 1, []
    for value in range(256):
        rest = value << bits - 8
        for _ in range(8):
            rest = (rest << 1 ^ polynomial if rest & top else rest << 1) & mask
        found.append(rest)
    return found


CRC8, CRC16 = _table(0x07, 8), _table(0x8005, 16)  # polynomials of the format (RFC 9639)


def _crc(content: bytes, table: Sequence[int], bits: int) -> int:
    """Sum up bytes as the format does."""
    mask, rest = (1 << bits) - 1, 0
    for value in content:
        rest = (rest << 8 & mask) ^ table[rest >> bits - 8 ^ value]
    return rest
