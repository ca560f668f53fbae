"""Frames of an mp3 file, counted by walking from header to header.

An mp3 says how long it is only in a first frame without sound, named Xing or Info (VBRI by
another encoder). Without one every reader guesses from the size of the file and of its first
frame; a loud beginning makes the guess too short, and libsndfile stops there.
"""

import struct
from dataclasses import dataclass

from fhvae.errors import CorpusError

# Bit rates in kbit/s by (MPEG 1?, layer) and the four bits of the header; 0 is the free format.
KBPS = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# Sampling rates by version (3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5) and two bits of the header.
RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
SAMPLES = {(True, 1): 384, (True, 2): 1152, (True, 3): 1152}  # of a frame; MPEG 2 below
SAMPLES |= {(False, 1): 384, (False, 2): 1152, (False, 3): 576}
ID3V1_BYTES, ID3V2_HEADER_BYTES, APE_FOOTER_BYTES = 128, 10, 32  # sizes that the formats fix
VBRI_OFFSET = 36  # from the start of the frame, whatever its header
COUNT_IS_THERE = 1  # flag of a Xing frame


@dataclass(frozen=True)
class Frames:
    """What an mp3 file is made of.

    Attributes:
        sound: the frames with sound, end to end.
        number: how many they are.
        samples: that they hold, per channel; encoder and decoder delays are among them.
        promised: number of frames that a Xing or Info frame at the head speaks of; None
            without one.
    """

    sound: bytes
    number: int
    samples: int
    promised: int | None


@dataclass(frozen=True)
class _Header:
    """Of one frame: bytes with the header, samples per channel, bytes until a Xing name."""

    size: int
    samples: int
    xing_offset: int


def read_frames(content: bytes) -> Frames:
    """Walk over an mp3 file; tags before, between and after its frames are passed over.

    Raises:
        CorpusError: something in it is neither frame nor tag, or its last frame is cut.
    """
    at, sound, samples, promised = 0, list[bytes](), 0, None
    while at < len(content):
        if skipped := _tag_bytes(content, at):
            at += skipped
            continue
        header = _read_header(content, at)
        if header is None:
            if not content[at:].strip(b"\0"):  # filled up
                break
            raise CorpusError(
                f"must be mp3 frames from end to end, byte {at} of {len(content)} begins none; "
                "decode the file to wav"
            )
        frame = content[at : at + header.size]
        if len(frame) < header.size:
            raise CorpusError(
                f"must be whole, its last frame has {len(frame)} of {header.size} bytes; "
                "copy the file again"
            )
        if not _is_silent_header(frame, header):
            sound.append(frame)
            samples += header.samples
        elif not sound and promised is None:
            promised = _promised_frames(frame, header)
        at += header.size
    return Frames(b"".join(sound), len(sound), samples, promised)


def _read_header(content: bytes, at: int) -> _Header | None:
    """Read the four bytes that begin a frame; None if they do not."""
    if at + 4 > len(content):
        return None
    bits = struct.unpack_from(">I", content, at)[0]
    version, layer, kbps, rate = (
        bits >> 19 & 3,
        4 - (bits >> 17 & 3),
        bits >> 12 & 15,
        bits >> 10 & 3,
    )
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or kbps in (0, 15) or rate == 3:
        return None
    first = version == 3  # MPEG 1
    bits_per_s, rate_hz = 1000 * KBPS[first, layer][kbps], RATES_HZ[version][rate]
    samples, padding = SAMPLES[first, layer], bits >> 9 & 1
    if layer == 1:
        size = (12 * bits_per_s // rate_hz + padding) * 4
    else:
        size = samples // 8 * bits_per_s // rate_hz + padding
    mono, protected = bits >> 6 & 3 == 3, not bits >> 16 & 1
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return _Header(size, samples, 4 + 2 * protected + side)


def _is_silent_header(frame: bytes, header: _Header) -> bool:
    name = frame[header.xing_offset : header.xing_offset + 4]
    return name in (b"Xing", b"Info") or frame[VBRI_OFFSET : VBRI_OFFSET + 4] == b"VBRI"


def _promised_frames(frame: bytes, header: _Header) -> int | None:
    """Read how many frames follow; of Xing only, as libsndfile does."""
    place = header.xing_offset
    if frame[place : place + 4] not in (b"Xing", b"Info") or len(frame) < place + 12:
        return None
    flags, number = struct.unpack_from(">II", frame, place + 4)
    return int(number) if flags & COUNT_IS_THERE else None


def _tag_bytes(content: bytes, at: int) -> int:
    """Measure the tag that begins here; 0 where there is none."""
    if content.startswith(b"ID3", at) and at + ID3V2_HEADER_BYTES <= len(content):
        footer = content[at + 5] & 0x10 and ID3V2_HEADER_BYTES
        seven_bits = content[at + 6 : at + ID3V2_HEADER_BYTES]
        size = sum((value & 0x7F) << 7 * (3 - place) for place, value in enumerate(seven_bits))
        return ID3V2_HEADER_BYTES + size + footer
    if content.startswith(b"TAG", at):
        return ID3V1_BYTES
    if content.startswith(b"APETAGEX", at) and at + APE_FOOTER_BYTES <= len(content):
        size, _, flags = struct.unpack_from("<III", content, at + 12)
        is_header = flags >> 29 & 1
        return APE_FOOTER_BYTES + (int(size) if is_header else 0)
    return 0
