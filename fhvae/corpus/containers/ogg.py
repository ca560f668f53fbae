"""Pages of an Ogg file (vorbis, opus): whether they are one stream, and all of it.

libsndfile decodes the first stream of a file and no more, and takes the last page that it
finds for the end.
"""

import struct
import zlib

from fhvae.errors import CorpusError

MAGIC = b"OggS"
PAGE = struct.Struct("<4sBBqIIIB")  # magic, version, flags, position, serial, number, sum, segments
FIRST, LAST = 2, 4  # flags
SUM_AT = 22  # byte of the page's checksum
MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))  # bits of each byte


def check_pages(content: bytes) -> None:
    """Check that an Ogg file is one stream from its first to its last page.

    Raises:
        CorpusError: it is cut, misses a page, has a damaged one, or holds several streams.
    """
    at, expected, flags, streams = 0, 0, 0, 0
    while content.startswith(MAGIC, at) and at + PAGE.size <= len(content):
        _, _, flags, _, _, number, stated, segments = PAGE.unpack_from(content, at)
        body = at + PAGE.size + segments
        end = body + sum(content[at + PAGE.size : body])
        if end > len(content):
            raise CorpusError(
                f"must be whole, its last page has {len(content) - at} of {end - at} bytes; "
                "copy the file again"
            )
        if _checksum(content[at:end]) != stated:
            raise CorpusError(
                f"must be whole, the page at byte {at} is damaged; copy the file again"
            )
        if flags & FIRST:
            streams, expected = streams + 1, number
        if streams == 1 and number != expected:
            raise CorpusError(f"must be whole, page {expected} is missing; copy the file again")
        at, expected = end, number + 1
    if streams > 1:
        raise CorpusError(
            f"must be one Ogg stream, it holds {streams}; decode them to one wav file"
        )
    if MAGIC in content[at:]:
        raise CorpusError(
            f"must be Ogg pages from end to end, byte {at} begins none; copy it again"
        )
    if not flags & LAST:
        raise CorpusError(
            "must be whole, its last page is not the end of the stream; copy it again"
        )


def _checksum(page: bytes) -> int:
    """Sum up a page: CRC-32 as in zlib, but from the other end of each byte, and from 0."""
    blank = page[:SUM_AT] + bytes(4) + page[SUM_AT + 4 :]
    mirrored = zlib.crc32(blank.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(MIRRORED))
