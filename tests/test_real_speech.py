"""Recorded speech with phones marked by hand: eight TIMIT speakers, in FHVAE_TIMIT_SAMPLE."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fhvae.corpus.manifest import WORD_COLUMNS, read_table
from fhvae.corpus.store import phone_at, read_corpus
from fhvae.features.fbank import frame_time_s
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed
from tests.recorded import TIMIT_SAMPLE, with_timit_sample
from tests.tiny import ROOT, run_stage, set_params

pytestmark = [pytest.mark.slow, with_timit_sample]
HOP_MS = 10.0
HIGH_BANDS = slice(60, 80)  # above about 4 kHz, where s and sh are loud and vowels are not


def make_frames(folder, name):
    """Run the stages download and fbank on the sample, read as corpus `name`."""
    shutil.copy(ROOT / "params.yaml", folder)
    set_params(folder / "params.yaml", {"corpus.name": name, "corpus.path": str(TIMIT_SAMPLE)})
    run_stage(folder, "download", "corpus")
    run_stage(folder, "fbank", "corpus", "fbank")
    return folder


@pytest.fixture(scope="module")
def frames_folder(tmp_path_factory):
    return make_frames(tmp_path_factory.mktemp("manifest"), "manifest")


@pytest.fixture(scope="module")
def timit_folder(tmp_path_factory):
    return make_frames(tmp_path_factory.mktemp("timit"), "timit")


def test_every_utterance_speaker_and_phone_arrives(frames_folder):
    corpus = read_corpus(frames_folder / "corpus")
    assert len(corpus.utterances) == 80
    assert len({utterance.speaker for utterance in corpus.utterances}) == 8
    assert sum(len(phones) for phones in corpus.phones.values()) == 2993
    counts = read_json(frames_folder / "download.json")
    assert sum(split["utterances"] for split in counts.values()) == 80


def test_the_reader_of_timit_agrees_with_the_tables_of_the_sample(timit_folder, frames_folder):
    """The tables were made from the same label files by another program; SA1 and SA2 are theirs."""
    found, tables = (read_corpus(folder / "corpus") for folder in (timit_folder, frames_folder))
    expected = {one.utterance_id: one for one in tables.utterances if "_sa" not in one.utterance_id}
    assert {one.utterance_id for one in found.utterances} == expected.keys()
    assert len(expected) == 64
    for one in found.utterances:
        other = expected[one.utterance_id]
        for field in ("speaker", "gender", "text", "duration_s"):
            assert getattr(one, field) == getattr(other, field), one.utterance_id
        assert TIMIT_SAMPLE / one.path == TIMIT_SAMPLE / other.path
        assert f"/{one.dialect}-{one.speaker}/" in one.path
        pairs = zip(found.phones[one.utterance_id], tables.phones[one.utterance_id], strict=True)
        for phone, known in pairs:
            assert phone.phone == known.phone
            assert (phone.start_s, phone.end_s) == pytest.approx(
                (known.start_s, known.end_s), abs=1e-6
            )


def test_words_of_timit_overlap_and_are_all_kept(timit_folder):
    words = read_table(timit_folder / "corpus/words.csv", WORD_COLUMNS)
    lines = [path.read_text().splitlines() for path in TIMIT_SAMPLE.glob("timit/dr*/s[ix]*.wrd")]
    assert len(words) == sum(map(len, lines))
    notoriety = words[words["word"] == "notoriety"]
    assert list(notoriety["start_s"].astype(float)) == [12240 / 16_000]


def test_frames_of_timit_are_made(timit_folder):
    counts = read_json(timit_folder / "download.json")
    assert {split: one["speakers"] for split, one in counts.items()} == {
        "train": 4,
        "dev": 2,
        "test": 2,
    }
    assert {split: one["utterances"] for split, one in counts.items()} == {
        "train": 32,
        "dev": 16,
        "test": 16,
    }
    for split, one in counts.items():
        frames = read_packed(timit_folder / "fbank" / split)
        assert len(frames.utterance_ids) == one["utterances"]
        assert len(frames.rows) == pytest.approx(one["hours"] * 360_000, rel=0.02)


def loudness_of_sibilants(folder: Path, lag: int) -> float:
    """Measure how much louder the high bands are where s, sh or z is marked `lag` frames later."""
    corpus = read_corpus(folder / "corpus")
    inside, outside = [], []
    for split in corpus.splits:
        for utterance_id, frames in read_packed(folder / "fbank" / split).items():
            high = frames[:, HIGH_BANDS].mean(axis=1)
            for frame, value in enumerate(high):
                phone = phone_at(corpus.phones[utterance_id], frame_time_s(frame + lag, HOP_MS))
                (inside if phone in ("s", "sh", "z") else outside).append(value)
    return float(np.mean(inside) - np.mean(outside))


def test_frames_and_hand_labels_are_aligned(frames_folder):
    """The fit of labels to spectra is best where the times are taken as they are."""
    fits = {lag: loudness_of_sibilants(frames_folder, lag) for lag in (-6, -3, -1, 0, 1, 3, 6)}
    assert abs(max(fits, key=fits.__getitem__)) <= 1, fits
    assert fits[0] > 1.0  # standard deviations of the normalized frames
