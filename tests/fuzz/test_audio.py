"""Damaged recordings of every kind: samples in range, or one sentence; nothing hangs or dies.

They go the way that all recordings go, through the process that decodes (fhvae/corpus/decoder.py):
what kills it would be seen here as a sentence of its own. `make fuzz` tries 100,000.
"""

import io
import shutil
import struct
from collections import Counter

import numpy as np
import pytest
import soundfile

from fhvae.corpus.decoder import DiedError, end_decoders, read_audio_and_rate
from fhvae.errors import CorpusError
from fhvae.recording import mixed, open_recording
from tests.fuzz.damage import BYTES, SEED, check_sentence, damaged, examples, random_of
from tests.timit_disc import sphere

FEW = 150  # examples, where nobody asks for more
pytestmark = pytest.mark.timeout(6 * 3600)  # of the long run
RATE_HZ = 16_000
KINDS = [  # as libsndfile writes them
    *(("WAV", kind) for kind in ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("WAV", kind) for kind in ("IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16")),
    *(("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("W64", "IMA_ADPCM")),
    *(("AIFF", kind) for kind in ("PCM_16", "PCM_S8", "FLOAT", "ULAW", "IMA_ADPCM", "DWVW_16")),
    *(("AU", "PCM_16"), ("AU", "ALAW"), ("AU", "G723_24"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")),
    *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
    *(("MP3", "MPEG_LAYER_III"), ("NIST", "PCM_16"), ("NIST", "ULAW"), ("HTK", "PCM_16")),
    *(("MAT5", "PCM_16"), ("VOC", "PCM_16"), ("IRCAM", "PCM_16")),
    *(("SVX", "PCM_16"), ("PAF", "PCM_16"), ("XI", "DPCM_16"), ("PVF", "PCM_16")),
]


def sound(seconds: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(3)
    wave = 0.3 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)
    return wave + 0.05 * random.standard_normal(len(wave))


def whole_files() -> list[bytes]:
    """Give whole files of every kind, ours of NIST with and without Shorten among them."""
    found = []
    for container, subtype in KINDS:
        file = io.BytesIO()
        try:
            rate_hz = 8000 if subtype in ("G721_32", "G723_24", "GSM610") else RATE_HZ
            soundfile.write(file, sound(), rate_hz, format=container, subtype=subtype)
        except (soundfile.SoundFileError, ValueError):  # not built into this libsndfile
            continue
        found.append(file.getvalue())
    samples = (20_000 * sound()).astype(np.int16)
    found += [sphere(samples), sphere(samples, sample_coding="-s26 pcm,embedded-shorten-v2.00")]
    tag = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)
    found += [tag + content for content in found if content[:2] == b"\xff\xf3"]
    junk = b"RIFF\0\0\0\0WAVEJUNK" + struct.pack("<I", 28) + bytes(28)
    found += [junk + content[12:] for content in found if content[:4] == b"RIFF"]
    return found


@pytest.fixture(scope="module", autouse=True)
def decoders():
    yield
    end_decoders()


def test_a_damaged_recording_gives_samples_or_one_sentence(tmp_path_factory):
    files, folder = whole_files(), tmp_path_factory.mktemp("fuzz")
    assert len(files) > 25
    path, outcomes, faults = folder / "a.wav", Counter(), {}
    for number in examples(FEW):
        random = random_of("audio", number)
        path.write_bytes(damaged(random.choice(files), files, random, BYTES))
        try:
            outcomes[outcome_of(path, number)] += 1
        except Exception as error:
            faults[number] = repr(error)
            shutil.copy(path, folder / f"{number}.wav")
    print(SEED, dict(outcomes))
    assert faults == {}, f"kept in {folder}"
    assert outcomes["samples"]
    assert outcomes["refused"]


def outcome_of(path, number):
    """Read it as a corpus does, or as the command line does."""
    try:
        if number % 4:
            samples, rate_hz = read_audio_and_rate(path, "u")
            assert samples.dtype == np.int16
            assert 0 < len(samples) <= 3600 * RATE_HZ
            assert 4000 <= rate_hz <= 192_000
        else:
            with mixed(open_recording(path)) as mix:
                assert mix.length > 0
                assert 0 < mix.peak <= 2
    except CorpusError as error:
        check_sentence(error, path)
        if isinstance(error, DiedError) or isinstance(error.__cause__, DiedError):
            raise AssertionError("it killed the decoder") from error
        return "refused"
    return "samples"
