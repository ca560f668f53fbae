"""Who teaches and who is tested; what a corpus without genders allows."""

from dataclasses import replace

import pytest

from fhvae.recognition.conditions import (
    Direction,
    Domains,
    choose_speakers,
    directions,
    few_name,
    make_matrix,
)
from tests.latent_factory import make_utterances

SPEAKERS = [f"s{number:02d}" for number in range(40)]
DOMAINS = Domains(train=("noise10",), test=("noise10", "room"))


def labelled(gender=True):
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
    matrix = make_matrix(labelled(), DOMAINS, [0.2], seed=0)
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
    found = labelled()
    genders = {one.utterance_id: one.gender for one in found["train"]}
    matrix = make_matrix(found, DOMAINS, [], seed=0)
    male = next(one for one in matrix.train if one.name == "male")
    assert {genders[name] for name in male.train_ids} == {"M"}


def test_without_genders_their_conditions_are_absent_and_named():
    matrix = make_matrix(labelled(gender=False), DOMAINS, [0.2], seed=0)
    assert [one.name for one in matrix.train] == ["clean", "few20", "noise10"]
    assert set(matrix.absent) == {"male", "female"}
    assert matrix.absent["male"].startswith("train has 0 speakers of gender M")


def test_one_test_speaker_of_a_gender_has_no_interval():
    found = labelled()
    first = next(one.speaker for one in found["test"] if one.gender == "M")
    found["test"] = [one for one in found["test"] if one.gender == "F" or one.speaker == first]
    matrix = make_matrix(found, DOMAINS, [], seed=0)
    assert matrix.absent["male"].startswith("test has 1 speakers of gender M")


def test_directions_are_those_whose_topline_is_trained():
    matrix = make_matrix(labelled(), DOMAINS, [0.2], seed=0)
    assert directions(matrix) == [
        Direction("male", "female", "female"),
        Direction("female", "male", "male"),
        Direction("clean", "noise10", "noise10"),
        Direction("few20", "clean", "clean"),
    ]
    plain = make_matrix(labelled(gender=False), Domains((), ("room",)), [], seed=0)
    assert directions(plain) == []


def test_the_mixture_of_aurora_is_the_topline_of_each_of_its_tests():
    domains = Domains(train=("aurora_multi",), test=("aurora_b_pink", "aurora_c"))
    found = directions(make_matrix(labelled(gender=False), domains, [], seed=0))
    assert found == [
        Direction("clean", "aurora_b_pink", "aurora_multi"),
        Direction("clean", "aurora_c", "aurora_multi"),
    ]
