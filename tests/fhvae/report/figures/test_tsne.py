"""The t-SNE map: neighbors stay neighbors, legends tell who is who, small inputs do no harm."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.store import Corpus
from fhvae.params.latents import LatentsParams
from fhvae.report.figures import latent_maps, tsne
from fhvae.report.figures.drawing import BLUE, ORANGE
from fhvae.report.figures.tsne import draw_tsne, tsne_map
from tests.latent_factory import make_latents, make_utterances


def clusters(count: int, each: int, seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(count), each)
    vectors = 20 * np.eye(count, count + 1)[owner] + random.normal(size=(len(owner), count + 1))
    genders = ["FM"[place % 2] if place < 2 else "" for place in owner]
    return vectors.astype(np.float32), [f"s{place}" for place in owner], genders


def test_far_clusters_stay_apart():
    vectors, speakers, _ = clusters(3, 15)
    points = tsne_map(vectors, 30.0, seed=1)
    assert points.shape == (45, 2)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    assert [speakers[place] for place in nearest] == speakers


def test_equal_seeds_give_equal_maps():
    vectors, _, _ = clusters(3, 8)
    np.testing.assert_array_equal(tsne_map(vectors, 30.0, seed=3), tsne_map(vectors, 30.0, seed=3))
    assert (tsne_map(vectors, 2.0, seed=3) != tsne_map(vectors, 5.0, seed=3)).any()


@pytest.fixture
def known_map(monkeypatch):
    """Point k of the map lies at (k, -2 k)."""
    monkeypatch.setattr(
        tsne, "tsne_map", lambda vectors, *_: np.arange(len(vectors))[:, None] * np.array([1.0, -2])
    )


def legend_of(axes):
    """Color of each legend entry, by its text."""
    legend = axes.get_legend()
    return {
        text.get_text(): to_hex(handle.get_facecolor()[0])
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }


def points_of(axes):
    """Places on the x axis by the label of what is drawn there."""
    return {one.get_label(): one.get_offsets()[:, 0].tolist() for one in axes.collections}


@pytest.mark.usefixtures("known_map")
def test_the_legend_of_the_sexes_is_that_of_the_points(tmp_path, figures):
    vectors = np.random.default_rng(0).normal(size=(7, 3))
    genders = ["F", "M", "F", "", "M", "F", ""]
    draw_tsne(tmp_path / "map.png", vectors, ["s"] * 7, genders, "mu2", 30.0, seed=0)
    axes = figures[-1].axes[1]
    assert points_of(axes) == {"female (3)": [0, 2, 5], "male (2)": [1, 4], "unknown (2)": [3, 6]}
    colors = {
        "female (3)": ORANGE.lower(), "male (2)": BLUE.lower(), "unknown (2)": "#999999",
    }  # fmt: skip
    assert legend_of(axes) == colors
    drawn = {one.get_label(): to_hex(one.get_facecolor()[0]) for one in axes.collections}
    assert drawn == colors


@pytest.mark.usefixtures("known_map")
def test_each_speaker_has_a_color_and_an_entry(tmp_path, figures):
    vectors, speakers, genders = clusters(3, 4)
    draw_tsne(tmp_path / "map.png", vectors, speakers, genders, "mu2", 30.0, seed=0)
    axes = figures[-1].axes[0]
    assert points_of(axes) == {f"s{n}": list(range(4 * n, 4 * n + 4)) for n in range(3)}
    colors = legend_of(axes)
    assert len(set(colors.values())) == 3
    assert colors == {one.get_label(): to_hex(one.get_facecolor()[0]) for one in axes.collections}


@pytest.mark.usefixtures("known_map")
def test_many_speakers_have_no_legend_each(tmp_path, figures):
    vectors, _, genders = clusters(2, 20)
    names = [f"s{place:02d}" for place in range(40)]
    draw_tsne(tmp_path / "map.png", vectors, names, genders, "many", 30.0, seed=0)
    axes = figures[-1].axes[0]
    assert axes.get_legend() is None
    assert axes.get_title(loc="left") == "by speaker (40)"


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
def test_small_inputs_give_a_figure(tmp_path, figures, vectors):
    names = [f"s{place}" for place in range(len(vectors))]
    draw_tsne(tmp_path / "map.png", vectors, names, ["F"] * len(names), "small", 30.0, seed=2**40)
    enough = len(np.unique(vectors, axis=0)) >= 4
    assert bool(figures[-1].axes) == enough
    reasons = [text for text in figures[-1].texts if text.get_text().startswith("no map: fewer")]
    assert len(reasons) == (not enough)


def test_points_are_those_of_their_speaker_and_sex(tmp_path, monkeypatch):
    utterances = make_utterances("test", 4, 3)
    latents = make_latents(utterances, segments=5)
    drawn = {}

    def note(path, vectors, speakers, genders, _, perplexity, __):
        drawn[path.name] = vectors, speakers, genders
        assert perplexity == 7

    monkeypatch.setattr(latent_maps, "draw_tsne", note)
    params = LatentsParams(shift=1, mu2="mean", tsne_points=9, tsne_perplexity=7.0)
    corpus = Corpus(tmp_path, tuple(reversed(utterances)))
    latent_maps.draw_maps(tmp_path, latents, corpus, params, seed=0)
    vectors, speakers, genders = drawn["tsne_mu2.png"]
    np.testing.assert_array_equal(vectors, latents.mu2)
    assert speakers == [one.speaker for one in utterances]
    assert genders == [one.gender for one in utterances]
    vectors, speakers, genders = drawn["tsne_z1.png"]
    assert len(vectors) == 9
    sex_of = {one.speaker: one.gender for one in utterances}
    for vector, speaker, gender in zip(vectors, speakers, genders, strict=True):
        (place,) = np.flatnonzero((latents.z1_mean == vector).all(axis=1))
        own: Utterance = utterances[latents.segment_utterance[place]]
        assert (speaker, gender) == (own.speaker, sex_of[own.speaker])
