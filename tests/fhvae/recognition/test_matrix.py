"""Who teaches and who is tested; what a corpus without genders, or transcripts, allows."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.corpus.store import read_corpus
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.recognition.matrix import (
    Direction,
    Domains,
    FramePaths,
    Matrix,
    choose_speakers,
    directions,
    few_name,
    gather_materials,
    make_matrix,
)
from tests.latent_factory import make_utterances, write_fake_run

SPEAKERS = [f"s{number:02d}" for number in range(40)]
DOMAINS = Domains(train=("noise10",), test=("noise10", "room"))


def labeled(gender=True):
    found = {
        split: make_utterances(split, count, each=2)
        for split, count in {"train": 10, "dev": 4, "test": 6}.items()
    }
    if not gender:
        found = {key: [replace(one, gender="") for one in items] for key, items in found.items()}
    return found


def test_few_speakers_are_seeded_and_a_smaller_share_lies_within_a_larger():
    ten, thirty = (choose_speakers(SPEAKERS, share, seed=3) for share in (0.1, 0.3))
    assert (len(ten), len(thirty)) == (4, 12)
    assert set(ten) < set(thirty)
    assert choose_speakers(reversed(SPEAKERS), 0.1, seed=3) == ten
    assert choose_speakers(SPEAKERS, 0.1, seed=4) != ten


def test_a_share_has_two_speakers_at_least():
    assert len(choose_speakers(SPEAKERS[:5], 0.1, seed=0)) == 2


@pytest.mark.parametrize(("share", "name"), [(0.1, "few10"), (0.3, "few30"), (0.07, "few7")])
def test_the_share_is_in_the_name(share, name):
    assert few_name(share) == name


def test_the_matrix_of_a_corpus_with_genders():
    matrix = make_matrix(labeled(), DOMAINS, [0.2], seed=0)
    sizes = {one.name: (one.domain, len(one.train_ids), len(one.dev_ids)) for one in matrix.train}
    assert sizes == {
        "clean": ("clean", 20, 8),
        "male": ("clean", 10, 4),
        "female": ("clean", 10, 4),
        "few20": ("clean", 4, 8),
        "noise10": ("noise10", 20, 8),
    }
    tested = {one.name: (one.domain, len(one.utterance_ids)) for one in matrix.test}
    assert tested == {
        "clean": ("clean", 12),
        "male": ("clean", 6),
        "female": ("clean", 6),
        "noise10": ("noise10", 12),
        "room": ("room", 12),
    }
    assert {one.name: one.speaker_count for one in matrix.test}["male"] == 3
    assert matrix.absent == {}


def test_training_utterances_are_of_the_gender_in_the_name():
    found = labeled()
    genders = {one.utterance_id: one.gender for one in found["train"]}
    matrix = make_matrix(found, DOMAINS, [], seed=0)
    male = next(one for one in matrix.train if one.name == "male")
    assert {genders[name] for name in male.train_ids} == {"M"}


def test_without_genders_their_sides_are_absent_and_named():
    matrix = make_matrix(labeled(gender=False), DOMAINS, [0.2], seed=0)
    assert [one.name for one in matrix.train] == ["clean", "few20", "noise10"]
    assert set(matrix.absent) == {"male", "female"}
    assert matrix.absent["male"].startswith("train has 0 speakers of gender M")


def test_one_test_speaker_of_a_gender_has_no_interval():
    found = labeled()
    first = next(one.speaker for one in found["test"] if one.gender == "M")
    found["test"] = [one for one in found["test"] if one.gender == "F" or one.speaker == first]
    matrix = make_matrix(found, DOMAINS, [], seed=0)
    assert matrix.absent["male"].startswith("test has 1 speakers of gender M")


def test_directions_are_those_whose_topline_is_trained():
    matrix = make_matrix(labeled(), DOMAINS, [0.2], seed=0)
    assert directions(matrix) == [
        Direction("male", "female", "female"),
        Direction("female", "male", "male"),
        Direction("clean", "noise10", "noise10"),
        Direction("few20", "clean", "clean"),
    ]
    plain = make_matrix(labeled(gender=False), Domains((), ("room",)), [], seed=0)
    assert directions(plain) == []


def test_the_mixture_of_aurora_is_the_topline_of_each_of_its_tests():
    domains = Domains(train=("aurora_multi",), test=("aurora_b_pink", "aurora_c"))
    found = directions(make_matrix(labeled(gender=False), domains, [], seed=0))
    assert found == [
        Direction("clean", "aurora_b_pink", "aurora_multi"),
        Direction("clean", "aurora_c", "aurora_multi"),
    ]


@pytest.fixture
def corpus(tmp_path):
    """Two utterances of each of two speakers in each split, with 25 frames."""
    write_fake_run(tmp_path, {"train": 2, "dev": 2, "test": 2}, each=2)
    found = read_corpus(tmp_path / "corpus")
    found.transcripts.clear()
    found.transcripts.update({one.utterance_id: ("aa", "s") for one in found.utterances})
    for domains in ("train_domains", "test_domains"):
        (tmp_path / domains).mkdir()
    return found


def gathered(corpus, params):
    folder = corpus.folder.parent
    frames = FramePaths(folder / "fbank", folder / "train_domains", folder / "test_domains")
    return gather_materials(corpus, frames, params, seed=0)


def test_what_is_scored_and_what_was_never_taught_is_counted(corpus, budget):
    corpus.transcripts["test00_00"] = ("aa", "iy", "iy", "sil")
    found = gathered(corpus, budget)
    assert found.test_phones == 4 + 3 * 2
    assert found.unknown_phones == 3  # iy twice, and the pause: no train utterance has them
    assert found.labels.classes == ("aa", "s")
    assert found.speakers["test01_00"] == "test01"


def test_utterances_without_transcript_are_left_out_and_counted(corpus, budget):
    del corpus.transcripts["train00_00"], corpus.transcripts["test01_01"]
    corpus.transcripts["dev00_01"] = ()
    found = gathered(corpus, budget)
    assert found.left_out == {
        "train": {"without_transcript": 1, "empty_reference": 0, "heard": 0},
        "dev": {"without_transcript": 0, "empty_reference": 1, "heard": 0},
        "test": {"without_transcript": 1, "empty_reference": 0, "heard": 0},
    }
    (clean,) = (one for one in found.matrix.train if one.name == "clean")
    assert clean.train_ids == ("train00_01", "train01_00", "train01_01")
    assert clean.dev_ids == ("dev00_00", "dev01_00", "dev01_01")
    (tested,) = (one for one in found.matrix.test if one.name == "clean")
    assert tested.utterance_ids == ("test00_00", "test00_01", "test01_00")


def test_an_utterance_without_frames_is_not_part_of_it(corpus, budget):
    stem = corpus.folder.parent / "fbank" / "train"
    kept = dict(list(read_packed(stem).items())[1:])
    rows = {name: np.array(values) for name, values in kept.items()}
    with PackedWriter(stem, "float32", next(iter(rows.values())).shape[1:]) as writer:
        for name, values in rows.items():
            writer.append(name, values)
    found = gathered(corpus, budget)
    assert found.matrix.train[0].train_ids == ("train00_01", "train01_00", "train01_01")
    assert set(found.labels.taught) == set(found.matrix.train[0].train_ids)


def test_more_phones_than_rows_are_counted(corpus, budget):
    """25 frames every 5 make 5 rows: five phones fit, but not with a blank between two equal."""
    corpus.transcripts["train00_00"] = ("aa", "s", "aa", "s", "aa")
    corpus.transcripts["train00_01"] = ("aa", "s", "aa", "s", "s")
    corpus.transcripts["test00_00"] = ("aa",) * 40  # only training has a loss
    assert read_packed(corpus.folder.parent / "fbank" / "train").lengths[0] == 25
    assert gathered(corpus, replace(budget, shift=5)).too_fast == 1
    assert gathered(corpus, replace(budget, shift=4)).too_fast == 0


def test_a_split_without_transcripts_allows_nothing_and_says_why(corpus, budget):
    for one in corpus.split("dev"):
        del corpus.transcripts[one.utterance_id]
    found = gathered(corpus, budget)
    reason = (
        "no utterance of dev has a transcript in phones and a sentence that train does not have"
    )
    assert found.matrix == Matrix((), (), {"per": reason, "gap": reason})


def test_a_sentence_that_train_has_is_no_question(corpus, budget):
    """It is left out of dev and test, with a count; train keeps it."""
    said = {
        "train00_00": "One two.",
        "dev00_01": "one, two",
        "test01_00": "ONE TWO",
        "test00_01": "3",
    }
    utterances = [replace(one, text=said.get(one.utterance_id, "")) for one in corpus.utterances]
    found = gathered(replace(corpus, utterances=tuple(utterances)), budget)
    everything = gathered(replace(corpus), budget)
    kept, before = found.matrix.train[0], everything.matrix.train[0]
    assert kept.train_ids == before.train_ids
    assert set(before.dev_ids) - set(kept.dev_ids) == {"dev00_01"}
    for one, other in zip(found.matrix.test, everything.matrix.test, strict=True):
        assert set(other.utterance_ids) - set(one.utterance_ids) <= {"test01_00"}
    assert "test01_00" not in found.matrix.test[0].utterance_ids
    assert {split: counts["heard"] for split, counts in found.left_out.items()} == {
        "train": 0, "dev": 1, "test": 1
    }  # fmt: skip
    assert found.test_phones < everything.test_phones
