"""Degraded copies: the ratio asked for, the same length and time, the clean statistics."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.acoustics.noises import NoiseRecording, speech_spectrum
from fhvae.acoustics.plan import Copy
from fhvae.acoustics.render import (
    Acoustics,
    FrontEnd,
    degrade,
    measured_snr_db,
    render,
    write_copies,
)
from fhvae.corpus.signals import from_int16, room_response, to_int16
from fhvae.errors import CorpusError
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import read_packed
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from tests.fhvae.acoustics.made_up_sounds import burst, pack, write_noise_folder

FBANK = FbankParams(
    window_ms=25.0,
    hop_ms=10.0,
    fft_size=512,
    mels=11,
    preemphasis=0.97,
    power=1.0,
    log_floor=-20.0,
    store="float32",
    silent_share=0.05,
)
DOMAINS = DomainsParams(
    train=(),
    topline=(),
    test=("noise10",),
    train_noises=(),
    test_noises=("white",),
    noise_path=None,
    active_range_db=30.0,
    babble_voices=2,
    aurora_second_microphone=0.5,
    aurora_noisy=0.75,
    aurora_train_db=(10.0, 20.0),
    aurora_test_db=(5.0, 15.0),
    room_rt60_s=(0.3, 0.5),
    room_direct_to_reverb_db=(1.0, 2.0),
)
LENGTH = 8003
MIDDLE = slice(2080, 5760)  # whole 20 ms frames well inside the part that speaks


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


@pytest.fixture
def clips(tmp_path):
    return pack(
        tmp_path / "test",
        {"u1": burst(LENGTH, 1), "u2": burst(LENGTH + 500, 2), "u3": burst(3200, 3)},
    )


@pytest.fixture
def front_end(clips):
    sound = Acoustics(DOMAINS, speech_spectrum(clips, 0))
    return FrontEnd(sound, FBANK, Normalizer(np.zeros(11), np.ones(11)))


@pytest.fixture
def recording(tmp_path):
    folder = write_noise_folder(tmp_path / "noise", {"cry-1": 0.6}, seconds=0.3)
    return NoiseRecording("cry-1", folder / "cry-1.flac", "cry")


def power_db(signal):
    return 10 * np.log10(np.mean(signal**2))


def noisy_copy(clips, kind, domain, recording=None):
    voices = tuple(clips[1:]) if kind == "babble" else ()
    return Copy(clips[0], domain, 0, kind, voices, recording if kind == "folder" else None)


KINDS = ("white", "pink", "speech_shaped", "babble", "folder")


@pytest.mark.parametrize(("domain", "wanted_db"), [("noise20", 20), ("noise5", 5), ("noise0", 0)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_ratio_on_active_speech_is_the_one_asked_for(
    clips, front_end, recording, kind, domain, wanted_db
):
    """Where the utterance speaks is known: the middle half, to a frame."""
    made = degrade(front_end.acoustics, noisy_copy(clips, kind, domain, recording))
    speech = from_int16(clips[0].samples())
    noise = made.signal - speech
    frames = np.arange(LENGTH) // 320
    speaks = (frames >= LENGTH // 4 // 320) & (frames <= (LENGTH - LENGTH // 4) // 320)
    assert power_db(speech[speaks]) - power_db(noise[speaks]) == pytest.approx(wanted_db)
    assert made.draws.snr_db == pytest.approx(wanted_db, abs=0.01)
    assert power_db(speech) < power_db(speech[speaks]) - 2  # over all of it, it would differ


def test_all_levels_of_noise_are_one_noise(clips, front_end):
    speech = from_int16(clips[0].samples())
    soft, loud = (
        degrade(front_end.acoustics, noisy_copy(clips, "pink", domain)).signal - speech
        for domain in ("noise20", "noise0")
    )
    assert loud == pytest.approx(10 * soft)


def test_what_was_drawn_is_told(clips, front_end, recording):
    babble = degrade(front_end.acoustics, noisy_copy(clips, "babble", "noise10")).draws
    assert (babble.noise, babble.sources) == ("babble", "u2 u3")
    folder = degrade(front_end.acoustics, noisy_copy(clips, "folder", "noise10", recording)).draws
    assert (folder.noise, folder.sources) == ("folder/cry", "cry-1")
    room = degrade(front_end.acoustics, Copy(clips[0], "room", 0)).draws
    assert (room.split, room.utterance_id, room.noise, room.snr_db) == ("test", "u1", "", None)
    assert 0.3 <= room.rt60_s <= 0.5
    assert 1.0 <= room.direct_to_reverb_db <= 2.0


def test_a_room_starts_with_the_utterance_and_delays_nothing(clips, front_end):
    """The copy is the speech played into a response that begins with 1 at time 0."""
    speech = from_int16(clips[0].samples())
    heard = degrade(front_end.acoustics, Copy(clips[0], "room", 0)).signal
    assert heard.shape == speech.shape
    assert heard[0] == pytest.approx(speech[0])
    correlation = np.correlate(heard, speech, "full")
    assert np.argmax(correlation) == LENGTH - 1


@pytest.mark.parametrize("domain", ["telephone", "room", "noise10"])
def test_no_domain_moves_sound_in_time(clips, front_end, domain):
    copy = Copy(clips[0], domain, 0, "white" if domain == "noise10" else "")
    speech = from_int16(clips[0].samples())
    heard = degrade(front_end.acoustics, copy).signal
    assert np.argmax(np.correlate(heard, speech, "full")) == LENGTH - 1


@pytest.mark.parametrize("domain", ["telephone", "room", "noise0"])
def test_a_loud_copy_is_lowered_and_not_clipped(tmp_path, front_end, domain):
    loud = pack(tmp_path / "loud", {"u1": burst(LENGTH, 1, amplitude=0.24)})
    made = degrade(
        front_end.acoustics, Copy(loud[0], domain, 0, "white" if domain == "noise0" else "")
    )
    samples = to_int16(made.signal)
    assert np.abs(samples.astype(int)).max() <= 0.98 * 32_767 + 1
    assert made.draws.gain == pytest.approx(min(1.0, 0.98 / np.abs(made.signal).max()))
    if domain == "noise0":
        assert made.draws.gain < 1
        assert made.draws.snr_db == pytest.approx(0, abs=0.01)


def test_the_ratio_is_measured_as_the_copy_is_written():
    """A square wave of 2 000 steps under one of 200: 20 dB, and rounding changes nothing."""
    speech = from_int16(np.tile([2000, -2000], 400).astype(np.int16))
    noise = from_int16(np.repeat([200, -200], 400).astype(np.int16))
    active = np.zeros(800, bool)
    active[100:300] = True
    assert measured_snr_db(speech, speech + noise, active) == pytest.approx(20.0)


@given(st.integers(0, 30))
def test_every_seed_is_another_room_and_each_repeats(seed):
    first, again, other = (
        room_response(0.3, 5.0, np.random.default_rng(number)) for number in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_copy_depends_on_seed_and_utterance_alone(clips, front_end):
    for kind, domain in [("white", "noise10"), ("babble", "noise10"), ("", "room")]:
        voices = tuple(clips[1:]) if kind == "babble" else ()
        copy = Copy(clips[0], domain, 0, kind, voices)
        first = degrade(front_end.acoustics, copy).signal
        np.testing.assert_array_equal(degrade(front_end.acoustics, copy).signal, first)
        reseeded = degrade(front_end.acoustics, dataclasses.replace(copy, seed=1)).signal
        assert not np.array_equal(reseeded, first)


def test_two_utterances_of_equal_samples_meet_different_noise(tmp_path, front_end):
    twins = pack(tmp_path / "test", {"u1": burst(LENGTH, 1), "u2": burst(LENGTH, 1)})
    first, second = (
        degrade(front_end.acoustics, Copy(one, "noise0", 0, "white")).signal for one in twins
    )
    assert not np.array_equal(first, second)


def test_frames_are_those_of_the_copy_under_the_clean_statistics(clips, front_end):
    normalizer = Normalizer(np.arange(11.0), np.full(11, 2.0))
    front_end = dataclasses.replace(front_end, normalizer=normalizer)
    copy = Copy(clips[0], "telephone", 0)
    expected = (
        log_mel(to_int16(degrade(front_end.acoustics, copy).signal), FBANK) - np.arange(11)
    ) / 2
    found = render(front_end, copy).frames
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)
    assert len(found) == clips[0].frames


@pytest.mark.parametrize("store", ["float32", "float16"])
def test_copies_are_packed_with_the_ids_and_lengths_of_the_originals(
    clips, front_end, tmp_path, store
):
    front_end = dataclasses.replace(front_end, fbank=dataclasses.replace(FBANK, store=store))
    copies = [Copy(clip, "noise5", 0, "white") for clip in clips]
    draws = write_copies(tmp_path / "out", copies, front_end)
    packed = read_packed(tmp_path / "out/noise5/test")
    assert packed.utterance_ids == ("u1", "u2", "u3")
    assert packed.lengths.tolist() == [clip.frames for clip in clips]
    assert packed.rows.dtype == store
    assert packed[0].dtype == np.float32
    assert packed.rows.shape[1] == 11
    assert [one.utterance_id for one in draws] == ["u1", "u2", "u3"]


def test_a_silent_utterance_is_refused_by_name(tmp_path, front_end):
    silent = pack(tmp_path / "test", {"u9": np.zeros(4000, np.int16)})
    with pytest.raises(CorpusError, match="utterance u9 must hold sound, every sample is 0"):
        degrade(front_end.acoustics, Copy(silent[0], "noise10", 0, "white"))


def test_a_noise_that_is_silent_where_it_matters_is_refused_by_name(clips, front_end, monkeypatch):
    monkeypatch.setattr(
        "fhvae.acoustics.render.make_noise", lambda copy, active, *_: np.zeros(len(active))
    )
    with pytest.raises(CorpusError, match=r"utterance u1: its noise \(pink\) must sound where"):
        degrade(front_end.acoustics, Copy(clips[0], "noise10", 0, "pink"))


def test_a_recording_may_be_shorter_or_longer_than_the_utterance(tmp_path, clips, front_end):
    for seconds in (0.05, 3.0):
        folder = write_noise_folder(tmp_path / str(seconds), {"rain": 0.7}, seconds)
        noise = NoiseRecording("rain", Path(folder / "rain.flac"), "rain")
        made = degrade(front_end.acoustics, Copy(clips[0], "noise0", 0, "folder", (), noise))
        assert made.signal.shape == (LENGTH,)
        assert made.draws.snr_db == pytest.approx(0, abs=0.01)
