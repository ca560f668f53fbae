"""VCTK: the publisher's archive to a local corpus; microphones, accents and lost texts."""

import dataclasses
import logging
import shutil

import numpy as np
import pytest

from fhvae.corpus.recipes import vctk
from fhvae.corpus.store import read_corpus
from fhvae.errors import CorpusError
from fhvae.params.corpus import VctkParams
from fhvae.params.whole import load_params
from tests.published import numbered, run_download, served, write_vctk, zip_of

ACCENTS = {
    "p225": "English    Southern  England",
    "p226": "English    Surrey",
    "p280": "Unknown    France (mic2 files unavailable)",
    "p294": "American  San  Francisco",
    "p315": "American    New  England (Text unavailable)",
    "p326": "Australian English    Sydney",
    "p362": "American (mic1 file unavailable)",
    "s5": "British",
}


@pytest.fixture(autouse=True)
def eight_speakers(monkeypatch):
    """As if no more had been published."""
    assert vctk.SPEAKERS == 110
    monkeypatch.setattr(vctk, "SPEAKERS", 8)


@pytest.fixture
def unpacked(voices, tmp_path):
    """Eight speakers with the gaps of the published corpus: mic2, mic1, texts."""
    owners = numbered(voices, *ACCENTS)
    top = write_vctk(tmp_path / "VCTK", {name: (ACCENTS[name], owners[name]) for name in owners})
    for path in (top / "wav48_silence_trimmed/p280").glob("*_mic2.flac"):
        path.unlink()
    (top / "wav48_silence_trimmed/p362/p362_002_mic1.flac").unlink()
    for path in (top / "txt/p315").iterdir():
        path.unlink()
    return top


def read(top, microphone="mic1", **changes):
    params = dataclasses.replace(
        load_params().corpus,
        name="vctk",
        path=str(top),
        vctk=VctkParams(microphone=microphone),
        **changes,
    )
    return vctk.read_vctk(params)


@pytest.mark.parametrize("folder", ["", "VCTK-Corpus-0.92/"])
def test_the_archive_is_downloaded_and_read(
    folder, unpacked, server, monkeypatch, tmp_path, voices
):
    """Whether or not the archive has a folder of its own."""
    if folder:
        inner = tmp_path / "packed" / folder
        inner.parent.mkdir()
        unpacked = unpacked.rename(inner).parent
    archive = served(server, vctk.ARCHIVE, zip_of(unpacked))
    monkeypatch.setattr(vctk, "ARCHIVE", archive)
    home = tmp_path / "home"
    metrics = run_download(monkeypatch, home, {"corpus.name": "vctk"})
    assert {split: counts["speakers"] for split, counts in metrics.items()} == {
        "train": 4, "dev": 2, "test": 2,
    }  # fmt: skip
    assert sum(counts["utterances"] for counts in metrics.values()) == 16
    corpus = read_corpus(home / "data/corpus")
    by_id = {item.utterance_id: item for item in corpus.utterances}
    found = by_id["p225_001"]
    assert (found.speaker, found.gender, found.dialect) == ("p225", "M", "English")
    assert found.text == "Please call Stella."
    samples = dict(corpus.samples(found.split).items())["p225_001"].astype(float)
    take = voices[0].takes[0]  # resampled from 48 kHz here, with steps three samples long there
    assert abs(len(samples) - len(take)) <= 1
    assert np.corrcoef(samples[: len(take)], take[: len(samples)])[0, 1] > 0.8


def test_accents_are_dialects_and_unknown_ones_empty(unpacked):
    found = {item.speaker: item.dialect for item in read(unpacked).utterances}
    assert found == {
        "p225": "English", "p226": "English", "p280": "", "p294": "American",
        "p315": "American", "p326": "Australian", "p362": "American", "s5": "British",
    }  # fmt: skip


@pytest.mark.parametrize("microphone", ["mic1", "mic2"])
def test_the_other_microphone_serves_where_one_is_missing(unpacked, microphone, caplog):
    with caplog.at_level(logging.INFO):
        found = read(unpacked, microphone=microphone)
    paths = {name: source.file.stem[-4:] for name, source in found.sources.items()}
    missing = ["p362_002"] if microphone == "mic1" else ["p280_001", "p280_002"]
    assert sorted(name for name, used in paths.items() if used != microphone) == missing
    assert f"{len(missing)} of 16 utterances lack {microphone}" in caplog.text


def test_a_speaker_whose_texts_were_lost_stays_without_text(unpacked, caplog):
    with caplog.at_level(logging.WARNING):
        found = {item.utterance_id: item.text for item in read(unpacked).utterances}
    assert found["p315_001"] == ""
    assert found["p294_001"] == "Please call Stella."
    assert "2 of 16 utterances have no text" in caplog.text
    assert "and 0 texts there no recording\n" in caplog.text


def test_texts_without_a_recording_are_counted(unpacked, caplog):
    for path in (unpacked / "wav48_silence_trimmed/p294").glob("p294_002_*"):
        path.unlink()
    with caplog.at_level(logging.WARNING):
        assert len(read(unpacked).utterances) == 15
    assert "and 1 texts there no recording, the first is p294_002\n" in caplog.text


def test_a_corpus_that_lacks_a_speaker_is_refused(unpacked):
    shutil.rmtree(unpacked / "wav48_silence_trimmed/p294")
    with pytest.raises(
        CorpusError,
        match=rf"^{unpacked} must hold the 8 speakers that were published, it holds 7; "
        rf"delete {unpacked} so that it is unpacked again, .* manifest\.csv",
    ):
        read(unpacked)


def test_a_name_may_hold_a_separator_of_unicode_or_bytes_of_another_encoding(unpacked):
    path = unpacked / "speaker-info.txt"
    path.write_bytes(path.read_bytes().replace(b"Surrey", "Sur\u2028rey \x85".encode() + b"\xe9"))
    assert set(vctk.read_speakers(path)) == set(ACCENTS)


def test_whole_speakers_are_drawn_by_the_seed(unpacked):
    def splits(seed):
        return {item.speaker: item.split for item in read(unpacked, seed=seed).utterances}

    assert splits(0) == splits(0)
    assert any(splits(seed) != splits(0) for seed in range(1, 6))


def forget(top):
    path = top / "speaker-info.txt"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "p294" not in line))


def spoil_gender(top):
    path = top / "speaker-info.txt"
    path.write_text(path.read_text().replace("p294  23  F ", "p294  23  ? "))


def rename(top):
    folder = top / "wav48_silence_trimmed/p294"
    (folder / "p294_001_mic1.flac").rename(folder / "p295_001_mic1.flac")


BROKEN = {
    "no-speakers": (
        lambda top: (top / "speaker-info.txt").unlink(),
        r"speaker-info\.txt must be a readable file: No such file",
    ),
    "unknown-speaker": (forget, r"speaker-info\.txt must name speaker p294 of .*p294_001"),
    "no-gender": (spoil_gender, r"line 5: speaker p294 must have gender M or F, got '23 \? Amer"),
    "wrong-name": (rename, r"p295_001_mic1\.flac must be named p294_<number>_mic1\.flac"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layout_is_named(name, unpacked):
    spoil, message = BROKEN[name]
    spoil(unpacked)
    with pytest.raises(CorpusError, match=message):
        read(unpacked)
