"""Vectors from the files of earlier stages, and a sentence for each file that is not there."""

import numpy as np
import pytest

from fhvae.artifacts import read_packed
from fhvae.controls.pca import Pca
from fhvae.errors import ArtifactError
from fhvae.latents import read_latents, write_latents
from fhvae.verification.sources import Sources, pca_means, read_vectors
from tests.latent_factory import (
    MELS,
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
    return Sources(*(folder / name for name in ("fbank", "latents", "ivectors", "controls")))


def test_every_vector_has_the_size_of_what_it_is_made_of(run):
    vectors = read_vectors(sources(run), "test", seed=0)
    assert {name: item.values.shape for name, item in vectors.items()} == {
        "mu2": (6, Z2),
        "z2": (6, Z2),
        "mu1": (6, Z1),
        "z1_stats": (6, 2 * Z1),
        "ivector": (6, RANK),
        "fbank": (6, 2 * MELS),
        "pca": (6, Z1),
        "random": (6, Z2),
        "untrained": (6, Z2),
        "mean_removed": (6, Z2),
        "level": (6, Z2),
    }
    ids = vectors["mu2"].utterance_ids
    assert all(item.utterance_ids == ids for item in vectors.values())
    assert all(item.values.dtype == np.float64 for item in vectors.values())


def test_controls_are_the_mu2_of_their_own_latents(run):
    vectors = read_vectors(sources(run), "dev", seed=0)
    for name, folder in (("untrained", "untrained_latents"), ("level", "level")):
        stored = read_latents(run / "controls" / folder / "dev.safetensors")
        np.testing.assert_array_equal(vectors[name].values, stored.mu2)
    np.testing.assert_allclose(
        vectors["ivector"].values, read_packed(run / "ivectors" / "dev").rows, rtol=1e-7
    )


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
    "controls/pca.safetensors": "pca.safetensors must exist; rerun the stage controls",
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
