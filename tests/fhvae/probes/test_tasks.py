"""Tasks: who goes where, what cannot be asked, chance, and labels without meaning."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.probes.rows import LabeledRows, label, segment_rows
from fhvae.probes.tasks import (
    Task,
    chance,
    check_task,
    cluster_count,
    control_labels,
    deal_speakers,
    fold_labels,
    speaker_task,
    split_speakers,
)
from tests.latent_factory import make_frames, make_latents, make_utterances
from tests.probe_factory import PROBES


def rows_of(utterances, segments=4):
    latents = make_latents(utterances, segments=segments)
    return segment_rows(latents, make_frames(latents), utterances)


@pytest.mark.parametrize(
    ("each", "share", "parts"),
    [
        *[(3, 0.6, (1, 1, 1)), (4, 0.6, (2, 1, 1)), (5, 0.6, (3, 1, 1)), (8, 0.6, (5, 1, 2))],
        *[(10, 0.6, (6, 2, 2)), (10, 0.2, (2, 4, 4)), (10, 0.95, (8, 1, 1))],
    ],
)
def test_a_share_of_each_speaker_fits_and_half_of_the_rest_chooses(each, share, parts):
    rows = rows_of(make_utterances("test", 3, each))
    split = split_speakers(rows, share, np.random.default_rng(1))
    for speaker in ("test00", "test01", "test02"):
        own = Counter(part for name, part in split.part.items() if name.startswith(speaker))
        assert (own["fit"], own["choose"], own["score"]) == parts
    assert split.left_out == ()


def test_no_utterance_is_in_two_parts():
    rows = rows_of(make_utterances("test", 3, 5))
    task = speaker_task(rows, split_speakers(rows, 0.6, np.random.default_rng(2)))
    parts = (task.fit, task.choose, task.score)
    segments = [tuple(row) for part in parts for row in part.inputs["z2"].tolist()]
    assert len(segments) == len(set(segments)) == 3 * 5 * 4
    assert (task.fit.labels == task.fit.speakers).all()


def test_the_split_is_seeded():
    rows = rows_of(make_utterances("test", 3, 8))
    first, again, other = (
        split_speakers(rows, 0.6, np.random.default_rng(seed)).part for seed in (1, 1, 2)
    )
    assert first == again != other


def test_speakers_with_two_utterances_are_left_out_and_named():
    utterances = make_utterances("test", 3, 3)
    rows = rows_of(utterances[:-1])  # test02 keeps two
    split = split_speakers(rows, 0.6, np.random.default_rng(3))
    assert split.left_out == ("test02",)
    task = speaker_task(rows, split)
    for part in (task.fit, task.choose, task.score):
        assert set(part.labels.tolist()) == {"test00", "test01"}


def test_one_usable_speaker_is_refused():
    utterances = make_utterances("test", 2, 3)
    rows = rows_of(utterances[:-1])
    split = split_speakers(rows, 0.6, np.random.default_rng(3))
    with pytest.raises(TrialError, match=r"at least 2 test speakers .* found 1; 1 speakers have"):
        speaker_task(rows, split)


def test_a_part_without_rows_and_a_single_label_are_refused():
    rows = rows_of(make_utterances("test", 1, 3))
    full = label(rows, [str(place % 2) for place in range(len(rows))])
    empty, single = label(rows, [None] * len(rows)), label(rows, ["aa"] * len(rows))
    with pytest.raises(
        TrialError, match="phone probe needs labeled segments to choose on, found 0"
    ):
        check_task(Task("phone", full, empty, full))
    with pytest.raises(TrialError, match="phone probe needs at least 2 labels to fit, found 1"):
        check_task(Task("phone", single, full, full))
    with pytest.raises(TrialError, match="phone probe needs at least 2 labels to score, found 1"):
        check_task(Task("phone", full, full, single))
    with pytest.raises(TrialError, match="at least 2 labels to fit, found 1"):
        check_task(Task("phone", full, full, full, folding={"0": "x", "1": "x"}))


def test_folded_labels():
    labels = np.array(["cl", "iy", "vcl"])
    assert fold_labels(labels, {"cl": "sil", "vcl": "sil"}).tolist() == ["sil", "iy", "sil"]
    numbers = np.array([1.5, 2.5])
    assert fold_labels(numbers, {}) is numbers


def test_fitting_rows_of_the_speaker_task_are_sampled_and_the_others_kept():
    rows = rows_of(make_utterances("test", 3, 5))
    split = split_speakers(rows, 0.6, np.random.default_rng(1))
    task = speaker_task(rows, split, 7, np.random.default_rng(2))
    assert [len(part) for part in (task.fit, task.choose, task.score)] == [7, 12, 12]


def test_parts_are_balanced_by_sex():
    genders = {f"{sex}{place}": sex for sex in "FM" for place in range(6)}
    folds = ("a", "b", "c")
    dealt = deal_speakers(genders, folds, np.random.default_rng(1))
    assert dealt.keys() == genders.keys()
    for fold in folds:
        own = [genders[name] for name, part in dealt.items() if part == fold]
        assert sorted(own) == ["F", "F", "M", "M"]
    again, other = (deal_speakers(genders, folds, np.random.default_rng(seed)) for seed in (1, 2))
    assert again == dealt != other


def test_a_part_named_twice_gets_twice_as_many():
    genders = dict.fromkeys([f"s{place}" for place in range(8)], "")
    dealt = deal_speakers(genders, ("fit", "score", "fit"), np.random.default_rng(1))
    assert Counter(dealt.values()) == {"fit": 5, "score": 3}


def labeled(values):
    values = np.array(values)
    return LabeledRows({}, values, np.array(["s"] * len(values)))


def test_chance_always_says_the_label_most_frequent_in_the_fitting_rows():
    fit, score = labeled(["a", "b", "b", "b", "a"]), labeled(["a", "a", "a", "b", "c"])
    assert chance(Task("phone", fit, fit, score)) == 0.2
    assert chance(Task("phone", fit, fit, score, folding={"b": "c"})) == 0.4
    numbers = labeled([1.0, 2.0, 2.0])
    assert chance(Task("f0", numbers, numbers, numbers)) == 0


def clustered(seed, each=20, places=5):
    """Frames in tight heaps far apart; heap by frame."""
    random = np.random.default_rng(seed)
    heap = np.repeat(np.arange(places), each)
    return 100 * np.eye(places)[heap] + random.normal(size=(len(heap), places)), heap


def test_frames_of_one_heap_get_one_label_in_all_parts():
    frames, heap = clustered(1)
    others, other_heap = clustered(2)
    phones = np.array(["aa", "iy", "s", "t", "k", "f"])
    fit, score = control_labels(
        frames, phones, (frames, others), 5, PROBES, np.random.default_rng(3)
    )
    for place in range(5):
        assert len({*fit[heap == place].tolist(), *score[other_heap == place].tolist()}) == 1
    assert set(fit.tolist()) <= set(phones.tolist())


def test_a_phone_is_drawn_as_often_as_it_occurs():
    frames = np.arange(400.0)[:, None]
    phones = np.array(["aa"] * 9 + ["iy"])
    found = [
        control_labels(frames, phones, (frames,), 40, PROBES, np.random.default_rng(seed))[0]
        for seed in range(5)
    ]
    assert 0.8 < np.mean([(labels == "aa").mean() for labels in found]) < 0.99


def test_draws_are_seeded():
    frames, _ = clustered(1)
    phones = np.array([f"p{place}" for place in range(30)])
    first, again, other = (
        control_labels(frames, phones, (frames,), 5, PROBES, np.random.default_rng(seed))[
            0
        ].tolist()
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_clusters_are_of_as_many_frames_and_steps_as_the_params_say():
    """A code of one line: heaps of a sample, or of one step of k-means, lie elsewhere."""
    frames = np.random.default_rng(0).normal(size=(300, 2))
    phones = np.array([f"p{place}" for place in range(300)])
    usual, sampled, begun = (
        control_labels(frames, phones, (frames,), 9, params, np.random.default_rng(1))[0].tolist()
        for params in (
            PROBES,
            replace(PROBES, max_segments=12),
            replace(PROBES, control_iterations=1),
        )
    )
    assert usual != sampled
    assert usual != begun


def test_few_frames_have_few_clusters():
    assert cluster_count(8762, 500) == 500
    assert cluster_count(960, 500) == 60
    assert cluster_count(3, 500) == 2
