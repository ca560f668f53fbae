"""TIMIT by all its layouts: the paper's split, the labels, and what is refused."""

import dataclasses
import logging
import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile

from fhvae.corpus.catalogue import decode, recordings
from fhvae.corpus.manifest import Phone, Word
from fhvae.corpus.recipes import timit
from fhvae.corpus.recipes.timit import (
    listed_speakers,
    read_phones,
    read_text,
    read_timit,
    read_words,
)
from fhvae.errors import CorpusError, TrialError
from fhvae.params.whole import load_params
from tests.timit_disc import (
    TEXT,
    all_voices,
    few_voices,
    make_samples,
    sentence_names,
    sphere,
    write_disc,
    write_labels,
)
from tests.tiny import ROOT

CORE_TEST = (  # readme of the disc, 2 men and 1 woman per dialect
    "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 "
    "mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0"
).split()


@pytest.fixture
def few(monkeypatch):
    """Speakers of a disc of 3, 2 and 2, which then counts as whole."""
    monkeypatch.setattr(timit, "SPEAKERS", {"train": 3, "dev": 2, "test": 2})
    return few_voices()


@pytest.fixture
def disc(tmp_path, few):
    """A small disc to spoil."""
    return write_disc(tmp_path / "TIMIT", few)


def params_of(path, **changes):
    params = load_params(ROOT / "params.yaml").corpus
    return dataclasses.replace(params, name="timit", path=str(path), **changes)


def listing(path, **changes):
    return read_timit(params_of(path, **changes))


def ids(listed):
    return {item.utterance_id for item in listed.utterances}


# --- the lists ------------------------------------------------------------------------


def test_the_lists_are_the_published_ones():
    listed = listed_speakers()
    by_split = Counter(listed.values())
    assert by_split == {"dev": 50, "test": 24}
    assert [name for name, split in listed.items() if split == "test"] == CORE_TEST
    dev = [name for name, split in listed.items() if split == "dev"]
    assert (dev[:3], dev[-1]) == (["faks0", "fdac1", "fjem0"], "mrws1")


# --- a disc of full size --------------------------------------------------------------


@pytest.fixture(scope="module")
def full_disc(tmp_path_factory):
    """6,300 sphere files; read it, and put back what you take away."""
    return write_disc(tmp_path_factory.mktemp("ldc") / "TIMIT", all_voices())


@pytest.mark.slow
def test_a_whole_disc_is_split_as_the_paper_does(full_disc):
    listed = listing(full_disc.parent)
    found = listed.utterances
    assert Counter(item.split for item in found) == {"train": 3696, "dev": 400, "test": 192}
    by_split = {split: {item.speaker for item in found if item.split == split} for split in
                ("train", "dev", "test")}  # fmt: skip
    assert {split: len(names) for split, names in by_split.items()} == {
        "train": 462,
        "dev": 50,
        "test": 24,
    }
    assert by_split["test"] == set(CORE_TEST)
    assert by_split["train"] == {voice.name for voice in all_voices() if voice.part == "train"}
    assert not any("_sa" in item.utterance_id for item in found)
    dialects = {voice.name: voice.dialect for voice in all_voices()}
    for item in found:
        assert item.gender == item.speaker[0].upper()
        assert item.dialect == dialects[item.speaker]
    assert listed.phones.keys() == listed.words.keys() == ids(listed)
    few = [item for item in found if item.utterance_id.endswith("0_sx3")] + [*found[-3:]]
    for item in decode(dataclasses.replace(listed, utterances=tuple(few)), "refuse"):
        number = [voice.name for voice in all_voices()].index(item.utterance.speaker)
        place = sentence_names(number).index(item.utterance.utterance_id.split("_")[1])
        np.testing.assert_array_equal(item.samples, make_samples(10 * number + place))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("taken", "message"),
    [
        ("TEST/DR7/MDAB0", "462 speakers in TRAIN, and in TEST 50 of the development list and 24 "
         "of the core test, found 462, 50 and 23; not in TEST: mdab0; copy"),
        ("TRAIN/DR1/MAAA0", "found 461, 50 and 24; copy the disc again"),
        ("TRAIN", "found 0, 50 and 24; copy"),
        ("TEST", "found 462, 0 and 0; not in TEST: faks0, fdac1, fjem0, mgwt0, mjar0, ...; copy"),
        ("TRAIN/DR1/MAAA0/SI2.WAV", r"SI2\.PHN: a recording si2\.wav must lie beside it"),
    ],
)  # fmt: skip
def test_what_is_missing_is_counted_and_named(full_disc, tmp_path, taken, message):
    found = next(path for path in full_disc.rglob(taken.rsplit("/", 1)[-1]))
    found.rename(tmp_path / "taken")
    try:
        with pytest.raises(CorpusError, match=message):
            listing(full_disc)
    finally:
        (tmp_path / "taken").rename(found)


# --- layouts --------------------------------------------------------------------------


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize(("recording", "riff"), [(".WAV", False), (".wav", True), (".Wav", True)])
def test_case_and_container_do_not_matter(tmp_path, few, upper, recording, riff):
    root = write_disc(tmp_path / "any", few, upper=upper, recording=recording, riff=riff)
    found = list(recordings(params_of(root)))
    assert Counter(item.utterance.split for item in found) == {"train": 24, "dev": 16, "test": 16}
    first = found[0]
    assert first.utterance.split == "train"
    assert first.utterance.utterance_id == "fcjf0_si1"
    np.testing.assert_array_equal(first.samples, make_samples(2))
    assert first.utterance.text == TEXT
    assert first.phones[:2] == (Phone(0.0, 100 / 16_000, "h#"), Phone(0.00625, 0.01125, "iy"))
    assert first.words == (Word(0.00625, 0.0125, "made"), Word(0.01125, 0.015625, "up"))
    assert {item.utterance.speaker for item in found}.isdisjoint({"mzzz0"})


def test_cases_may_be_mixed(tmp_path, few):
    write_disc(tmp_path / "disc", few[:3], upper=False)
    write_disc(tmp_path / "disc", few[3:], upper=True)
    (tmp_path / "disc/train/dr1/fcjf0/si1.phn").rename(tmp_path / "disc/train/dr1/fcjf0/SI1.PHN")
    listed = listing(tmp_path / "disc")
    assert len(listed.utterances) == 56
    assert "fcjf0_si1" in listed.phones


@pytest.mark.parametrize("above", ["", "..", "../..", "../../.."])
def test_the_path_may_be_a_folder_above(tmp_path, few, above):
    root = write_disc(tmp_path / "corpora/LDC93S1/timit/TIMIT", few)
    (tmp_path / "corpora/README").write_text("not a folder")
    (tmp_path / "corpora/LDC93S1/.hidden").mkdir()
    listed = listing((root / above).resolve())
    assert len(listed.utterances) == 56
    path = next(item.path for item in listed.utterances if item.utterance_id == "fcjf0_si1")
    assert path.endswith("TRAIN/DR1/FCJF0/SI1.WAV")
    assert listed.sources["fcjf0_si1"].file == (root / above).resolve() / path


def test_a_path_too_far_above_is_refused(tmp_path, few):
    write_disc(tmp_path / "a/b/c/d/TIMIT", few)
    with pytest.raises(CorpusError, match=r"must hold TIMIT, at most 3 folders down.* found a$"):
        listing(tmp_path)


def test_a_copy_that_holds_both_containers_is_read_from_the_first(tmp_path, few):
    root = write_disc(tmp_path / "data", few)
    for path in root.rglob("S[IX]*.WAV"):
        soundfile.write(f"{path}.wav", np.full(400, 99, np.int16), 16_000, subtype="PCM_16")
    listed = listing(tmp_path)
    assert len(listed.utterances) == 56
    assert {item.file.suffix for item in listed.sources.values()} == {".WAV"}
    for path in root.rglob("S[IX]*.WAV"):
        path.unlink()
    listed = listing(tmp_path)
    assert len(listed.utterances) == 56
    assert {"".join(item.file.suffixes) for item in listed.sources.values()} == {".WAV.wav"}


def test_no_recording_is_opened_to_list_it(disc):
    for path in disc.rglob("*.WAV"):
        path.write_bytes(b"no audio")
    assert len(listing(disc).utterances) == 56


def test_other_files_do_not_disturb(disc):
    folder = disc / "TRAIN/DR1/FCJF0"
    for name in ("SI1n.wav", "._SI1.WAV", "desktop.ini", "SI1.WAV.bak"):
        (folder / name).write_bytes(b"other")
    (disc / "DOC").mkdir()
    (disc / "TRAIN/DR1/spare").mkdir()
    assert len(listing(disc).utterances) == 56


def write_sample(root, names):
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for place, sentence in enumerate(sentence_names(number)):
            samples = make_samples(10 * number + place)
            write_labels(root / name, sentence, len(samples), upper=False)
            soundfile.write(root / name / f"{sentence}.wav", samples, 16_000)
    return root


NAMES = [f"dr{place // 2 + 1}-{'fm'[place % 2]}aa{letter}0" for place, letter in
         enumerate("abcdefgh")]  # fmt: skip


@pytest.mark.parametrize("inside", ["", "timit"])
def test_speakers_of_the_sample_are_drawn(tmp_path, inside):
    write_sample(tmp_path / "nltk" / inside, NAMES)

    def drawn(seed):
        found = listing(tmp_path / "nltk", seed=seed).utterances
        return {item.speaker: item.split for item in found}

    assert Counter(drawn(0).values()) == {"train": 4, "dev": 2, "test": 2}
    assert drawn(0) == drawn(0)
    assert any(drawn(seed) != drawn(0) for seed in range(1, 6))
    found = {item.utterance_id: item for item in listing(tmp_path / "nltk").utterances}
    assert len(found) == 64
    one = found["maad0_sx18"]
    assert (one.gender, one.dialect, one.text) == ("M", "dr2", TEXT)
    assert len(list(recordings(params_of(tmp_path / "nltk")))) == 64


def test_a_sample_of_few_speakers_cannot_be_split(tmp_path):
    write_sample(tmp_path, NAMES[:5])
    with pytest.raises(TrialError, match="split train must have at least 2 speakers, found 1"):
        listing(tmp_path)


# --- what is refused ------------------------------------------------------------------


def test_what_is_not_timit_is_told_what_was_seen(tmp_path):
    with pytest.raises(CorpusError, match=r"or dr1-fvmh0 and the like .*; found nothing"):
        listing(tmp_path)
    for name in ("wav", "train", "b", "c", "d", "e"):
        (tmp_path / name).mkdir()
    with pytest.raises(
        CorpusError, match=r"TRAIN and TEST with DR1 to DR8 .*; found b, c, d, e, train, \.\.\.$"
    ):
        listing(tmp_path)
    with pytest.raises(CorpusError, match=r"corpus\.path must name a folder, .*gone is none"):
        listing(tmp_path / "gone")


def copy_disc(disc):
    shutil.copytree(disc / "TRAIN", disc.parent / "two/TRAIN")


def copy_speaker(disc):
    shutil.copytree(disc / "TRAIN/DR1/FCJF0", disc / "TRAIN/DR8/fcjf0")


def remove_from_speaker(pattern):
    def remove(disc):
        for path in (disc / "TEST/DR1/FAKS0").glob(pattern):
            path.unlink()

    return remove


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (copy_disc, "must hold one TIMIT, 2 are there, in .*TIMIT and .*two"),
        (copy_speaker, "speaker fcjf0 must have one folder, got .*DR1/FCJF0"),
        (
            remove_from_speaker("SI10.*"),
            "must have 8 sentences besides SA1 and SA2, not so 1 of 7: faks0 has 7",
        ),
        (remove_from_speaker("S[IX]*"), "FAKS0 must hold recordings named like si1027"),
    ],
)
def test_a_spoiled_disc_is_refused(disc, spoil, message):
    spoil(disc)
    with pytest.raises(CorpusError, match=message):
        listing(disc.parent)


def test_missing_labels_are_counted(disc, caplog):
    folder = disc / "TRAIN/DR1/FCJF0"
    for name in ("SI1.WRD", "SI2.WRD", "SI2.TXT", "SI3.PHN"):
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING):
        listed = listing(disc)
    assert "fcjf0_si1" not in listed.words
    assert "fcjf0_si3" not in listed.phones
    assert {item.utterance_id: item.text for item in listed.utterances}["fcjf0_si2"] == ""
    for kind, count, first in (("wrd", 2, 1), ("txt", 1, 2), ("phn", 1, 3)):
        expected = f"{count} of 56 utterances have no .{kind} beside them, the first is fcjf0_si"
        assert f"{expected}{first}" in caplog.text


def test_a_compressed_disc_says_how_to_unpack_it(disc):
    path = disc / "TRAIN/DR1/FCJF0/SI1.WAV"
    path.write_bytes(sphere(make_samples(0), sample_coding="-s26 pcm,embedded-shorten-v2.00"))
    with pytest.raises(
        CorpusError, match=r"fcjf0_si1: .*pcm,embedded-shorten-v2\.00; unpack it with sph2pipe"
    ):
        list(recordings(params_of(disc)))


# --- labels ---------------------------------------------------------------------------


def label_file(folder, text):
    (folder / "x.phn").write_bytes(text.encode())
    return folder / "x.phn"


def test_gaps_dos_line_ends_and_empty_lines_are_read(tmp_path):
    path = label_file(tmp_path, "0 1600 h#\r\n2400 3200 ao\r\n\r\n")
    assert read_phones(path) == (Phone(0.0, 0.1, "h#"), Phone(0.15, 0.2, "ao"))


def test_words_may_overlap_and_come_in_order(tmp_path):
    path = label_file(tmp_path, "7979 9240 your\n0 8689 had\n")
    assert [word.word for word in read_words(path)] == ["had", "your"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 10 h#\n10 x iy\n", "line 2: must hold two sample numbers, .* got '10 x iy'"),
        ("0 10.5 h#\n", "line 1: must hold two sample numbers"),
        ("-5 10 h#\n", "line 1: must hold two sample numbers"),
        ("0 10\n", "line 1: must hold .* and a label, got '0 10'"),
        ("0 10 h # x\n", "line 1: must hold two sample numbers"),
        ("10 10 h#\n", "line 1: must hold two sample numbers, the second larger"),
        ("0 20 h#\n19 30 iy\n", "line 2: phones must not overlap, iy begins at sample 19, .* 20"),
        ("0 20 h#\n20 30 zz\n", "line 2: phones must be among the 61 symbols of TIMIT, got 'zz'"),
        ("", "must hold labels, it is empty"),
        ("\r\n\n", "must hold labels, it is empty"),
        ("\udcff".encode("utf-8", "surrogatepass").decode("latin-1"), "line 1: must hold two"),
    ],
)
def test_a_bad_line_of_phones_is_named(tmp_path, text, message):
    with pytest.raises(CorpusError, match=rf"x\.phn:? {message}"):
        read_phones(label_file(tmp_path, text))


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_words, b"5 3 she\n", "line 1: must hold two sample numbers"),
        (read_text, b"She had\n", "two sample numbers and a sentence, got 1 lines, 'She"),
        (read_text, b"0 5 a\n0 5 b\n", "got 2 lines"),
        (read_text, b"", "got 0 lines$"),
        (read_phones, b"0 5 \xff\xfe\n", "must be a readable text file in UTF-8"),
    ],
)
def test_a_bad_file_of_words_or_text_is_named(tmp_path, read, text, message):
    (tmp_path / "x.phn").write_bytes(text)
    with pytest.raises(CorpusError, match=rf"x\.phn .*{message}"):
        read(tmp_path / "x.phn")


def test_a_phone_a_few_samples_after_the_end_is_kept(disc, tmp_path):
    """Label files of the disc may say a little more than the recording holds."""
    from fhvae.corpus.store import read_corpus, write_corpus

    path = disc / "TRAIN/DR1/FCJF0/SI1.PHN"
    length = len(make_samples(2))
    path.write_text(f"0 100 h#\n100 {length + 20} iy\n")
    write_corpus(tmp_path / "corpus", recordings(params_of(disc)))
    found = read_corpus(tmp_path / "corpus").phones["fcjf0_si1"]
    assert found[-1].end_s == pytest.approx((length + 20) / 16_000)
