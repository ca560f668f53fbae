"""Kaldi data folders: read as they are, or refused by file and line; commands are never run."""

import dataclasses
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from fhvae.corpus.catalogue import recordings
from fhvae.corpus.listing import Source
from fhvae.corpus.recipes.folder import read_folder
from fhvae.errors import CorpusError, TrialError
from fhvae.params.whole import load_params
from tests.tiny import ROOT
from tests.tones import write_tone_corpus


def write_lists(folder, **lists):
    """Write lists; `None` takes one away."""
    folder.mkdir(exist_ok=True)
    for name, lines in lists.items():
        path = folder / name.replace("wav_scp", "wav.scp")
        if lines is None:
            path.unlink()
        else:
            path.write_text("".join(f"{line}\n" for line in lines))


def lists_of(table):
    """The lists of Kaldi that say what a manifest says."""
    speakers = table.drop_duplicates("speaker")
    return {
        "wav_scp": list(table.utterance_id + " " + table.path),
        "utt2spk": list(table.utterance_id + " " + table.speaker),
        "text": list(table.utterance_id + " " + table.text),
        "spk2gender": list(speakers.speaker + " " + speakers.gender.str.lower()),
    }


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Seven speakers (3 train, 2 dev, 2 test), two utterances each, and their manifest."""
    where = tmp_path_factory.mktemp("small") / "corpus"
    write_tone_corpus(where, {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.3)
    table = pd.read_csv(where / "manifest.csv", dtype=str)
    for name in ("manifest.csv", "phones.csv"):
        (where / name).unlink()
    return where, table


@pytest.fixture
def table(tones):
    return tones[1]


@pytest.fixture
def corpus(tones, tmp_path):
    """One data folder with splits to be drawn: a copy to spoil."""
    folder, table = tones
    write_lists(shutil.copytree(folder, tmp_path / "corpus"), **lists_of(table))
    return tmp_path / "corpus"


@pytest.fixture
def split_corpus(tones, tmp_path):
    """The folders train, dev and test."""
    folder, table = tones
    where = shutil.copytree(folder, tmp_path / "corpus")
    for split, rows in table.groupby("split"):
        write_lists(where / split, **lists_of(rows))
    return where


def params_of(path, seed=0):
    params = load_params(ROOT / "params.yaml").corpus
    return dataclasses.replace(params, name="manifest", path=str(path), seed=seed)


def listing(path, seed=0):
    return read_folder(params_of(path, seed))


def test_one_folder_says_what_the_manifest_said(corpus, table):
    found = {item.utterance_id: item for item in listing(corpus).utterances}
    assert set(found) == set(table.utterance_id)
    for row in table.itertuples():
        one = found[row.utterance_id]
        assert (one.path, one.speaker, one.gender) == (row.path, row.speaker, row.gender)
        assert one.text == row.text
        assert one.duration_s == 0
    by_speaker = {one.speaker: one.split for one in found.values()}
    assert sorted(by_speaker.values()) == ["dev"] * 2 + ["test"] * 2 + ["train"] * 3


def test_the_seed_draws_the_splits(corpus):
    def drawn(seed):
        return [one.split for one in listing(corpus, seed).utterances]

    assert drawn(0) == drawn(0)
    assert any(drawn(seed) != drawn(0) for seed in range(1, 6))


def test_folders_name_their_split_and_paths_count_from_the_corpus(split_corpus, table):
    found = list(recordings(params_of(split_corpus)))
    splits = {item.utterance.utterance_id: item.utterance.split for item in found}
    assert splits == dict(zip(table.utterance_id, table.split, strict=True))
    for item in found:
        expected, _ = soundfile.read(split_corpus / item.utterance.path, dtype="int16")
        np.testing.assert_array_equal(item.samples, expected)


def test_order_empty_lines_and_dos_line_ends_do_not_matter(corpus, table):
    expected = sorted(listing(corpus).utterances, key=lambda item: item.utterance_id)
    for name, lines in lists_of(table).items():
        path = corpus / name.replace("wav_scp", "wav.scp")
        path.write_bytes("\r\n".join([*reversed(lines), ""]).encode())
    found = sorted(listing(corpus).utterances, key=lambda item: item.utterance_id)
    assert found == expected


def test_only_wav_scp_and_utt2spk_are_needed(corpus):
    write_lists(corpus, text=None, spk2gender=None)
    assert {(one.text, one.gender) for one in listing(corpus).utterances} == {("", "")}


def test_a_text_may_be_empty_and_a_gender_unknown(corpus):
    write_lists(corpus, text=["spk00-0"], spk2gender=["spk00 F"])
    found = {one.utterance_id: one for one in listing(corpus).utterances}
    assert found["spk00-0"].text == ""
    assert found["spk00-1"].gender == "F"
    assert found["spk01-0"].gender == ""


def test_a_text_may_hold_any_separator_of_unicode(corpus):
    write_lists(corpus, text=["spk00-0 one\u2028two\x85three"])
    found = {one.utterance_id: one for one in listing(corpus).utterances}
    assert found["spk00-0"].text == "one\u2028two\x85three"


def test_an_absolute_path_is_the_users_own_list(corpus, table, tmp_path):
    outside = tmp_path / "out side.wav"
    (corpus / "wav/spk00-0.wav").rename(outside)
    lines = lists_of(table)["wav_scp"]
    write_lists(corpus, wav_scp=[f"spk00-0 {outside}", *lines[1:]])
    found = listing(corpus)
    assert found.sources["spk00-0"].file == outside
    assert next(iter(found.utterances)).path == str(outside)
    assert len(list(recordings(params_of(corpus)))) == 14


def test_parts_of_recordings_are_utterances(corpus, table):
    """One long recording per speaker; its parts are cut at known samples."""
    scp, segments, speakers, expected = [], [], [], {}
    for speaker in sorted(set(table.speaker)):
        long = np.random.default_rng(len(scp)).integers(-900, 900, 16_000).astype(np.int16)
        soundfile.write(corpus / f"{speaker}.wav", long, 16_000)
        scp.append(f"{speaker}-all {speaker}.wav")
        segments += [f"{speaker}-a {speaker}-all 0.1 0.35", f"{speaker}-b {speaker}-all 0.75 -1.0"]
        speakers += [f"{speaker}-a {speaker}", f"{speaker}-b {speaker}"]
        expected |= {f"{speaker}-a": long[1600:5600], f"{speaker}-b": long[12_000:]}
    write_lists(corpus, wav_scp=scp, segments=segments, utt2spk=speakers, text=None)
    listed = listing(corpus)
    assert listed.sources["spk00-a"] == Source(corpus / "spk00.wav", 0.1, 0.35)
    assert listed.sources["spk00-b"] == Source(corpus / "spk00.wav", 0.75, None)
    promised = {one.utterance_id: one.duration_s for one in listed.utterances}
    assert promised["spk00-a"] == pytest.approx(0.25)
    assert promised["spk00-b"] == 0
    found = list(recordings(params_of(corpus)))
    assert len(found) == 14
    for item in found:
        np.testing.assert_array_equal(item.samples, expected[item.utterance.utterance_id])


def test_recordings_without_a_part_are_counted(corpus, table, caplog):
    parts = [f"{name} {name} 0 0.1" for name in table.utterance_id]
    write_lists(corpus, segments=parts[:-2], utt2spk=lists_of(table)["utt2spk"][:-2])
    write_lists(corpus, text=None, spk2gender=None)
    with caplog.at_level(logging.WARNING):
        assert len(listing(corpus).utterances) == 12
    assert "takes no part of 2 recordings, the first is spk06-0" in caplog.text


def test_durations_are_held_against_the_files(corpus, table):
    write_lists(corpus, utt2dur=["spk00-0 7.5"])
    with pytest.raises(CorpusError, match=r"duration_s of spk00-0 must be within 0\.1 s"):
        list(recordings(params_of(corpus)))


def test_a_manifest_comes_first(corpus, table):
    table.head(0).to_csv(corpus / "manifest.csv", index=False)
    with pytest.raises(TrialError, match=r"manifest\.csv: split train .* found 0"):
        listing(corpus)


BAD_LINES = {
    "command": (
        {"wav_scp": ["spk00-0 touch ran; cat wav/spk00-0.wav |"]},
        r"wav\.scp line 1: wav\.scp must name files, recording spk00-0 is the command "
        r"'touch ran; .*', which is not run; write its output",
    ),
    "missing-file": (
        {"wav_scp": ["spk00-0 wav/gone.wav"]},
        r"wav\.scp line 1: recording spk00-0 must name a file, 'wav/gone\.wav' is not there",
    ),
    "folder-for-a-file": ({"wav_scp": ["spk00-0 wav"]}, "must name a file, 'wav' is not there"),
    "archive": ({"wav_scp": ["spk00-0 wav.ark:17"]}, r"must name a file, 'wav\.ark:17' is not"),
    "id-alone": ({"wav_scp": ["spk00-0"]}, "line 1: must hold an id and what belongs to it"),
    "twice": (
        {"wav_scp": ["spk00-0 wav/spk00-0.wav", "", "spk00-0 wav/spk00-1.wav"]},
        r"wav\.scp line 3: spk00-0 must have one line, it is also in line 1",
    ),
    "slash": (
        {"wav_scp": ["a/b wav/spk00-0.wav"], "utt2spk": ["a/b spk00"]},
        r"utt2spk line 1: utterance_id must be a name without blanks and slashes, .*'a/b'",
    ),
    "point": (
        {"wav_scp": [".. wav/spk00-0.wav"], "utt2spk": [".. spk00"]},
        "utterance_id must be a name without blanks and slashes",
    ),
    "unknown-utterance": (
        {"wav_scp": ["spk00-0 wav/spk00-0.wav"]},
        r"utt2spk line 2: utterance must be one of the folder, got 'spk00-1' \(13 unknown",
    ),
    "no-speaker": (
        {"utt2spk": ["spk00-0 spk00"]},
        "every utterance must have its speaker here, 13 of 14 have none, the first is spk00-1",
    ),
    "speaker-of-two-words": (
        {"wav_scp": ["spk00-0 wav/spk00-0.wav"], "utt2spk": ["spk00-0 anna b"]},
        "speaker of spk00-0 must be a name without blanks, got 'anna b'",
    ),
    "unknown-text": ({"text": ["spk09 hello"]}, "text line 1: utterance must be one of"),
    "unknown-gender": (
        {"spk2gender": ["spk09 m"]},
        "spk2gender line 1: speaker must be one of the folder, got 'spk09'",
    ),
    "gender": (
        {"spk2gender": ["spk00 male"]},
        "gender of speaker spk00 must be m or f, got 'male'",
    ),
    "duration": (
        {"utt2dur": ["spk00-0 0"]},
        "utt2dur line 1: duration of spk00-0 must be seconds above 0, got '0'",
    ),
    "channel": (
        {"segments": ["spk00-0 spk00-0 0 0.1 1"]},
        "segments must hold utterance, recording, start and end, got spk00-0 spk00-0 0 0.1 1",
    ),
    "unknown-recording": (
        {"segments": ["spk00-0 call 0 0.1"]},
        r"segments line 1: recording of spk00-0 must be one of wav\.scp, got 'call'",
    ),
    "backward": (
        {"segments": ["spk00-0 spk00-0 0.2 0.1"]},
        "start and end of spk00-0 must be seconds, the end later or -1, got 0.2 and 0.1",
    ),
    "no-number": ({"segments": ["spk00-0 spk00-0 a b"]}, "must be seconds, .* got a and b"),
    "endless": ({"segments": ["spk00-0 spk00-0 0 inf"]}, "must be seconds, .* got 0 and inf"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named(corpus, name, monkeypatch):
    lists, message = BAD_LINES[name]
    write_lists(corpus, **lists)
    monkeypatch.chdir(corpus)
    with pytest.raises(CorpusError, match=message):
        listing(corpus)
    assert not (corpus / "ran").exists()


def test_without_speakers_the_missing_list_is_named(corpus):
    write_lists(corpus, utt2spk=None)
    with pytest.raises(CorpusError, match=r"utt2spk must be a readable text file"):
        listing(corpus)


def test_lists_are_checked_before_audio(corpus):
    for path in (corpus / "wav").iterdir():
        path.write_bytes(b"no audio")
    assert len(listing(corpus).utterances) == 14


def test_a_speaker_in_two_folders_is_refused(split_corpus):
    with (split_corpus / "dev/utt2spk").open() as file:
        lines = [line.replace(" spk03", " spk00").strip() for line in file]
    write_lists(split_corpus / "dev", utt2spk=lines, spk2gender=None)
    with pytest.raises(CorpusError, match="speakers of train and dev must be disjoint, spk00"):
        listing(split_corpus)


def test_an_utterance_in_two_folders_is_refused(split_corpus):
    shutil.copytree(split_corpus / "train", split_corpus / "dev", dirs_exist_ok=True)
    with pytest.raises(
        CorpusError,
        match=r"dev/wav\.scp line 1: utterance_id must be unique, spk00-0 is also in .*train/wav",
    ):
        listing(split_corpus)


def test_a_missing_split_is_named(split_corpus):
    shutil.rmtree(split_corpus / "dev")
    with pytest.raises(TrialError, match="split dev must have at least 2 speakers, found 0"):
        listing(split_corpus)


def test_a_folder_without_either_names_both(tmp_path):
    with pytest.raises(
        CorpusError, match=r"manifest\.csv must exist, or Kaldi's wav\.scp .* train, dev and test"
    ):
        listing(tmp_path)
