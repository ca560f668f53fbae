"""The local copy of a corpus: written whole, read back equal."""

import dataclasses
import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from fhvae.corpus.manifest import (
    PARALLEL,
    WORD_COLUMNS,
    Phone,
    Recording,
    Utterance,
    Word,
    read_table,
)
from fhvae.corpus.store import Corpus, phone_at, read_corpus, write_corpus
from fhvae.corpus.summary import summarize
from fhvae.errors import ArtifactError, CorpusError, FhvaeError, TrialError


def recording(name, speaker, split, length, phones=(), gender="F", twin="", transcript=None):
    samples = np.arange(length, dtype=np.int16) - length // 2
    utterance = Utterance(name, "", speaker, gender, "text, quoted", split, 99.0, twin)
    return Recording(utterance, samples, phones, transcript)


PHONES = (Phone(0.0, 0.25, "a"), Phone(0.25, 0.5, "b"))


@pytest.fixture
def recordings():
    """Splits mixed, ids not in order, one twin."""
    return [
        recording("t2", "A", "train", 9000),
        recording("d1", "C", "dev", 1600, gender=""),
        recording("t1", "B", "train", 8000, PHONES, gender="M"),
        recording("e1", "E", "test", 16000, transcript=("t", "iy")),
        recording("d2", "D", "dev", 1601, gender=""),
        recording("e2", "F", "test", 16001, gender="M"),
        recording("e3", "F", "test", 100, gender="M"),
        recording("e1-noise", "E", PARALLEL, 16000, twin="e1"),
    ]


def test_what_is_written_is_read(tmp_path, recordings):
    written = write_corpus(tmp_path / "corpus", recordings)
    corpus = read_corpus(tmp_path / "corpus")
    assert list(corpus.utterances) == written
    assert [item.duration_s for item in written[:2]] == [0.5625, 0.1]
    assert corpus.splits == ["train", "dev", "test", PARALLEL]
    assert [item.utterance_id for item in corpus.split("train")] == ["t1", "t2"]
    assert corpus.phones == {"t1": PHONES}
    assert corpus.transcripts == {"t1": ("a", "b"), "e1": ("t", "iy")}
    assert corpus.split(PARALLEL)[0].twin == "e1"
    for item in recordings:
        packed = corpus.samples(item.utterance.split)
        position = packed.utterance_ids.index(item.utterance.utterance_id)
        np.testing.assert_array_equal(packed[position], item.samples)
        assert packed[position].dtype == np.int16


def test_words_are_written_with_their_times(tmp_path, recordings):
    """Words may overlap, as TIMIT's do where neighbors share a phone."""
    words = (Word(0.0, 0.3, "two"), Word(0.25, 0.5, "words, quoted"))
    recordings[2] = dataclasses.replace(recordings[2], words=words)
    write_corpus(tmp_path / "corpus", recordings)
    table = read_table(tmp_path / "corpus/words.csv", WORD_COLUMNS)
    found = [
        Word(float(row.start_s), float(row.end_s), row.word)
        for row in table.itertuples(index=False)
    ]
    assert set(table["utterance_id"]) == {"t1"}
    assert tuple(found) == words


def test_sessions_and_dialects_are_kept_and_sessions_counted(tmp_path, recordings):
    for place, session in ((0, "s1"), (2, "s2")):
        known = dataclasses.replace(recordings[place].utterance, session=session, dialect="dr1")
        recordings[place] = dataclasses.replace(recordings[place], utterance=known)
    written = write_corpus(tmp_path / "corpus", recordings)
    corpus = read_corpus(tmp_path / "corpus")
    assert list(corpus.utterances) == written
    assert [(item.session, item.dialect) for item in corpus.split("train")] == [
        ("s2", "dr1"),
        ("s1", "dr1"),
    ]
    counts = summarize(corpus)
    assert counts["train"]["sessions"] == 2
    assert "sessions" not in counts["dev"]


def test_the_summary_counts_what_is_there_and_leaves_out_what_is_not(tmp_path, recordings):
    write_corpus(tmp_path / "corpus", recordings)
    summary = summarize(read_corpus(tmp_path / "corpus"))
    assert summary["train"] == {
        "speakers": 2,
        "utterances": 2,
        "hours": pytest.approx(17000 / 16000 / 3600),
        "phones": 2,
        "transcripts": 1,
        "genders": {"F": 1, "M": 1},
    }
    assert summary["test"]["transcripts"] == 1
    assert "phones" not in summary["test"]
    assert set(summary["dev"]) == {"speakers", "utterances", "hours"}
    assert summary[PARALLEL]["utterances"] == 1


def test_a_transcript_that_is_given_wins_over_times_even_when_empty(tmp_path, recordings):
    recordings[0] = recording("t2", "A", "train", 9000, PHONES, transcript=("x",))
    recordings[2] = recording("t1", "B", "train", 8000, PHONES, transcript=())
    write_corpus(tmp_path / "corpus", recordings)
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.transcripts == {"t2": ("x",), "e1": ("t", "iy")}
    assert corpus.phones == {"t1": PHONES, "t2": PHONES}


def test_odd_transcripts_are_written_and_read_alike(tmp_path, recordings):
    said = {"t1": ("sil", "_:", "h#"), "t2": ("NA",)}
    changed = [
        dataclasses.replace(item, transcript=said.get(item.utterance.utterance_id, ()))
        for item in recordings
    ]
    write_corpus(tmp_path / "corpus", changed)
    assert read_corpus(tmp_path / "corpus").transcripts == said


def test_a_corpus_of_before_lacks_transcripts_alone(tmp_path, recordings):
    write_corpus(tmp_path / "corpus", recordings)
    (tmp_path / "corpus/transcripts.csv").unlink()
    corpus = read_corpus(tmp_path / "corpus")
    assert len(corpus.utterances) == 8
    with pytest.raises(ArtifactError, match=r"transcripts\.csv must exist; rerun the stage"):
        corpus.transcripts  # noqa: B018


def test_a_stage_without_phones_does_not_read_them(tmp_path, recordings):
    write_corpus(tmp_path / "corpus", recordings)
    (tmp_path / "corpus/phones.csv").unlink()
    corpus = read_corpus(tmp_path / "corpus")
    assert len(corpus.utterances) == 8
    with pytest.raises(ArtifactError, match=r"phones\.csv must exist"):
        corpus.phones  # noqa: B018


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        (
            "t1,0.5,0.75",
            ArtifactError,
            r"phones\.csv row 4: must have 4 cells .*, got 3",
        ),
        ("t1,0.5,x,c", ArtifactError, r"phones\.csv row 4: end_s must be .* found 'x'; rerun"),
    ],
)
def test_a_damaged_row_of_phones_is_named(tmp_path, recordings, row, error, message):
    write_corpus(tmp_path / "corpus", recordings)
    with (tmp_path / "corpus/phones.csv").open("a") as file:
        file.write(f"{row}\n")
    corpus = read_corpus(tmp_path / "corpus")
    with pytest.raises(error, match=message):
        corpus.phones  # noqa: B018


def test_reading_phones_takes_the_memory_of_the_phones_alone(tmp_path):
    with (tmp_path / "phones.csv").open("w") as file:
        file.write("utterance_id,start_s,end_s,phone\n")
        file.writelines(f"t{n // 40},{n / 10},{n / 10 + 0.1},a{n % 40}\n" for n in range(20_000))
    one = Utterance("", "", "a", "F", "", "train", 2000.0)
    corpus = Corpus(tmp_path, tuple(replace(one, utterance_id=f"t{n}") for n in range(500)))
    tracemalloc.start()
    phones = corpus.phones
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert phones["t308"][25] == Phone(1234.5, 1234.5 + 0.1, "a25")
    assert phones["t308"][25].phone is phones["t3"][25].phone
    assert peak < 1.3 * kept
    assert kept < 250 * 20_000, kept / 20_000


DAMAGE = {
    "order": ("phones.csv", "t1,0.25,0.5,b\nt1,0.0,0.25,a\n", "phone a must start at or after"),
    "beyond": ("phones.csv", "t1,0.0,99.0,a\n", "alignment must end within the recording"),
    "stranger": ("phones.csv", "nobody,0.0,0.1,a\n", "of utterances of the manifest, nobody is"),
    "spoken": ("transcripts.csv", "nobody,a b\n", "utterances of the manifest, .* nobody is"),
    "twice": ("transcripts.csv", "t1,a b\nt1,a b\n", "once for utterances .* t1 is otherwise"),
    "blanks": ("transcripts.csv", "t1,a  b\n", "joined by single blanks, t1 is otherwise"),
    "words": ("words.csv", "t1,0.0,inf,one\n", "row 2: end_s must be a finite number"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_labels_that_contradict_the_corpus_are_refused(tmp_path, recordings, name):
    file, rows, message = DAMAGE[name]
    write_corpus(tmp_path / "corpus", recordings)
    path = tmp_path / "corpus" / file
    path.write_text(path.read_text().split("\n")[0] + "\n" + rows)
    with pytest.raises(FhvaeError, match=message):
        getattr(read_corpus(tmp_path / "corpus"), path.stem)


def test_samples_that_are_not_those_of_the_manifest_are_refused(tmp_path, recordings):
    """Files of two splits that were swapped are whole, and speakers of train would be tested."""
    folder = tmp_path / "corpus"
    write_corpus(folder, recordings)
    for end in ("npy", "csv"):
        (folder / f"train.{end}").replace(folder / f"kept.{end}")
        (folder / f"dev.{end}").replace(folder / f"train.{end}")
        (folder / f"kept.{end}").replace(folder / f"dev.{end}")
    with pytest.raises(ArtifactError, match=r"must hold the same utterances of dev, \w+ is in"):
        read_corpus(folder).samples("dev")


def test_samples_of_another_length_than_the_manifest_says_are_refused(tmp_path, recordings):
    folder = tmp_path / "corpus"
    write_corpus(folder, recordings)
    text = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(text.replace(",0.5625,", ",0.5,"))
    with pytest.raises(ArtifactError, match=r"utterance t2 must last 0\.5 s, .* last 0\.5625 s"):
        read_corpus(folder).samples("train")


@pytest.mark.parametrize(
    ("place", "change", "error", "message"),
    [
        (0, {"speaker": "C"}, CorpusError, "speakers of train and dev must be disjoint, C"),
        (0, {"utterance_id": "t1"}, CorpusError, "utterance_id must be unique, t1"),
        (0, {"split": "dev"}, TrialError, "split train must have at least 2 speakers, found 1"),
    ],
)
def test_a_bad_corpus_leaves_nothing_behind(tmp_path, recordings, place, change, error, message):
    item = recordings[place]
    recordings[place] = dataclasses.replace(
        item, utterance=dataclasses.replace(item.utterance, **change)
    )
    with pytest.raises(error, match=message):
        write_corpus(tmp_path / "corpus", recordings)
    assert list(tmp_path.iterdir()) == []


def test_phones_beyond_the_recording_are_refused(tmp_path, recordings):
    recordings[1] = dataclasses.replace(recordings[1], phones=PHONES)
    with pytest.raises(CorpusError, match=r"d1: .*ends at 0\.500 s, the recording lasts 0\.100 s"):
        write_corpus(tmp_path / "corpus", recordings)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_corpus_that_stood(tmp_path, recordings):
    write_corpus(tmp_path / "corpus", recordings)
    with pytest.raises(TrialError):
        write_corpus(tmp_path / "corpus", recordings[:1])
    assert len(read_corpus(tmp_path / "corpus").utterances) == 8


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [
        (0.05, None),
        (0.1, "a"),
        (0.29, "a"),
        (0.3, "b"),
        (0.5, None),
        (0.6, None),
        (0.7, "c"),
        (1, None),
    ],
)
def test_phone_at_known_times(time_s, expected):
    phones = (Phone(0.1, 0.3, "a"), Phone(0.3, 0.5, "b"), Phone(0.7, 1.0, "c"))
    assert phone_at(phones, time_s) == expected


def test_no_phone_without_an_alignment():
    assert phone_at((), 0.5) is None


def test_a_missing_local_corpus_names_the_stage_to_run(tmp_path):
    with pytest.raises(
        ArtifactError, match="must hold a local corpus; run the stages download and"
    ):
        read_corpus(tmp_path / "corpus")


def test_speakers_are_found_by_utterance_id(tmp_path, recordings):
    write_corpus(tmp_path / "corpus", recordings)
    corpus = read_corpus(tmp_path / "corpus")
    assert {one.utterance_id: corpus.speaker_of[one.utterance_id] for one in corpus.utterances} == {
        item.utterance.utterance_id: item.utterance.speaker for item in recordings
    }
    for speaker_of in (corpus.speaker_of, pickle.loads(pickle.dumps(corpus.speaker_of))):
        with pytest.raises(ArtifactError, match="nobody must be one of the 8 of the corpus and is"):
            speaker_of["nobody"]
