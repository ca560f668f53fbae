"""Phones without times: read from a dictionary's file, or refused by line."""

import logging

import pytest

from fhvae.corpus.manifest import Phone, Utterance
from fhvae.corpus.transcripts import (
    read_canonical,
    read_transcripts,
    spoken_phones,
    transcript_table,
)
from fhvae.errors import ArtifactError, CorpusError

UTTERANCES = [Utterance(name, "", "s", "", "", "train", 1.0) for name in ("u1", "u2", "007")]


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "canonical_phones.txt"
        path.write_text(text, encoding="utf-8")
        return read_canonical(path, UTTERANCES)

    return read_text


def test_marks_are_taken_off(read):
    found = read("u1 IH0_B T_I S_E AY0_S\n007 HH AW1 zh\n\nu2 ER2_E\n")
    assert found == {
        "u1": ("ih", "t", "s", "ay"),
        "007": ("hh", "aw", "zh"),
        "u2": ("er",),
    }


def test_utterances_without_a_line_are_counted_and_absent(read, caplog):
    with caplog.at_level(logging.WARNING):
        assert read("u1 AH0\n") == {"u1": ("ah",)}
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
def test_a_bad_line_is_named(read, text, message):
    with pytest.raises(CorpusError, match=rf"canonical_phones\.txt:? {message}"):
        read(text)


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "canonical_phones.txt"
    path.write_bytes(b"u1 \xff\xfe\n")
    with pytest.raises(CorpusError, match="must be a readable text file in UTF-8"):
        read_canonical(path, UTTERANCES)


def test_an_alignment_is_a_transcript_with_its_pauses():
    phones = (Phone(0.0, 0.1, "sil"), Phone(0.1, 0.3, "t"), Phone(0.3, 0.4, "t"))
    assert spoken_phones(phones) == ("sil", "t", "t")


def test_transcripts_are_written_and_read_alike(tmp_path):
    transcripts = {"007": ("sil", "_:", "h#"), "NA": ("t",)}
    transcript_table(transcripts).to_csv(tmp_path / "transcripts.csv", index=False)
    assert read_transcripts(tmp_path / "transcripts.csv") == transcripts
    transcript_table({}).to_csv(tmp_path / "none.csv", index=False)
    assert read_transcripts(tmp_path / "none.csv") == {}


def test_a_corpus_of_before_names_the_stage_to_run(tmp_path):
    with pytest.raises(ArtifactError, match=r"transcripts\.csv must exist; rerun the stage"):
        read_transcripts(tmp_path / "transcripts.csv")
