"""From packed samples to a file that holds the extractor."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from fhvae.baselines.ivector.extraction import clips_of, collect_statistics, sample_frames
from fhvae.baselines.ivector.extractor import (
    Extractor,
    learn_subspaces,
    write_extractor,
)
from fhvae.baselines.ivector.total_variability import TotalVariability
from fhvae.baselines.ivector.ubm import Statistics, Ubm, baum_welch
from fhvae.errors import ArtifactError
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import PackedWriter, read_packed
from tests.params_factory import ivector_params
from tests.stages.stage_runner import each_number_of_workers

GAUSSIANS, FEATURES, RANK = 3, 4, 2


@pytest.fixture
def extractor():
    random = np.random.default_rng(0)
    means, variances = random.normal(size=(GAUSSIANS, FEATURES)), np.ones((GAUSSIANS, FEATURES))
    return Extractor(
        Normalizer(np.arange(FEATURES) * 2.0, np.full(FEATURES, 3.0)),
        Ubm(np.array([0.5, 0.25, 0.25]), means, variances),
        TotalVariability(means, random.normal(size=(GAUSSIANS, FEATURES, RANK)), variances),
    )


@pytest.fixture
def stem(tmp_path):
    random = np.random.default_rng(1)
    with PackedWriter(tmp_path / "train", "float32", (FEATURES,)) as writer:
        for name, frames in (("b", 6), ("a", 5), ("c", 7)):
            writer.append(name, 4 + random.normal(size=(frames, FEATURES)))
    return tmp_path / "train"


def test_statistics_are_of_scaled_frames_sorted_by_id(stem, extractor):
    found = collect_statistics(stem, extractor.normalizer, extractor.ubm)
    frames = read_packed(stem)
    for place, where in enumerate([1, 0, 2]):  # a, b, c
        scaled = (frames[where] - extractor.normalizer.mean) / 3.0
        expected = baum_welch(extractor.ubm, scaled)
        np.testing.assert_allclose(found.counts[place], expected.counts, rtol=1e-5)
        np.testing.assert_allclose(found.sums[place], expected.sums, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.counts.sum(axis=1), [5, 6, 7])


@each_number_of_workers
def test_the_number_of_workers_changes_no_bit(stem, extractor, monkeypatch, workers):
    found = []
    for number in ("1", workers):
        monkeypatch.setenv("FHVAE_WORKERS", number)
        found.append(extractor.extract(stem))
    np.testing.assert_array_equal(*found)
    assert found[0].shape == (3, RANK)


def test_an_utterance_that_is_missing_is_named(stem):
    with pytest.raises(ArtifactError, match=r"that fbank kept, d is missing; rerun fbank"):
        clips_of(stem, ["a", "d"])


def test_a_sample_takes_each_frame_once(stem):
    rows = read_packed(stem).rows
    some = sample_frames(stem, 9, np.random.default_rng(0))
    places = [int(np.flatnonzero((rows == frame).all(axis=1))[0]) for frame in some]
    assert len(set(places)) == 9
    assert places == sorted(places)
    np.testing.assert_array_equal(sample_frames(stem, 99, np.random.default_rng(0)), rows)


def test_ranks_too_high_are_lowered_and_learned_once():
    random = np.random.default_rng(0)
    variances = np.ones((GAUSSIANS, FEATURES))
    ubm = Ubm(np.full(GAUSSIANS, 1 / 3), random.normal(size=(GAUSSIANS, FEATURES)), variances)
    statistics = Statistics(
        random.gamma(2, size=(10, GAUSSIANS)), random.normal(size=(10, GAUSSIANS, FEATURES))
    )
    learned = learn_subspaces(
        ubm, statistics, ivector_params(ranks=(8, 2, 50), iterations=2), seed=0
    )
    assert [one.model.rank for one in learned] == [2, 3]
    few = ivector_params(ranks=(50,), iterations=2, rank_utterances=10)
    (lower,) = learn_subspaces(ubm, statistics, few, 0)
    assert lower.model.rank < learned[-1].model.rank
    alone = learn_subspaces(ubm, statistics, ivector_params(ranks=(2,), iterations=2), seed=0)
    np.testing.assert_array_equal(alone[0].model.matrix, learned[0].model.matrix)


def test_the_file_holds_all_that_an_extractor_is(tmp_path, stem, extractor):
    path = tmp_path / "extractor.safetensors"
    write_extractor(path, extractor)
    first, arrays = path.read_bytes(), load_file(path)
    variances = arrays["variances"]
    back = Extractor(
        Normalizer(arrays["feature_mean"], arrays["feature_std"]),
        Ubm(arrays["weights"], arrays["ubm_means"], variances),
        TotalVariability(arrays["means"], arrays["matrix"], variances),
    )
    np.testing.assert_array_equal(back.extract(stem), extractor.extract(stem))
    write_extractor(path, back)
    assert path.read_bytes() == first
