"""Containers that do not say how long they are, or say it wrongly: all samples or one sentence."""

import struct

import numpy as np
import pytest
import soundfile

from fhvae.corpus.containers.opening import CONTAINERS, open_audio
from fhvae.errors import CorpusError
from tests.hostile_audio import read_here

RATE_HZ = 16_000
SECONDS = 3
FRAME_SAMPLES = 576  # of MPEG 2, layer III
ID3V2 = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)
ID3V1 = b"TAG" + bytes(125)


def sound(rate_hz=RATE_HZ, seconds=SECONDS):
    """Loud at first, then nearly quiet: the first frames of a variable bit rate say too little."""
    random = np.random.default_rng(3)
    wave = 0.3 * np.sin(2 * np.pi * 300 * np.arange(seconds * rate_hz) / rate_hz)
    wave += 0.05 * random.standard_normal(len(wave))
    wave[len(wave) // 4 :] *= 0.002
    return wave


def encoded(tmp_path, container, subtype=None, wave=None, **options):
    """Give the bytes of a file as libsndfile writes it."""
    path, wave = tmp_path / "whole", sound() if wave is None else wave
    soundfile.write(
        path,
        sound() if wave is None else wave,
        RATE_HZ,
        format=container,
        subtype=subtype,
        **options,
    )
    return bytearray(path.read_bytes())


def mp3_frames(tmp_path, mode="VARIABLE", wave=None):
    """Cut an mp3 of libsndfile into frames, independently of the reader; the first is Xing's."""
    content = encoded(tmp_path, "MP3", wave=wave, bitrate_mode=mode, compression_level=0.3)
    kbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    frames, at = [], 0
    while at < len(content):
        assert content[at : at + 2] in (b"\xff\xf3", b"\xff\xf2")  # MPEG 2, layer III
        size = 72 * 1000 * kbps[content[at + 2] >> 4] // RATE_HZ + (content[at + 2] >> 1 & 1)
        frames.append(bytes(content[at : at + size]))
        at += size
    assert b"Xing" in frames[0] or b"Info" in frames[0]
    return frames


def ogg_pages(content):
    pages, at = [], 0
    while at < len(content):
        segments = content[at + 26]
        size = 27 + segments + sum(content[at + 27 : at + 27 + segments])
        pages.append(bytes(content[at : at + size]))
        at += size
    return pages


def read(tmp_path, content, **part):
    path = tmp_path / "a.x"
    path.write_bytes(content)
    return read_here(path, "u1", **part)


# --- mp3 ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_an_mp3_without_a_length_gives_every_frame(tmp_path, mode):
    frames = mp3_frames(tmp_path, mode)[1:]
    samples = read(tmp_path, b"".join(frames))
    assert len(samples) == len(frames) * FRAME_SAMPLES
    with_length = read(tmp_path, b"".join(mp3_frames(tmp_path, mode)))
    assert len(with_length) == SECONDS * RATE_HZ
    delay = len(samples) - len(with_length)
    found = [
        np.abs(samples[at : at + len(with_length)].astype(int) - with_length).max()
        for at in range(delay)
    ]
    assert min(found) <= 1  # the same sound, behind the delay of the encoder


def test_a_rate_other_than_16_khz_keeps_its_length_too(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, sound(44_100), 44_100, format="MP3", bitrate_mode="CONSTANT")
    content = path.read_bytes()
    head = content.index(content[:2], 2)  # the same two bytes begin every frame
    path.write_bytes(content[head:])
    number = -(-(SECONDS * 44_100 + 1105) // 1152)  # frames, with the delay of the encoder
    assert abs(len(read_here(path, "u1")) - number * 1152 * RATE_HZ / 44_100) <= 1.5 * 1152


@pytest.mark.parametrize(
    ("build", "number"),
    [
        pytest.param(lambda own: ID3V2 + b"".join(own[1:]) + ID3V1, 1, id="tags"),
        pytest.param(lambda own: b"".join(own[1:]) + bytes(3000), 1, id="filled-up"),
        pytest.param(lambda own: 2 * b"".join(own[1:]), 2, id="joined"),
        pytest.param(lambda own: 2 * b"".join(own), 2, id="joined-with-lengths"),
        pytest.param(
            lambda own: b"".join(own[1:]) + ID3V1 + ID3V2 + b"".join(own), 2, id="tags-inside"
        ),
    ],
)
def test_what_stands_around_the_frames_does_not_matter(tmp_path, build, number):
    own = mp3_frames(tmp_path)
    assert len(read(tmp_path, build(own))) == number * (len(own) - 1) * FRAME_SAMPLES


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(lambda own: b"".join(own[1:])[:-9], "must be whole, its last frame", id="cut"),
        pytest.param(
            lambda own: b"".join(own[:-9]), r"header promises \d+ frames, \d+ are there", id="fewer"
        ),
        pytest.param(
            lambda own: b"".join([*own[1:40], b"\1" * 700, *own[40:]]), "begins none", id="hole"
        ),
    ],
)
def test_a_broken_mp3_is_refused(tmp_path, build, message):
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, build(mp3_frames(tmp_path)))


def test_a_part_of_an_mp3_without_a_length_is_that_of_the_whole(tmp_path):
    content = b"".join(mp3_frames(tmp_path)[1:])
    whole = read(tmp_path, content)
    found = read(tmp_path, content, start_s=2.0, end_s=2.5)
    np.testing.assert_array_equal(found, whole[2 * RATE_HZ : 5 * RATE_HZ // 2])


# --- ogg ------------------------------------------------------------------------------

each_codec = pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])


@each_codec
def test_a_cut_ogg_is_refused_wherever_it_is_cut(tmp_path, codec):
    loud = 0.2 * np.random.default_rng(1).standard_normal(6 * RATE_HZ)
    content = encoded(tmp_path, "OGG", codec, wave=loud)
    assert len(read(tmp_path, content)) == len(loud)
    pages = ogg_pages(content)
    assert len(pages) > 4
    for cut in (content[:-20], b"".join(pages[:-1]), b"".join([*pages[:3], *pages[4:]])):
        with pytest.raises(CorpusError, match="must be whole"):
            read(tmp_path, cut)


@each_codec
def test_ogg_files_joined_end_to_end_are_refused(tmp_path, codec):
    """libsndfile decodes the first and is silent about the rest."""
    content = encoded(tmp_path, "OGG", codec)
    with pytest.raises(CorpusError, match="must be one Ogg stream, it holds 2"):
        read(tmp_path, content + content)


@each_codec
def test_a_tag_behind_an_ogg_does_not_matter(tmp_path, codec):
    content = encoded(tmp_path, "OGG", codec)
    assert len(read(tmp_path, content + ID3V1)) == SECONDS * RATE_HZ


@each_codec
def test_a_damaged_page_is_refused(tmp_path, codec):
    """libogg drops it without a word."""
    content = encoded(tmp_path, "OGG", codec)
    content[len(content) * 3 // 4] ^= 1
    with pytest.raises(CorpusError, match=r"the page at byte \d+ is damaged"):
        read(tmp_path, content)


# --- flac -----------------------------------------------------------------------------

TOTAL_AT = 21  # of a flac file: 4 bits of this byte and four more


def with_flac_total(content, total):
    content = bytearray(content)
    content[TOTAL_AT] = content[TOTAL_AT] & 0xF0 | total >> 32
    content[TOTAL_AT + 1 : TOTAL_AT + 5] = struct.pack(">I", total & 0xFFFFFFFF)
    return bytes(content)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("samples", [48_000, 4096, 4097, 17])
def test_a_flac_written_to_a_pipe_is_read(tmp_path, subtype, samples):
    """Its header says 0 samples: unknown."""
    content = encoded(tmp_path, "FLAC", subtype, wave=sound()[:samples])
    expected = read(tmp_path, content)
    assert len(expected) == samples
    for around in (b"", ID3V1):
        np.testing.assert_array_equal(
            read(tmp_path, with_flac_total(content, 0) + around), expected
        )


@pytest.mark.parametrize("total", [1, 24_000, 48_001, 2**36 - 1])
def test_a_flac_that_counts_wrong_is_refused(tmp_path, total):
    content = with_flac_total(encoded(tmp_path, "FLAC"), total)
    with pytest.raises(CorpusError, match=f"promises {total} samples, 48000 are there"):
        read(tmp_path, content)


@pytest.mark.parametrize("total", [0, 48_000])
def test_a_cut_flac_is_refused_whether_it_counts_or_not(tmp_path, total):
    content = with_flac_total(encoded(tmp_path, "FLAC"), total)
    for share in (0.5, 0.99):
        with pytest.raises(CorpusError, match="must be"):
            read(tmp_path, content[: int(share * len(content))])


# --- headers of plain samples ----------------------------------------------------------

# Where the size of the samples stands, as libsndfile writes the file, and its layout.
SIZES = {
    ("WAV", "PCM_16"): (40, "<I"),
    ("WAV", "ULAW"): (54, "<I"),
    ("WAVEX", "PCM_16"): (76, "<I"),
    ("RF64", "PCM_16"): (28, "<Q"),
    ("W64", "PCM_16"): (96, "<Q"),
    ("AIFF", "PCM_16"): (42, ">I"),
    ("AIFF", "ULAW"): (60, ">I"),
    ("AU", "PCM_16"): (8, ">I"),
    ("AU", "ULAW"): (8, ">I"),
    ("CAF", "PCM_16"): (4084, ">Q"),
}
each_size = pytest.mark.parametrize(("kind", "place"), SIZES.items(), ids=map("-".join, SIZES))


def with_size(tmp_path, kind, place, share):
    """Write another size into a header: a share of the true one, or a value of its own."""
    content, (at, layout) = encoded(tmp_path, *kind), place
    size = struct.unpack_from(layout, content, at)[0]
    width = 2 if kind[1] == "PCM_16" else 1
    assert abs(size - width * SECONDS * RATE_HZ) <= 32, "the size does not stand there"
    value = 2 ** (8 * struct.calcsize(layout)) - 1 if share is None else int(share * size) // 4 * 4
    struct.pack_into(layout, content, at, value)
    return content


@each_size
@pytest.mark.parametrize("share", [None, 0.0, 0.5, 0.9, 1.25])
def test_a_wrong_size_in_a_header_loses_no_sample(tmp_path, kind, place, share):
    """None stands for all bits set, which a writer leaves that cannot seek."""
    content = with_size(tmp_path, kind, place, share)
    try:
        found = len(read(tmp_path, content))
    except CorpusError:  # a sentence; what it says: below and in tests/hostile_audio.py
        return
    assert found == SECONDS * RATE_HZ


@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), ("AIFF", "ULAW"), ("AU", "PCM_16")])
def test_a_placeholder_for_the_size_is_no_fault(tmp_path, kind):
    content = with_size(tmp_path, kind, SIZES[kind], None)
    assert len(read(tmp_path, content)) == SECONDS * RATE_HZ


@pytest.mark.parametrize("kind", [("WAV", "PCM_16"), ("AU", "PCM_16")])
def test_a_header_that_was_never_filled_in_says_what_helps(tmp_path, kind):
    content = with_size(tmp_path, kind, SIZES[kind], 0.0)
    with pytest.raises(CorpusError, match=r"says 0 in a file of \d+ bytes .* sox --ignore-length"):
        read(tmp_path, content)


WRITABLE = [
    (container, subtype)
    for container in sorted(soundfile.available_formats())
    for subtype in soundfile.available_subtypes(container)
    if container not in ("RAW", "SD2")  # no header; SD2: in a file of its own
    and not subtype.startswith(("MPEG_LAYER_I", "DWVW", "FLOAT", "DOUBLE"))
]


@pytest.mark.parametrize("kind", WRITABLE, ids="-".join)
def test_a_cut_file_of_any_kind_is_refused(tmp_path, kind):
    loud = 0.2 * np.random.default_rng(1).standard_normal(2 * RATE_HZ)
    content = encoded(tmp_path, *kind, wave=loud)
    for share in (0.4, 0.95):
        with pytest.raises(CorpusError, match=r"must|header"):
            read(tmp_path, content[: int(share * len(content))])
    if kind[0] in CONTAINERS:
        assert len(read(tmp_path, content)) >= len(loud)
    else:
        with pytest.raises(CorpusError, match=f"it is {kind[0]} with .*; convert it to wav"):
            read(tmp_path, content)


def test_a_file_that_may_not_be_read_is_not_called_broken(tmp_path):
    with (
        pytest.raises(CorpusError, match="must be a file, it is a folder"),
        open_audio(tmp_path),
    ):
        pass
