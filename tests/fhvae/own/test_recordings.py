"""A folder of audio as a corpus: who speaks, what is cut, what is left out."""

import os

import numpy as np
import pytest
import soundfile

from fhvae.corpus.manifest import Refused
from fhvae.errors import CorpusError
from fhvae.own.recordings import own_recordings
from fhvae.params.corpus import SplitParams
from tests.tones import write_tone_corpus

SPLITS = SplitParams(seed=0, dev_fraction=0.1, test_fraction=0.2)


def write(path, seconds=0.5, seed=0, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).normal(size=round(seconds * rate))
    soundfile.write(path, noise, rate)


def take(folder, piece_s=20.0):
    own = own_recordings(folder, SPLITS, piece_s)
    found = list(own.recordings)
    kept = [one for one in found if not isinstance(one, Refused)]
    return own, kept, [one for one in found if isinstance(one, Refused)]


def test_folders_below_are_speakers_and_two_are_kept_for_dev(tmp_path):
    for speaker in range(5):
        for number in range(3):
            write(tmp_path / f"s{speaker}/deep/{number}.wav", seed=10 * speaker + number)
    own, kept, left = take(tmp_path)
    assert (own.knows_speakers, own.splits, left) == (True, ("train", "dev"), [])
    assert {one.utterance.speaker for one in kept} == {f"s{speaker}" for speaker in range(5)}
    in_dev = {one.utterance.speaker for one in kept if one.utterance.split == "dev"}
    in_train = {one.utterance.speaker for one in kept if one.utterance.split == "train"}
    assert (len(in_dev), in_dev & in_train) == (2, set())


def test_a_file_beside_the_speakers_is_left_out_by_name(tmp_path):
    for speaker in range(4):
        write(tmp_path / f"s{speaker}/a.wav", seed=speaker)
    write(tmp_path / "beside.wav", seed=9)
    _, kept, left = take(tmp_path)
    assert len(kept) == 4
    assert [(one.utterance.path, one.reason) for one in left] == [
        ("beside.wav", "it lies in no speaker's folder")
    ]


def test_without_speakers_every_piece_is_its_own_and_dev_has_two(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.wav", seconds=2.5, seed=number)
    own, kept, _ = take(tmp_path, piece_s=1.0)
    assert not own.knows_speakers
    assert len(kept) == 9
    assert len({one.utterance.speaker for one in kept}) == 9
    splits = [one.utterance.split for one in kept]
    assert splits == ["train", "dev", "train", "dev", *["train"] * 5]


def test_pieces_are_equal_and_nothing_is_lost(tmp_path):
    write(tmp_path / "long.wav", seconds=2.5)
    _, kept, _ = take(tmp_path, piece_s=1.0)
    assert [len(one.samples) for one in kept] == [13333, 13333, 13334]
    whole, _ = soundfile.read(tmp_path / "long.wav", dtype="int16")
    assert np.array_equal(np.concatenate([one.samples for one in kept]), whole)


def test_channels_are_mixed_and_what_cannot_be_used_is_told(tmp_path):
    stereo = 0.1 * np.random.default_rng(0).normal(size=(44100, 2))
    soundfile.write(tmp_path / "stereo.wav", stereo, 44100)
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    _, kept, left = take(tmp_path)
    assert [len(one.samples) for one in kept] == [16000]
    assert [one.utterance.path for one in left] == ["silence.wav", "text.wav"]
    assert "must hold sound" in left[0].reason


def test_one_recording_under_two_speakers_is_refused(tmp_path):
    for speaker in range(4):
        write(tmp_path / f"s{speaker}/a.wav", seed=speaker % 3)
    message = r"speakers must not share a recording, .* \(s0/a\.wav, s3/a\.wav\)$"
    with pytest.raises(CorpusError, match=message):
        take(tmp_path)


def test_where_nobody_is_known_a_copy_is_left_out_and_in_no_other_split(tmp_path):
    for number in range(5):
        write(tmp_path / f"{number}.wav", seed=number % 4)
    _, kept, left = take(tmp_path)
    assert [one.utterance.split for one in kept] == ["train", "dev", "train", "dev"]
    assert [(one.utterance.path, one.reason) for one in left] == [
        ("4.wav", "000004-0000 holds the same samples as 000000-0000, of 0.wav")
    ]


def test_pieces_of_silence_are_left_out_and_are_no_copies(tmp_path):
    for speaker in range(4):
        noise = 0.1 * np.random.default_rng(speaker).normal(size=48000)
        noise[16000:32000] = 0
        (tmp_path / f"s{speaker}").mkdir()
        soundfile.write(tmp_path / f"s{speaker}/a.wav", noise, 16000)
    _, kept, left = take(tmp_path, piece_s=1.0)
    assert (len(kept), len(left)) == (8, 4)
    assert left[0].reason == "seconds 1.0 to 2.0 must hold sound, every sample is 0"


def test_a_manifest_is_the_corpus_that_it_describes(tmp_path):
    write_tone_corpus(tmp_path, {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.3)
    own, kept, _ = take(tmp_path)
    assert (own.knows_speakers, own.splits) == (True, ("train", "dev", "test"))
    assert len(kept) == 14


def test_lists_count_the_files_that_they_name_outside(tmp_path):
    write_tone_corpus(tmp_path / "tones", {"train": 7}, utterances=2, seconds=0.3)
    files = sorted((tmp_path / "tones/wav").iterdir())
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "wav.scp").write_text("".join(f"{path.stem} {path}\n" for path in files))
    speakers = "".join(f"{path.stem} {path.stem.split('-')[0]}\n" for path in files)
    (lists / "utt2spk").write_text(speakers)
    own, kept, _ = take(lists)
    assert len(kept) == 14
    assert sorted(own.files) == sorted([*files, lists / "utt2spk", lists / "wav.scp"])


def test_speakers_may_be_links(tmp_path):
    for speaker in range(4):
        write(tmp_path / f"far/s{speaker}/a.wav", seed=speaker)
        (tmp_path / "near").mkdir(exist_ok=True)
        (tmp_path / f"near/s{speaker}").symlink_to(tmp_path / f"far/s{speaker}")
    own, kept, left = take(tmp_path / "near")
    assert {one.utterance.speaker for one in kept} == {"s0", "s1", "s2", "s3"}
    assert (own.knows_speakers, left) == (True, [])


def test_names_that_are_no_utf_8_stand_as_text(tmp_path):
    odd = os.fsdecode(b"s\xff")
    for number, speaker in enumerate(("s0", "s1", "s2", odd)):
        write(tmp_path / f"{number}.wav", seed=number)
        (tmp_path / speaker).mkdir()
        (tmp_path / f"{number}.wav").rename(tmp_path / speaker / f"{odd}.wav")
    (tmp_path / odd / "bad.wav").touch()
    _, kept, left = take(tmp_path)
    assert r"s\udcff" in {one.utterance.speaker for one in kept}
    assert {one.utterance.path for one in kept} > {r"s0/s\udcff.wav"}
    assert [one.utterance.path for one in left] == [r"s\udcff/bad.wav"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_recordings_is_told(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"must (be a folder|hold audio)"):
        own_recordings(tmp_path / name, SPLITS, 20.0)
