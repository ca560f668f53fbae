"""A listing becomes recordings: all of it, or what can be used of it, by name."""

import logging
from collections import Counter

import numpy as np
import pytest
import soundfile

from fhvae.corpus.catalogue import decode
from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import Phone, Recording, Refused, Utterance, Word, read_table
from fhvae.corpus.store import QUARANTINE_COLUMNS, read_corpus, write_corpus
from fhvae.corpus.summary import summarize
from fhvae.errors import CorpusError, TrialError
from tests.hostile_audio import HOSTILE, RATE_HZ, noise

SPEAKERS = {"train": ("ann", "bob"), "dev": ("cat", "dan"), "test": ("eve", "fay")}


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


@pytest.fixture
def listed(tmp_path):
    """Two speakers per split, two recordings each; give the listing."""
    folder = tmp_path / "wav"
    folder.mkdir()
    utterances, sources = [], {}
    for split, speakers in SPEAKERS.items():
        for speaker in speakers:
            for take in (2, 1):
                name = f"{speaker}-{take}"
                samples = np.random.default_rng([ord(speaker[0]), take]).integers(-900, 900, 1600)
                soundfile.write(folder / f"{name}.wav", samples.astype(np.int16), RATE_HZ)
                utterances.append(Utterance(name, f"{name}.wav", speaker, "", "", split, 0.1))
                sources[name] = Source(folder / f"{name}.wav")
    phones = {"ann-1": (Phone(0.0, 0.05, "a"),)}
    words = {"ann-1": (Word(0.0, 0.09, "ah"),)}
    return Listing("here", tuple(utterances), sources, phones, words, {"bob-1": ("b",)})


def spoil(listed, name, write):
    """Put a hostile recording in the place of a good one; its length is not promised."""
    write(listed.sources[name].file)
    utterances = tuple(
        Utterance(**{**vars(item), "duration_s": 0.0}) if item.utterance_id == name else item
        for item in listed.utterances
    )
    return Listing("here", utterances, listed.sources, listed.phones, listed.words)


def test_recordings_come_by_split_and_id_with_what_is_known_of_them(listed):
    found = list(decode(listed, "refuse"))
    names = [item.utterance.utterance_id for item in found]
    assert names == [
        f"{speaker}-{take}"
        for speakers in SPEAKERS.values()
        for speaker in speakers
        for take in (1, 2)
    ]
    by_name = dict(zip(names, found, strict=True))
    assert by_name["ann-1"].phones == listed.phones["ann-1"]
    assert by_name["ann-1"].words == listed.words["ann-1"]
    assert by_name["bob-1"].transcript == ("b",)
    assert by_name["bob-2"].transcript is None
    for name, item in by_name.items():
        expected, _ = soundfile.read(listed.sources[name].file, dtype="int16")
        np.testing.assert_array_equal(item.samples, expected)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_recording_ends_the_run(listed, kind):
    write, message = HOSTILE[kind]
    with pytest.raises(CorpusError, match=rf"^utterance dan-1: .*dan-1\.wav: {message}"):
        list(decode(spoil(listed, "dan-1", write), "refuse"))


def test_the_first_unusable_recording_ends_the_run(listed):
    for name in ("bob-2", "eve-1"):
        listed.sources[name].file.write_bytes(b"")
    found = decode(listed, "refuse")
    assert [next(found).utterance.utterance_id for _ in range(3)] == ["ann-1", "ann-2", "bob-1"]
    with pytest.raises(CorpusError, match="utterance bob-2: "):
        next(found)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_recording_is_left_out_by_name(listed, kind, caplog):
    write, message = HOSTILE[kind]
    with caplog.at_level(logging.WARNING):
        found = list(decode(spoil(listed, "dan-1", write), "quarantine"))
    refused = [item for item in found if isinstance(item, Refused)]
    assert [item.utterance.utterance_id for item in refused] == ["dan-1"]
    assert message in refused[0].reason
    assert f"left out: {refused[0].reason}" in caplog.text
    assert Counter(type(item) for item in found) == {Recording: 11, Refused: 1}


def test_a_length_that_is_not_the_promised_one_is_left_out(listed):
    soundfile.write(listed.sources["dan-1"].file, noise(0.3), RATE_HZ)
    found = list(decode(listed, "quarantine"))
    reasons = [item.reason for item in found if isinstance(item, Refused)]
    assert len(reasons) == 1
    assert "duration_s of dan-1 must be within 0.1 s of its file, got 0.1" in reasons[0]


def test_what_is_left_out_is_written_down_and_counted(listed, tmp_path):
    for name in ("dan-1", "bob-2", "bob-1"):
        listed.sources[name].file.write_bytes(b"no audio")
    with pytest.raises(TrialError, match="without the 3 recordings left out: split train must"):
        write_corpus(tmp_path / "corpus", decode(listed, "quarantine"))
    soundfile.write(listed.sources["bob-1"].file, noise(0.1), RATE_HZ)
    write_corpus(tmp_path / "corpus", decode(listed, "quarantine"))
    table = read_table(tmp_path / "corpus/quarantine.csv", QUARANTINE_COLUMNS)
    assert list(table["utterance_id"]) == ["bob-2", "dan-1"]
    assert list(table["split"]) == ["train", "dev"]
    assert list(table["path"]) == ["bob-2.wav", "dan-1.wav"]
    assert all("must be an audio file" in reason for reason in table["reason"])
    corpus = read_corpus(tmp_path / "corpus")
    kept = {item.utterance_id for item in corpus.utterances}
    assert kept == listed.sources.keys() - {"bob-2", "dan-1"}
    counts = summarize(corpus)
    assert {split: one.get("quarantined") for split, one in counts.items()} == {
        "train": 1,
        "dev": 1,
        "test": None,
    }
    assert counts["train"]["utterances"] == 3


def test_nothing_left_out_leaves_an_empty_list(listed, tmp_path):
    write_corpus(tmp_path / "corpus", decode(listed, "quarantine"))
    assert len(read_table(tmp_path / "corpus/quarantine.csv", QUARANTINE_COLUMNS)) == 0
    assert not any("quarantined" in one for one in summarize(read_corpus(tmp_path / "corpus")))


def test_one_recording_of_two_speakers_ends_the_run_even_so(listed):
    """Quarantine is for recordings that cannot be used; a leak is a fault of the corpus."""
    sources = {**listed.sources, "eve-1": listed.sources["ann-1"]}
    with pytest.raises(CorpusError, match=r"ann-1 \(train\) and eve-1 \(test\) hold the same"):
        list(decode(Listing("here", listed.utterances, sources), "quarantine"))


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(listed, monkeypatch):
    listed.sources["dan-1"].file.write_bytes(b"no audio")
    alone = list(decode(listed, "quarantine"))
    monkeypatch.setenv("FHVAE_WORKERS", "2")
    for first, second in zip(alone, decode(listed, "quarantine"), strict=True):
        assert type(first) is type(second)
        assert first.utterance == second.utterance
