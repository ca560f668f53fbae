"""Vectors of utterances: from files of earlier stages, by hand, and of the same utterances."""

from pathlib import PurePosixPath

import numpy as np
import pytest

from fhvae.baselines.pca import Pca
from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed, read_packed
from fhvae.latents import read_latents, write_latents
from fhvae.verification.vectors import (
    Sources,
    check_same_utterances,
    latent_vectors,
    packed_vectors,
    pca_means,
    random_vectors,
    read_parts,
    read_vectors,
    row_statistics,
)
from tests.latent_factory import (
    MELS,
    OTHER_MU2,
    RANK,
    SEGMENT_FRAMES,
    SHIFT,
    Z1,
    Z2,
    make_frames,
    make_latents,
    make_utterances,
    write_fake_run,
    write_ivectors,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, {"train": 4, "dev": 2, "test": 3}, each=2)
    return folder


def sources(folder):
    stages = "fbank", "latents", "ivectors", "baselines", "controls"
    return Sources(*(folder / name for name in stages))


IVECTORS = ("ivector", "ivector_supervised", "ivector_vad30", "ivector_vad300")


def test_every_vector_has_the_size_of_what_it_is_made_of(run):
    vectors = read_vectors(sources(run), "test", seed=0)
    assert {name: item.values.shape for name, item in vectors.items()} == {
        "mu2": (6, Z2),
        "z2": (6, Z2),
        "mu1": (6, Z1),
        "z1_stats": (6, 2 * Z1),
        **{name: (6, RANK) for name in IVECTORS},
        "fbank": (6, 2 * MELS),
        "pca": (6, Z1),
        "random": (6, Z2),
        "untrained": (6, Z2),
        "mean_removed": (6, Z2),
        "level": (6, Z2),
        "speech": (6, Z2),
    }
    ids = vectors["mu2"].utterance_ids
    assert all(item.utterance_ids == ids for item in vectors.values())
    assert all(item.values.dtype == np.float64 for item in vectors.values())


def test_mu2_of_others_are_those_of_their_own_latents(run):
    vectors = read_vectors(sources(run), "dev", seed=0)
    for folder in OTHER_MU2:
        name = PurePosixPath(folder).name.removesuffix("_latents")
        stored = read_latents(run / folder / "dev.safetensors")
        np.testing.assert_array_equal(vectors[name].values, stored.mu2)
    np.testing.assert_allclose(
        vectors["ivector"].values, read_packed(run / "ivectors" / "dev").rows, rtol=1e-7
    )


def test_a_part_that_some_utterances_lack_is_no_vector_but_can_be_read(run):
    folder = sources(run)
    assert "pauses" not in read_vectors(folder, "test", seed=0)
    ids = read_latents(run / "latents/test.safetensors").utterance_ids
    parts = read_parts(run / "controls", "test", ids)
    assert parts["pauses"].utterance_ids == ("test00_00", "test00_01", "test01_00")
    stored = read_latents(run / "controls/pauses/test.safetensors")
    np.testing.assert_array_equal(parts["pauses"].values, stored.mu2)
    assert read_parts(run / "nowhere", "test", ids) == {"speech": None, "pauses": None}
    with pytest.raises(ArtifactError, match="test00_00 is in controls and not in latents"):
        read_parts(run / "controls", "test", ids[1:])


def test_random_vectors_depend_on_seed_and_split_alone(run):
    first, again = (read_vectors(sources(run), "test", seed=3)["random"] for _ in range(2))
    other = read_vectors(sources(run), "test", seed=4)["random"]
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).all()


def test_pca_means_by_the_long_way():
    latents = make_latents(make_utterances("test", 2, 2), segments=3)
    frames = make_frames(latents)
    random = np.random.default_rng(5)
    size = SEGMENT_FRAMES * MELS
    pca = Pca(
        random.normal(size=size).astype(np.float32),
        random.normal(size=(size, 2)).astype(np.float32),
    )
    found = pca_means(pca, latents, frames)
    for row, utterance_id in enumerate(found.utterance_ids):
        own = frames[frames.utterance_ids.index(utterance_id)]
        codes = []
        for place in range(3):
            segment = own[place * SHIFT : place * SHIFT + SEGMENT_FRAMES]
            codes.append((segment.reshape(-1) - pca.mean) @ pca.directions)
        np.testing.assert_allclose(found.values[row], np.mean(codes, axis=0), rtol=1e-4)


MISSING = {
    "ivectors/test.npy": r"ivectors/test.npy must exist",
    "baselines/pca/pca.safetensors": "pca.safetensors must exist; rerun the stage baselines",
    "ivectors/vad300/test.npy": r"ivectors/vad300/test.npy must exist",
    "controls/level/test.safetensors": "level/test.safetensors must exist",
    "fbank/test.npy": r"fbank/test.npy must exist",
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_file_is_named(tmp_path, name):
    write_fake_run(tmp_path, {"train": 2, "dev": 2, "test": 2}, each=2)
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactError, match=MISSING[name]):
        read_vectors(sources(tmp_path), "test", seed=0)


def test_other_utterances_are_named(tmp_path):
    write_fake_run(tmp_path, {"train": 2, "dev": 2, "test": 2}, each=2)
    fewer = make_latents(make_utterances("test", 2, 2)[:-1])
    write_ivectors(tmp_path / "ivectors" / "test", fewer)
    with pytest.raises(ArtifactError, match="test01_01 is in latents and not in ivector"):
        read_vectors(sources(tmp_path), "test", seed=0)
    write_ivectors(tmp_path / "ivectors" / "test", make_latents(make_utterances("test", 2, 2)))
    write_latents(tmp_path / "controls" / "level" / "test.safetensors", fewer)
    with pytest.raises(ArtifactError, match="test01_01 is in latents and not in controls"):
        read_vectors(sources(tmp_path), "test", seed=0)
    write_latents(tmp_path / "baselines" / "untrained_latents" / "test.safetensors", fewer)
    with pytest.raises(ArtifactError, match="test01_01 is in latents and not in baselines"):
        read_vectors(sources(tmp_path), "test", seed=0)


def test_statistics_of_rows_by_hand():
    frames = Packed(
        rows=np.array([[9, 9, 9], [1, 2, 3], [3, 2, -1]], dtype=np.float32),
        utterance_ids=("b", "a"),  # packed in another order than sorted
        offsets=np.array([0, 1]),
        lengths=np.array([1, 2]),
    )
    vectors = row_statistics(frames)
    assert vectors.utterance_ids == ("a", "b")
    np.testing.assert_array_equal(vectors.values, [[2, 2, 1, 1, 0, 2], [9, 9, 9, 0, 0, 0]])


def test_vectors_of_latents():
    latents = make_latents(make_utterances("test", 2, 3), segments=4)
    vectors = latent_vectors(latents)
    assert {name: item.values.shape for name, item in vectors.items()} == {
        "mu2": (6, Z2),
        "z2": (6, Z2),
        "mu1": (6, Z1),
        "z1_stats": (6, 2 * Z1),
    }
    assert all(item.utterance_ids == latents.utterance_ids for item in vectors.values())
    own = latents.z1_mean[4:8]  # of the second utterance
    np.testing.assert_allclose(vectors["mu1"].values[1], own.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        vectors["z1_stats"].values[1], np.append(own.mean(axis=0), own.std(axis=0)), rtol=1e-5
    )
    np.testing.assert_allclose(
        vectors["z2"].values[1], latents.z2_mean[4:8].mean(axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(vectors["mu2"].values, latents.mu2)


def test_packed_vectors_are_sorted_by_utterance():
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    packed = Packed(rows, ("c", "a", "b"), np.array([0, 1, 2]), np.array([1, 1, 1]))
    vectors = packed_vectors(packed)
    assert vectors.utterance_ids == ("a", "b", "c")
    np.testing.assert_array_equal(vectors.values, [[3, 4], [5, 6], [1, 2]])


def test_an_utterance_with_two_ivectors_is_named():
    packed = Packed(np.ones((3, 2)), ("a", "b"), np.array([0, 1]), np.array([1, 2]))
    with pytest.raises(ArtifactError, match="utterance b must have one i-vector, found 2"):
        packed_vectors(packed)


def test_random_vectors_are_standard_normal():
    vectors = random_vectors([f"{place}" for place in range(400)], 9, np.random.default_rng(1))
    assert vectors.values.shape == (400, 9)
    assert abs(vectors.values.mean()) < 0.05
    assert abs(vectors.values.std() - 1) < 0.05


@pytest.mark.parametrize(
    ("latents", "frames", "message"),
    [
        (["a", "b"], ["a"], r"b is in latents and not in fbank \(2 and 1 utterances\)"),
        (["a"], ["a", "c", "d"], r"c is in fbank and not in latents \(1 and 3 utterances\)"),
    ],
)
def test_an_utterance_on_one_side_only_is_named(latents, frames, message):
    with pytest.raises(ArtifactError, match=message):
        check_same_utterances(latents, frames)
