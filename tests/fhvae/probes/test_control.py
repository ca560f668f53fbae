"""Labels without meaning depend on the frame, and on nothing else."""

import numpy as np

from fhvae.probes.control import cluster_count, control_labels


def clustered(seed, each=20, places=5):
    """Frames in tight heaps far apart; heap by frame."""
    random = np.random.default_rng(seed)
    heap = np.repeat(np.arange(places), each)
    return 100 * np.eye(places)[heap] + random.normal(size=(len(heap), places)), heap


def test_frames_of_one_heap_get_one_label_in_all_parts():
    frames, heap = clustered(1)
    others, other_heap = clustered(2)
    phones = np.array(["aa", "iy", "s", "t", "k", "f"])
    fit, score = control_labels(frames, phones, (frames, others), 5, np.random.default_rng(3))
    for place in range(5):
        assert len({*fit[heap == place].tolist(), *score[other_heap == place].tolist()}) == 1
    assert set(fit.tolist()) <= set(phones.tolist())


def test_a_phone_is_drawn_as_often_as_it_occurs():
    frames = np.arange(400.0)[:, None]
    phones = np.array(["aa"] * 9 + ["iy"])
    found = [
        control_labels(frames, phones, (frames,), 40, np.random.default_rng(seed))[0]
        for seed in range(5)
    ]
    assert 0.8 < np.mean([(labels == "aa").mean() for labels in found]) < 0.99


def test_draws_are_seeded():
    frames, _ = clustered(1)
    phones = np.array([f"p{place}" for place in range(30)])
    first, again, other = (
        control_labels(frames, phones, (frames,), 5, np.random.default_rng(seed))[0].tolist()
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_few_frames_have_few_clusters():
    assert cluster_count(8762, 500) == 500
    assert cluster_count(960, 500) == 60
    assert cluster_count(3, 500) == 2
