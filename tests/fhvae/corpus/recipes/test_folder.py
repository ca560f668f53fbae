"""A folder of the user: read whole, or refused by file, row and key."""

import dataclasses
import logging
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from fhvae.corpus.catalogue import decode
from fhvae.corpus.manifest import Utterance
from fhvae.corpus.recipes import folder
from fhvae.errors import CorpusError, TrialError
from fhvae.params.whole import load_params
from tests.tones import write_tone_corpus


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory):
    """Seven speakers (3 train, 2 dev, 2 test), two utterances each; read only."""
    where = tmp_path_factory.mktemp("small") / "corpus"
    return write_tone_corpus(where, {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.3)


@pytest.fixture
def corpus(small_corpus, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(small_corpus, tmp_path / "corpus")


def params_of(path, **changes):
    return dataclasses.replace(load_params().corpus, name="manifest", path=str(path), **changes)


def read(path, **changes):
    return list(decode(folder.read_folder(params_of(path, **changes)), "refuse"))


def edit(corpus, row, name="manifest.csv", **cells):
    """Set cells of a row, counted as in a spreadsheet: the first under the header is 2."""
    table = pd.read_csv(corpus / name, dtype=str, keep_default_na=False)
    for column, cell in cells.items():
        table.loc[row - 2, column] = cell
    table.to_csv(corpus / name, index=False)


def test_recordings_come_by_split_and_id_with_their_samples_and_phones(corpus):
    table = pd.read_csv(corpus / "manifest.csv", dtype=str)
    table.sample(frac=1, random_state=1).to_csv(corpus / "manifest.csv", index=False)
    found = read(corpus)
    names = [item.utterance.utterance_id for item in found]
    assert names == [f"spk{speaker:02d}-{take}" for speaker in range(7) for take in range(2)]
    assert [item.utterance.split for item in found[::2]] == ["train"] * 3 + ["dev"] * 2 + [
        "test"
    ] * 2
    for item in found:
        expected, rate_hz = soundfile.read(corpus / item.utterance.path, dtype="int16")
        assert rate_hz == 16_000
        np.testing.assert_array_equal(item.samples, expected)
        assert " ".join(phone.phone for phone in item.phones) == item.utterance.text
        assert item.phones[-1].end_s == pytest.approx(len(expected) / 16_000)


def test_extra_columns_and_a_byte_order_mark_are_ignored(corpus):
    table = pd.read_csv(corpus / "manifest.csv", dtype=str).assign(age="30")
    table.to_csv(corpus / "manifest.csv", index=False, encoding="utf-8-sig")
    assert len(read(corpus)) == 14


def test_session_and_dialect_are_read_where_they_are_given(corpus):
    assert {(item.utterance.session, item.utterance.dialect) for item in read(corpus)} == {("", "")}
    table = pd.read_csv(corpus / "manifest.csv", dtype=str)
    table.assign(session="s-" + table.speaker).to_csv(corpus / "manifest.csv", index=False)
    for item in read(corpus):
        assert item.utterance.session == f"s-{item.utterance.speaker}"
        assert item.utterance.dialect == ""


def test_without_phones_csv_there_are_no_phones(corpus):
    (corpus / "phones.csv").unlink()
    assert all(item.phones == () for item in read(corpus))


def test_the_number_of_workers_changes_nothing(corpus, monkeypatch):
    alone = read(corpus)
    monkeypatch.setenv("FHVAE_WORKERS", "2")
    for first, second in zip(alone, read(corpus), strict=True):
        assert first.utterance == second.utterance
        assert first.phones == second.phones
        np.testing.assert_array_equal(first.samples, second.samples)


def test_empty_splits_are_drawn_by_speaker_and_seed(corpus):
    table = pd.read_csv(corpus / "manifest.csv", dtype=str).assign(split="")
    table.to_csv(corpus / "manifest.csv", index=False)

    def drawn(seed):
        return {item.utterance.speaker: item.utterance.split for item in read(corpus, seed=seed)}

    splits = drawn(0)
    assert sorted(splits.values()) == ["dev"] * 2 + ["test"] * 2 + ["train"] * 3
    assert drawn(0) == splits
    assert any(drawn(seed) != splits for seed in range(1, 6))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"utterance_id": ""}, "utterance_id must be a name without blanks and slashes"),
        ({"utterance_id": "two words"}, "utterance_id must be a name .*'two words'"),
        ({"utterance_id": "a/b"}, "utterance_id must be a name .*'a/b'"),
        ({"utterance_id": "a\\b"}, "utterance_id must be a name"),
        ({"utterance_id": ".."}, r"utterance_id must be a name .*'\.\.'"),
        ({"utterance_id": "\ufeffa"}, r"utterance_id must be a name .*'\\ufeffa'"),
        ({"utterance_id": "a\0"}, r"utterance_id must be a name .*'a\\x00'"),
        ({"utterance_id": "spk00-0"}, r"utterance_id must be unique, spk00-0 is also in row 2"),
        ({"speaker": ""}, "speaker of spk00-1 must be a name"),
        ({"speaker": "spk00 "}, "speaker of spk00-1 must be .*'spk00 '"),
        ({"speaker": "spk\u202800"}, r"speaker of spk00-1 must be .*'spk\\u202800'"),
        ({"gender": "male"}, "gender of spk00-1 must be M, F or empty, got 'male'"),
        ({"gender": "F"}, "gender of speaker spk00 must be the same in all rows, got 'F'"),
        ({"split": "Train"}, "split of spk00-1 must be train, dev, test or empty, got 'Train'"),
        ({"split": "parallel"}, "split of spk00-1 must be train, dev, test or empty"),
        ({"duration_s": ""}, "duration_s of spk00-1 must be seconds above 0, got ''"),
        ({"duration_s": "1,5"}, "duration_s of spk00-1 must be seconds above 0, got '1,5'"),
        ({"duration_s": "-1"}, "duration_s of spk00-1 must be seconds above 0"),
        ({"duration_s": "nan"}, "duration_s of spk00-1 must be seconds above 0"),
        ({"duration_s": "inf"}, "duration_s of spk00-1 must be seconds above 0"),
        ({"path": ""}, "path of spk00-1 must be relative to .*corpus, got ''"),
        ({"path": "/etc/hostname"}, "path of spk00-1 must be relative to .*corpus, got"),
        ({"path": "../other.wav"}, "path of spk00-1 must stay inside "),
        ({"path": "wav/gone.wav"}, "path of spk00-1 must name a file, 'wav/gone.wav' is not"),
        ({"path": "wav"}, "path of spk00-1 must name a file, 'wav' is not there"),
    ],
)
def test_a_bad_cell_is_named_by_file_row_and_key(corpus, cells, message):
    edit(corpus, 3, **cells)
    with pytest.raises(CorpusError, match=rf"manifest\.csv row 3: {message}"):
        read(corpus)


def test_a_link_out_of_the_folder_is_refused(corpus, tmp_path):
    outside = tmp_path / "outside.wav"
    (corpus / "wav/spk00-1.wav").rename(outside)
    (corpus / "wav/spk00-1.wav").symlink_to(outside)
    with pytest.raises(CorpusError, match=r"row 3: path of spk00-1 .* leads outside"):
        read(corpus)


def test_links_inside_and_a_linked_folder_are_followed(corpus, tmp_path):
    (corpus / "wav/spk00-1.wav").rename(corpus / "elsewhere.wav")
    (corpus / "wav/spk00-1.wav").symlink_to(corpus / "elsewhere.wav")
    (tmp_path / "link").symlink_to(corpus)
    assert len(read(tmp_path / "link")) == 14


def test_a_pipe_is_no_recording(corpus):
    (corpus / "wav/spk00-1.wav").unlink()
    os.mkfifo(corpus / "wav/spk00-1.wav")
    with pytest.raises(CorpusError, match="must name a file"):
        read(corpus)


def test_duration_must_fit_the_file(corpus):
    edit(corpus, 3, duration_s="0.05")
    (corpus / "phones.csv").unlink()
    with pytest.raises(
        CorpusError, match=r"duration_s of spk00-1 must be within 0\.1 s .*got 0\.05.*lasts 0\.3"
    ):
        read(corpus)


def test_a_broken_recording_is_named(corpus):
    (corpus / "wav/spk00-1.wav").write_bytes(b"no audio")
    with pytest.raises(CorpusError, match=r"utterance spk00-1: .*spk00-1\.wav: must be an audio"):
        read(corpus)


def test_tables_are_checked_before_audio(corpus):
    for path in (corpus / "wav").iterdir():
        path.write_bytes(b"no audio")
    edit(corpus, 15, speaker="spk00")  # the last row is of test, spk00 is of train
    edit(corpus, 15, gender="M")
    with pytest.raises(CorpusError, match=r"speakers of train and test must be disjoint, spk00"):
        read(corpus)


def test_one_speaker_in_a_split_is_too_few(corpus):
    table = pd.read_csv(corpus / "manifest.csv", dtype=str)
    table[table["speaker"] != "spk06"].to_csv(corpus / "manifest.csv", index=False)
    (corpus / "phones.csv").unlink()
    with pytest.raises(TrialError, match=r"split test must have at least 2 speakers, found 1"):
        read(corpus)


def test_one_recording_under_two_speakers_is_refused(corpus):
    """The same audio in train and test would be a leak that no id shows."""
    shutil.copy(corpus / "wav/spk00-0.wav", corpus / "wav/spk06-1.wav")
    edit(corpus, 15, duration_s=str(soundfile.info(corpus / "wav/spk00-0.wav").duration))
    (corpus / "phones.csv").unlink()
    with pytest.raises(
        CorpusError, match=r"spk00-0 \(train\) and spk06-1 \(test\) hold the same samples"
    ):
        read(corpus)


def test_two_copies_of_one_speaker_are_warned_of(corpus, caplog):
    shutil.copy(corpus / "wav/spk00-0.wav", corpus / "wav/spk00-1.wav")
    edit(corpus, 3, duration_s=str(soundfile.info(corpus / "wav/spk00-0.wav").duration))
    (corpus / "phones.csv").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(read(corpus)) == 14
    assert "spk00-0 (train) and spk00-1 hold the same samples" in caplog.text


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"utterance_id": "nobody"}, "row 3: utterance_id must be one of the manifest, got 'nob"),
        ({"start_s": "x"}, "row 3: spk00-0 must have start_s and end_s in seconds .*got 'x'"),
        ({"end_s": ""}, "row 3: spk00-0 must have start_s and end_s in seconds"),
        ({"end_s": "nan"}, "row 3: spk00-0 must have start_s and end_s in seconds"),
        ({"phone": " "}, "row 3: spk00-0 must have .* and a phone"),
        ({"phone": "t s"}, "row 3: spk00-0 must have .* a phone without blanks, .*'t s'"),
        ({"end_s": "0.001"}, "utterance spk00-0: phone"),
        ({"end_s": "9"}, "utterance spk00-0: "),
    ],
)
def test_bad_phones_are_named(corpus, cells, message):
    edit(corpus, 3, name="phones.csv", **cells)
    with pytest.raises(CorpusError, match=rf"phones\.csv:? {message}"):
        read(corpus)


def test_without_a_file_of_transcripts_they_are_those_of_the_times(corpus):
    assert all(item.transcript is None for item in read(corpus))


def test_a_file_of_transcripts_speaks_for_every_utterance(corpus, caplog):
    """What a dictionary says and what somebody heard are not mixed within a corpus."""
    (corpus / "canonical_phones.txt").write_text("spk06-1 AH0_B T_E\nspk00-0 OW1\n")
    with caplog.at_level(logging.WARNING):
        found = {item.utterance.utterance_id: item for item in read(corpus)}
    assert found["spk00-0"].transcript == ("ow",)
    assert found["spk06-1"].transcript == ("ah", "t")
    assert found["spk03-0"].transcript == ()
    assert found["spk03-0"].phones
    assert "no line for 12 of 14 utterances, the first is spk00-1" in caplog.text


def test_a_bad_file_of_transcripts_is_refused_before_audio_is_read(corpus):
    for path in (corpus / "wav").iterdir():
        path.write_bytes(b"no audio")
    (corpus / "canonical_phones.txt").write_text("nobody AH0\n")
    with pytest.raises(CorpusError, match="utterances must be those of the manifest, nobody"):
        read(corpus)


def test_phones_may_come_in_any_order(corpus):
    expected = [item.phones for item in read(corpus)]
    table = pd.read_csv(corpus / "phones.csv", dtype=str)
    table.sample(frac=1, random_state=3).to_csv(corpus / "phones.csv", index=False)
    assert [item.phones for item in read(corpus)] == expected


def test_an_empty_folder_says_what_is_missing(tmp_path):
    with pytest.raises(
        CorpusError, match=r"manifest\.csv must exist, or Kaldi's wav\.scp beside it"
    ):
        read(tmp_path)


@pytest.fixture
def canonical(tmp_path):
    """Read a canonical_phones.txt of this content, for three utterances."""

    def read_text(text):
        path = tmp_path / "canonical_phones.txt"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        utterances = [
            Utterance(name, "", "s", "", "", "train", 1.0) for name in ("u1", "u2", "007")
        ]
        return folder.read_canonical(path, utterances)

    return read_text


def test_marks_are_taken_off(canonical):
    found = canonical("u1 IH0_B T_I S_E AY0_S\n007 HH AW1 zh\n\nu2 ER2_E\n")
    assert found == {
        "u1": ("ih", "t", "s", "ay"),
        "007": ("hh", "aw", "zh"),
        "u2": ("er",),
    }


def test_utterances_without_a_line_are_counted_and_have_no_phones(canonical, caplog):
    with caplog.at_level(logging.WARNING):
        assert canonical("u1 AH0\n") == {"u1": ("ah",), "u2": (), "007": ()}
    assert "has no line for 2 of 3 utterances, the first is 007" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1 AH0\nu9 AH0\n", r"utterances must be those of the manifest, u9 is not there \(1 in"),
        ("u1 AH0\nu2 AH0\nu1 T\n", r"line 3: utterance u1 must have one line, it has two"),
        ("u1 AH0\nu2 \n", r"line 2: utterance u2 must have phones, it has none"),
        ("u1 AH0 AXX\n", r"line 1: phones must be ARPAbet such as .*, got 'AXX'"),
        ("u1 AH3\n", r"line 1: phones must be ARPAbet .*, got 'AH3'"),
        ("u1 AH0_X\n", r"line 1: phones must be ARPAbet .*, got 'AH0_X'"),
        ("u1 @\n", r"line 1: phones must be ARPAbet .*, got '@'; .* phones\.csv"),
    ],
)
def test_a_bad_line_is_named(canonical, text, message):
    with pytest.raises(CorpusError, match=rf"canonical_phones\.txt:? {message}"):
        canonical(text)


def test_canonical_phones_that_are_no_text_are_refused(canonical):
    with pytest.raises(CorpusError, match="must be a readable text file in UTF-8"):
        canonical("u1 \udcff\udcfe\n")
