"""speechocean762: the publisher's archive to a local corpus; ages, splits and phones."""

import dataclasses
import logging
from collections import Counter

import pytest

from fhvae.corpus.recipes import speechocean762
from fhvae.corpus.store import read_corpus
from fhvae.errors import CorpusError, DownloadError
from fhvae.params.corpus import Speechocean762Params
from fhvae.params.whole import load_params
from tests.published import numbered, run_download, served, tar_of, write_speechocean762

AGES = {
    "train": {"0003": 6, "0036": 21, "0135": 18, "0157": 43, "0201": 15, "0300": 19},
    "test": {"0001": 12, "0024": 20, "0411": 30},
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """As if no more had been published."""
    assert speechocean762.HALVES == {"train": 2_500, "test": 2_500}
    monkeypatch.setattr(speechocean762, "HALVES", {"train": 12, "test": 6})


@pytest.fixture
def unpacked(voices, tmp_path):
    """Nine speakers, six of them adults; voices serve twice, so their takes are told apart."""
    louder = [
        dataclasses.replace(voice, takes=tuple(take // 2 for take in voice.takes))
        for voice in voices
    ]
    voices = [*voices, *louder][:9]
    halves, position = {}, 0
    for half, ages in AGES.items():
        owners = numbered(voices[position : position + len(ages)], *ages)
        halves[half] = {name: (ages[name], voice) for name, voice in owners.items()}
        position += len(ages)
    return write_speechocean762(tmp_path / "disk/speechocean762", halves)


def read(top, adults_only=True, split="published", **changes):
    params = dataclasses.replace(
        load_params().corpus,
        name="speechocean762",
        path=str(top),
        speechocean762=Speechocean762Params(adults_only=adults_only, split=split),
        **changes,
    )
    return speechocean762.read_speechocean762(params)


def speakers(listing, split):
    return {item.speaker for item in listing.utterances if item.split == split}


def test_the_archive_is_downloaded_and_read(unpacked, server, monkeypatch, tmp_path, voices):
    archive = served(server, speechocean762.ARCHIVE, tar_of(unpacked))
    monkeypatch.setattr(speechocean762, "ARCHIVE", archive)
    home = tmp_path / "home"
    metrics = run_download(monkeypatch, home, {"corpus.name": "speechocean762"})
    corpus = read_corpus(home / "data/corpus")
    assert {split: counts["speakers"] for split, counts in metrics.items()} == {
        "train": 2, "dev": 2, "test": 2,
    }  # fmt: skip
    assert metrics["test"]["transcripts"] == 4
    assert set(corpus.transcripts.values()) == {("w", "iy", "k", "ao", "l")}
    by_id = {item.utterance_id: item for item in corpus.utterances}
    found = by_id["003600001"]
    assert (found.speaker, found.gender, found.text) == ("0036", "F", "WE CALL")
    assert found.path == "WAVE/SPEAKER0036/003600001.WAV"
    samples = dict(corpus.samples(found.split).items())["003600001"]
    assert (samples == voices[1].takes[1]).all()
    assert (home / "corpora/speechocean762/speechocean762/speechocean762/WAVE").is_dir()


def test_the_split_of_the_108_adults_is_taken_from_their_list(unpacked, monkeypatch):
    listed = speechocean762.listed_speakers()
    assert Counter(listed.values()) == {"train": 72, "dev": 12, "test": 24}
    few = {"0036": "dev", "0157": "train", "0300": "dev", "0024": "test", "0135": "train"}
    few |= {"0411": "test"}
    monkeypatch.setattr(speechocean762, "listed_speakers", lambda: few)
    found = read(unpacked, split="adults108")
    assert {item.speaker: item.split for item in found.utterances} == few
    monkeypatch.setattr(speechocean762, "listed_speakers", lambda: few | {"0999": "test"})
    with pytest.raises(CorpusError, match=r"every speaker of adults108, 0999 is missing"):
        read(unpacked, split="adults108")


def test_adults_are_those_of_18_years_and_more(unpacked):
    adults, everybody = read(unpacked), read(unpacked, adults_only=False)
    assert {item.speaker for item in adults.utterances} == {
        "0036", "0135", "0157", "0300", "0024", "0411",
    }  # fmt: skip
    assert len({item.speaker for item in everybody.utterances}) == 9


def test_the_published_test_is_kept_and_dev_drawn_from_train(unpacked):
    found = read(unpacked, adults_only=False, dev_fraction=0.5)
    assert speakers(found, "test") == set(AGES["test"])
    assert len(speakers(found, "dev")) == 3
    assert speakers(found, "dev") | speakers(found, "train") == set(AGES["train"])
    again = [read(unpacked, seed=seed, adults_only=False, dev_fraction=0.5) for seed in range(6)]
    assert again[0] == found
    assert any(speakers(other, "dev") != speakers(found, "dev") for other in again)


def test_a_folder_above_the_corpus_is_enough(unpacked):
    assert read(unpacked.parent) == read(unpacked)


@pytest.mark.parametrize("adults_only", [True, False])
def test_a_table_that_was_cut_is_refused(unpacked, adults_only):
    path = unpacked / "train/wav.scp"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(
        CorpusError,
        match=rf"^{unpacked} must hold the 12 utterances of train that were published, it holds "
        rf"11; delete {unpacked} so that it is unpacked again, .* manifest\.csv",
    ):
        read(unpacked, adults_only=adults_only)


def test_an_utterance_without_phones_is_counted(unpacked, caplog):
    path = unpacked / "resource/text-phone"
    lines = [line for line in path.read_text().splitlines() if "003600000" not in line]
    path.write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        found = read(unpacked)
    assert found.transcripts["003600000"] == ()
    assert "no word of 1 of 12 utterances, the first is 003600000" in caplog.text


def spoil(name, old, new):
    def change(top):
        text = (top / name).read_text()
        assert old in text
        (top / name).write_text(text.replace(old, new))

    return change


def remove(name):
    return lambda top: (top / name).unlink()


BROKEN = {
    "no-table": (remove("train/utt2spk"), r"train/utt2spk must be a readable text file"),
    "no-phones": (remove("resource/text-phone"), r"text-phone must be a readable text file"),
    "no-audio": (
        remove("WAVE/SPEAKER0036/003600001.WAV"),
        r"wav\.scp: path of 003600001 must name a file",
    ),
    "no-speaker": (spoil("train/utt2spk", "003600001\t0036\n", ""), "a line for 003600001, it has"),
    "no-text": (spoil("test/text", "002400000", "x"), r"test/text must have a line for 002400000"),
    "no-age": (spoil("train/spk2age", "0036\t21\n", ""), "spk2age must have a line for 0036"),
    "odd-age": (spoil("train/spk2age", "\t21", "\tfew"), "age of 0036 must be whole .*got 'few'"),
    "odd-gender": (spoil("train/spk2gender", "0036\tf", "0036\tx"), "of 0036 must be m or f"),
    "half-a-line": (spoil("train/utt2spk", "003600001\t0036", "003600001"), "003600001 has no val"),
    "twice": (spoil("train/utt2spk", "003600001", "003600000"), "003600000 is there twice"),
    "outside": (
        spoil("train/wav.scp", "WAVE/SPEAKER0036", "../x"),
        "003600000 must stay inside ",
    ),
    "no-arpabet": (spoil("resource/text-phone", "003600000.1\tK_B", "003600000.1\tQQ"), "got 'QQ'"),
    "no-number": (
        spoil("resource/text-phone", "003600000.1", "003600000"),
        "must name <utterance>",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layout_is_named(name, unpacked):
    change, message = BROKEN[name]
    change(unpacked)
    with pytest.raises(CorpusError, match=message):
        read(unpacked)


def test_a_speaker_in_train_and_test_is_refused(unpacked):
    for table, line in {
        "utt2spk": "\t0036\n",
        "spk2age": "0036\t21\n",
        "spk2gender": "0036\tf\n",
    }.items():
        path = unpacked / "test" / table
        text = path.read_text()
        path.write_text(text.replace("\t0024\n", line) if table == "utt2spk" else text + line)
    with pytest.raises(CorpusError, match=r"speakers of .* and test must be disjoint, 0036"):
        read(unpacked)


def test_without_a_checksum_the_size_is_what_is_checked(server, unpacked, monkeypatch, tmp_path):
    """Nobody publishes a checksum of this archive."""
    published = speechocean762.ARCHIVE.remote
    assert not published.verified
    assert published.size == 520_810_923
    content = tar_of(unpacked)
    archive = served(server, speechocean762.ARCHIVE, content)
    short = dataclasses.replace(archive.remote, sha256=None, size=len(content) + 1)
    monkeypatch.setattr(speechocean762, "ARCHIVE", dataclasses.replace(archive, remote=short))
    with pytest.raises(DownloadError, match=rf"must hold speechocean762.* \({len(content) + 1} by"):
        run_download(monkeypatch, tmp_path / "home", {"corpus.name": "speechocean762"})
