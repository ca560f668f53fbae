"""Audio files in, int16 at 16 kHz out, or one sentence."""

import struct

import numpy as np
import pytest
import soundfile

from fhvae.corpus.audio import look_at, walk_over
from fhvae.errors import CorpusError
from tests.hostile_audio import read_here, write_ten_hours
from tests.timit_disc import sphere

RATE_HZ = 16_000


NOISE = np.random.default_rng(0).integers(-9000, 9000, 4000, dtype=np.int16)  # 0.25 s
NOISE[7], NOISE[8] = -32768, 32767
OTHER = NOISE.copy()
OTHER[-1] += 1
CONTAINERS = {"a.wav": "WAV", "a.flac": "FLAC", "a.aiff": "AIFF", "a.sph": "NIST", "a.au": "AU"}
CONTAINERS |= {"a.w64": "W64"}


@pytest.fixture
def noise():
    """0.25 s of int16 samples with both extremes."""
    return NOISE


def tone(frequency_hz, rate_hz, seconds=0.5, height=0.5):
    return height * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def write(folder, samples, rate_hz=RATE_HZ, name="a.wav", **options):
    path = folder / name
    soundfile.write(path, samples, rate_hz, **options)
    return path


@pytest.mark.parametrize(("name", "container"), CONTAINERS.items())
def test_16_bit_files_come_back_sample_by_sample(tmp_path, noise, name, container):
    path = write(tmp_path, noise, name=name, format=container, subtype="PCM_16")
    samples = read_here(path, "u1")
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, noise)


def test_the_content_decides_not_the_name(tmp_path, noise):
    """Discs of the LDC hold NIST sphere files named .wav."""
    path = write(tmp_path, noise, name="sa1.wav", format="NIST", subtype="PCM_16")
    np.testing.assert_array_equal(read_here(path, "u1"), noise)


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wider_samples_round_to_the_nearest_step(tmp_path, subtype):
    steps = np.array([0.4, 0.6, -0.4, -0.6, 100.3, -100.7])
    path = write(tmp_path, steps / 32768, subtype=subtype)
    np.testing.assert_array_equal(read_here(path, "u1"), [0, 1, 0, -1, 100, -101])


def test_lossy_files_keep_length_and_sound(tmp_path):
    wave = tone(440, RATE_HZ)
    samples = read_here(write(tmp_path, wave, name="a.ogg"), "u1") / 32768
    assert len(samples) == len(wave)
    assert np.corrcoef(samples, wave)[0, 1] > 0.99


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_other_rates_keep_time_pitch_and_height(tmp_path, rate_hz):
    samples = read_here(write(tmp_path, tone(1000, rate_hz), rate_hz), "u1")
    assert abs(len(samples) - 8000) <= 1
    middle = samples[2000:6000] / 32768
    expected = tone(1000, RATE_HZ)[2000:6000]
    np.testing.assert_allclose(middle, expected, atol=2e-3)


def test_a_higher_rate_does_not_fold_back(tmp_path):
    path = write(tmp_path, tone(11_000, 48_000), 48_000, subtype="FLOAT")
    assert np.abs(read_here(path, "u1")[2000:6000]).max() < 10  # of 16384: 64 dB down


def test_beyond_full_scale_saturates(tmp_path):
    path = write(tmp_path, np.array([1.5, -1.5, 0.5, 1.0, -1.0]), subtype="FLOAT")
    np.testing.assert_array_equal(read_here(path, "u1"), [32767, -32768, 16384, 32767, -32768])


def test_equal_channels_count_as_one(tmp_path, noise):
    path = write(tmp_path, np.stack([noise, noise, noise], axis=1))
    np.testing.assert_array_equal(read_here(path, "u1"), noise)


def spoiled(value, channels):
    wave = np.full((100, channels), 0.1)
    wave[50] = value
    return wave


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.stack([NOISE, OTHER], axis=1), {}, "must have one channel, its 2 channels"),
        *(
            (spoiled(value, channels), {"subtype": "FLOAT"}, "samples must be finite numbers")
            for value in (np.nan, np.inf, -np.inf)
            for channels in (1, 2)
        ),
        (  # float files that hold int16 values are common; saturated they would be a square wave
            20_000 * tone(440, RATE_HZ),
            {"subtype": "FLOAT"},
            "samples must lie between -1 and 1, the largest is 10000; scale",
        ),
        (np.zeros(50, np.int16), {}, "must hold sound, every sample is 0"),
        (np.zeros(0, np.int16), {}, "must hold at least one sample"),
        *(
            (NOISE, {"rate_hz": rate_hz}, f"sample rate must be 4000 to 192000 Hz, got {rate_hz}")
            for rate_hz in (100, 3999, 400_000)
        ),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, samples, options, message):
    path = write(tmp_path, samples, **options)
    with pytest.raises(CorpusError, match=rf"utterance u1: .*a\.wav: {message}"):
        read_here(path, "u1")


@pytest.mark.parametrize(("name", "container"), [*CONTAINERS.items(), ("a.ogg", "OGG")])
def test_a_file_cut_short_is_refused(tmp_path, noise, name, container):
    path = write(tmp_path, noise, name=name, format=container)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(CorpusError, match=rf"utterance u1: .*{name}"):
        read_here(path, "u1")


def test_the_message_of_a_short_wav_counts(tmp_path, noise):
    path = write(tmp_path, noise)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CorpusError, match="promises 4000 samples, 3000 are there"):
        read_here(path, "u1")


def test_a_wav_written_to_a_pipe_is_read(tmp_path, noise):
    """Its writer could not seek back, so the size in the header is a placeholder."""
    path = write(tmp_path, noise)
    whole = bytearray(path.read_bytes())
    position = whole.index(b"data") + 4
    whole[position : position + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_here(path, "u1"), noise)


def test_a_header_that_promises_days_is_refused(tmp_path, noise):
    path = write(tmp_path, noise, name="a.flac")
    whole = bytearray(path.read_bytes())
    whole[21] |= 0x0F  # STREAMINFO: the 36 bits of the number of samples
    whole[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(whole)
    with pytest.raises(CorpusError, match="promises 68719476735 samples, 4000 are there"):
        read_here(path, "u1")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.wav", b"no audio at all"), ("a.flac", b""), ("a.raw", b"12345678")],
)
def test_what_is_no_audio_file_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=rf"utterance u1: .*{name}: must be an audio file"):
        read_here(path, "u1")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"u1: .*gone\.wav: must be a readable file: No such"):
        read_here(tmp_path / "gone.wav", "u1")


# --- parts of files -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        pytest.param(0.05, 0.2, slice(800, 3200), id="middle"),
        pytest.param(None, 0.1, slice(0, 1600), id="from-the-start"),
        pytest.param(0.1, None, slice(1600, 4000), id="to-the-end"),
        pytest.param(0.0, 0.25, slice(0, 4000), id="all"),
        pytest.param(0.2, 0.27, slice(3200, 4000), id="ends-a-little-later"),
        pytest.param(0.10003, 0.20003, slice(1600, 3200), id="rounded-to-samples"),
    ],
)
def test_a_part_is_read_sample_by_sample(tmp_path, noise, start_s, end_s, expected):
    path = write(tmp_path, noise)
    found = read_here(path, "u1", start_s=start_s, end_s=end_s)
    np.testing.assert_array_equal(found, noise[expected])


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        (0.1, 0.3, r"must hold the part from 0\.1 to 0\.3 s, it lasts 0\.250 s"),
        (0.3, None, r"must hold the part from 0\.3 to 0\.25 s"),
        (0.2, 0.1, r"must hold the part from 0\.2 to 0\.1 s"),
        (-0.1, 0.1, r"must hold the part from -0\.1 to 0\.1 s"),
        (0.1, 0.1, "must hold the part"),
        (float("nan"), 0.1, "must hold the part"),
    ],
)
def test_a_part_outside_the_file_is_refused(tmp_path, noise, start_s, end_s, message):
    path = write(tmp_path, noise)
    with pytest.raises(CorpusError, match=rf"utterance u1: .*a\.wav: {message}"):
        read_here(path, "u1", start_s=start_s, end_s=end_s)


def test_a_part_of_another_rate_keeps_time_and_pitch(tmp_path):
    wave = np.concatenate([tone(500, 22_050), tone(1000, 22_050), tone(2000, 22_050)])
    samples = read_here(write(tmp_path, wave, 22_050), "u1", start_s=0.5, end_s=1.0)
    assert abs(len(samples) - 8000) <= 1
    expected = tone(1000, RATE_HZ)[2000:6000]
    np.testing.assert_allclose(samples[2000:6000] / 32768, expected, atol=2e-3)


def test_of_a_long_file_only_the_part_is_read(tmp_path, noise, monkeypatch):
    """Ten hours, of which 0.25 s are asked for: the tenth hour costs what the first does."""
    path = tmp_path / "long.wav"
    start = 9 * 3600 * RATE_HZ
    write_ten_hours(path, noise, start)
    read, counts = soundfile.SoundFile.read, []

    def counting(self, *arguments, **options):
        block = read(self, *arguments, **options)
        counts.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    samples = read_here(path, "u1", start_s=9 * 3600, end_s=9 * 3600 + 0.25)
    np.testing.assert_array_equal(samples, noise)
    assert sum(counts) == len(noise)
    with pytest.raises(CorpusError, match="a part must last at most 3600 s, got 3601"):
        read_here(path, "u1", start_s=0.0, end_s=3601.0)
    assert sum(counts) == len(noise)


def test_a_part_is_checked_as_a_whole_file_is(tmp_path, noise):
    path = write(tmp_path, np.stack([noise, noise[::-1]], axis=1))
    with pytest.raises(CorpusError, match="its 2 channels differ"):
        read_here(path, "u1", start_s=0.0, end_s=0.1)
    silent = write(tmp_path, np.concatenate([np.zeros(4000, np.int16), noise]))
    with pytest.raises(CorpusError, match="must hold sound, every sample is 0"):
        read_here(silent, "u1", start_s=0.0, end_s=0.25)
    silent.write_bytes(b"no audio")
    with pytest.raises(CorpusError, match="must be an audio file"):
        read_here(silent, "u1", start_s=0.0, end_s=0.25)


@pytest.mark.parametrize(
    ("rate_hz", "options"),
    [
        (RATE_HZ, {"subtype": "FLOAT"}),
        (44_100, {"subtype": "FLOAT"}),
        (RATE_HZ, {"subtype": "PCM_24"}),
    ],
)
def test_what_is_silence_in_16_bits_is_silence(tmp_path, rate_hz, options):
    path = write(tmp_path, tone(300, rate_hz, height=1e-6), rate_hz, **options)
    with pytest.raises(CorpusError, match="must hold sound, every sample is 0 in 16 bits"):
        read_here(path, "u1")


# --- odd but in order, and sphere -----------------------------------------------------


def test_eight_equal_channels_at_96_khz_count_as_one(tmp_path):
    wave = tone(1000, 96_000)
    samples = read_here(write(tmp_path, np.stack([wave] * 8, axis=1), 96_000), "u1")
    assert abs(len(samples) - 8000) <= 1
    expected = tone(1000, RATE_HZ)[2000:6000]
    np.testing.assert_allclose(samples[2000:6000] / 32768, expected, atol=2e-3)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
def test_adpcm_is_decoded(tmp_path, subtype):
    """4 bits a sample: the length may be filled up to whole blocks."""
    wave = tone(440, RATE_HZ)
    samples = read_here(write(tmp_path, wave, subtype=subtype), "u1")
    assert len(wave) <= len(samples) < len(wave) + 2048
    assert np.corrcoef(samples[: len(wave)], wave)[0, 1] > 0.99


def test_a_tag_behind_the_samples_does_not_matter(tmp_path, noise):
    path = write(tmp_path, noise)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_here(path, "u1"), noise)


def test_the_sphere_header_of_timit_is_read(tmp_path, noise):
    path = tmp_path / "SA1.WAV"
    path.write_bytes(sphere(noise))
    np.testing.assert_array_equal(read_here(path, "u1"), noise)


@pytest.mark.parametrize("part", [{}, {"start_s": 0.0, "end_s": 0.1}])
def test_a_compressed_sphere_file_says_what_unpacks_it(tmp_path, noise, part):
    path = tmp_path / "SA1.WAV"
    path.write_bytes(sphere(noise, sample_coding="-s26 pcm,embedded-shorten-v2.00"))
    with pytest.raises(
        CorpusError,
        match=r"u1: .*SA1\.WAV: must be a sphere file of plain samples, its sample_coding is "
        r"pcm,embedded-shorten-v2\.00; unpack it with sph2pipe -f wav",
    ):
        read_here(path, "u1", **part)


@pytest.mark.parametrize("seconds", [86_400, 86_402])
def test_a_recording_of_more_than_a_day_is_refused(tmp_path, seconds):
    """As holes on the disk, 8 bits at 4 kHz: one that is read to its end would fill the disk."""
    size = 4000 * seconds
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 4000, 4000, 1, 8, b"data")
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", *fields, size))
        file.truncate(44 + size)
    if seconds == 86_400:
        assert look_at(tmp_path / "long.wav").samples == size
        return
    with pytest.raises(CorpusError, match="must last at most 86400 s, it lasts 86402 s; cut it"):
        look_at(tmp_path / "long.wav")


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_a_compressed_file_that_memory_should_not_hold_is_refused(tmp_path, kind, monkeypatch):
    path = tmp_path / "large"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, RATE_HZ), RATE_HZ, format=kind)
    most = path.stat().st_size
    monkeypatch.setattr("fhvae.corpus.containers.opening.MAX_HELD_BYTES", most)
    look_at(path)
    monkeypatch.setattr("fhvae.corpus.containers.opening.MAX_HELD_BYTES", most - 1)
    with pytest.raises(CorpusError, match=f"must have at most {most - 1} bytes as it is compress"):
        look_at(path)


def test_a_decoder_that_gives_without_end_is_stopped(tmp_path, noise, monkeypatch):
    path = write(tmp_path, noise)
    asked = []

    def endless(file, frames, **_):
        asked.append(frames)
        return np.full((frames, 1), 0.1, np.float32)

    monkeypatch.setattr(soundfile.SoundFile, "read", endless)
    with pytest.raises(CorpusError, match=f"promises {len(noise)} samples, {len(noise) + 1} are"):
        read_here(path, "u1")
    with pytest.raises(CorpusError, match="must be whole"):
        list(walk_over(path))
    assert len(asked) < 5
