"""The t-SNE map: neighbours stay neighbours, equal seeds equal bytes, small inputs do no harm."""

import numpy as np
import pytest

from fhvae.plots.tsne import draw_tsne, tsne_map


def clusters(count: int, each: int, seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(count), each)
    vectors = 20 * np.eye(count, count + 1)[owner] + random.normal(size=(len(owner), count + 1))
    genders = ["FM"[place % 2] if place < 2 else "" for place in owner]
    return vectors.astype(np.float32), [f"s{place}" for place in owner], genders


def test_far_clusters_stay_apart():
    vectors, speakers, _ = clusters(3, 15)
    points = tsne_map(vectors, seed=1)
    assert points.shape == (45, 2)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    assert [speakers[place] for place in nearest] == speakers


def test_equal_seeds_equal_bytes(tmp_path):
    vectors, speakers, genders = clusters(3, 8)
    for name in ("first", "again"):
        draw_tsne(tmp_path / f"{name}.png", vectors, speakers, genders, "mu2", seed=3)
    draw_tsne(tmp_path / "other.png", vectors[:, ::-1] ** 3, speakers, genders, "mu2", seed=3)
    first, again, other = (
        (tmp_path / f"{name}.png").read_bytes() for name in ("first", "again", "other")
    )
    assert first == again != other


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param(np.zeros((0, 3)), id="no-point"),
        pytest.param(np.arange(9.0).reshape(3, 3), id="three-points"),
        pytest.param(np.ones((12, 3)), id="all-equal"),
        pytest.param(np.arange(12.0).reshape(4, 3), id="four-points"),
        pytest.param(np.arange(12.0).reshape(12, 1), id="one-dimension"),
    ],
)
def test_small_inputs_give_a_figure(tmp_path, vectors):
    names = [f"s{place}" for place in range(len(vectors))]
    draw_tsne(tmp_path / "map.png", vectors, names, ["F"] * len(names), "small", seed=0)
    assert (tmp_path / "map.png").stat().st_size > 0


def test_many_speakers_have_no_legend_each(tmp_path):
    vectors, _, genders = clusters(2, 20)
    names = [f"s{place:02d}" for place in range(40)]
    draw_tsne(tmp_path / "map.png", vectors, names, genders, "many", seed=2**40)
    assert (tmp_path / "map.png").stat().st_size > 0
