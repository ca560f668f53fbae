"""The t-SNE map: neighbors stay neighbors, legends tell who is who, small inputs do no harm."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.store import Corpus
from fhvae.params.latents import LatentsParams
from fhvae.report.figures import latent_maps
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


def known_map(count: int) -> np.ndarray:
    """Point k lies at (k, -2 k)."""
    return np.arange(count)[:, None] * np.array([1.0, -2.0])


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


def test_the_legend_of_the_sexes_is_that_of_the_points(tmp_path, figures):
    genders = ["F", "M", "F", "", "M", "F", ""]
    draw_tsne(tmp_path / "map.png", known_map(7), ["s"] * 7, genders, "mu2")
    axes = figures[-1].axes[1]
    assert points_of(axes) == {"female (3)": [0, 2, 5], "male (2)": [1, 4], "unknown (2)": [3, 6]}
    colors = {
        "female (3)": ORANGE.lower(), "male (2)": BLUE.lower(), "unknown (2)": "#999999",
    }  # fmt: skip
    assert legend_of(axes) == colors
    drawn = {one.get_label(): to_hex(one.get_facecolor()[0]) for one in axes.collections}
    assert drawn == colors


def test_each_speaker_has_a_color_and_an_entry(tmp_path, figures):
    _, speakers, genders = clusters(3, 4)
    draw_tsne(tmp_path / "map.png", known_map(12), speakers, genders, "mu2")
    axes = figures[-1].axes[0]
    assert points_of(axes) == {f"s{n}": list(range(4 * n, 4 * n + 4)) for n in range(3)}
    colors = legend_of(axes)
    assert len(set(colors.values())) == 3
    assert colors == {one.get_label(): to_hex(one.get_facecolor()[0]) for one in axes.collections}


def test_many_speakers_have_no_legend_each(tmp_path, figures):
    names = [f"s{place:02d}" for place in range(40)]
    draw_tsne(tmp_path / "map.png", known_map(40), names, ["F"] * 40, "many")
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
    points = tsne_map(vectors, 30.0, seed=2**40)
    draw_tsne(tmp_path / "map.png", points, names, ["F"] * len(names), "small")
    enough = len(np.unique(vectors, axis=0)) >= 4
    assert bool(figures[-1].axes) == enough
    reasons = [text for text in figures[-1].texts if text.get_text().startswith("no map: fewer")]
    assert len(reasons) == (not enough)


def test_points_are_those_of_their_speaker_and_sex(tmp_path, monkeypatch):
    utterances = make_utterances("test", 4, 3)
    latents = make_latents(utterances, segments=5)
    seen = []

    def note(vectors, perplexity, _):
        assert perplexity == 7
        seen.append(vectors)

    monkeypatch.setattr(latent_maps, "tsne_map", note)
    params = LatentsParams(shift=1, mu2="mean", tsne_points=9, tsne_perplexity=7.0)
    corpus = Corpus(tmp_path, tuple(reversed(utterances)))
    maps = latent_maps.latent_maps(latents, corpus, params, seed=0)
    of_mu2, of_z1 = seen
    np.testing.assert_array_equal(of_mu2, latents.mu2)
    assert maps["tsne_mu2"].speakers == [one.speaker for one in utterances]
    assert maps["tsne_mu2"].genders == [one.gender for one in utterances]
    assert len(of_z1) == 9
    sex_of = {one.speaker: one.gender for one in utterances}
    said_by = maps["tsne_z1"].speakers, maps["tsne_z1"].genders
    for vector, speaker, gender in zip(of_z1, *said_by, strict=True):
        (place,) = np.flatnonzero((latents.z1_mean == vector).all(axis=1))
        own: Utterance = utterances[latents.segment_utterance[place]]
        assert (speaker, gender) == (own.speaker, sex_of[own.speaker])


def test_speakers_that_a_legend_names_differ_in_color_and_shape(tmp_path, figures):
    """For readers who cannot tell the colors apart, too: no two share both."""
    names = [f"s{place:02d}" for place in range(30)]
    draw_tsne(tmp_path / "map.png", known_map(30), names, ["F"] * 30, "mu2")
    dots = figures[-1].axes[0].collections
    looks = {
        (
            to_hex(one.get_facecolor()[0]),
            len(one.get_paths()[0].vertices),
            str(one.get_paths()[0].vertices),
        )
        for one in dots
    }
    assert len(looks) == 30


def test_names_of_a_legend_are_shown_as_they_are(tmp_path, figures):
    """A formula that matplotlib cannot read, markup, and what legends leave out."""
    names = ["$\\frac{$", "<script>", "_hidden", "a\nb", "x" * 50]
    draw_tsne(tmp_path / "map.svg", known_map(5), names, [""] * 5, "mu2")
    texts = [one.get_text() for one in figures[-1].axes[0].get_legend().get_texts()]
    assert texts == ["$\\frac{$", "<script>", " _hidden", "a\ufffdb", f"{'x' * 19}\u2026"]
    assert "script" not in (tmp_path / "map.svg").read_text()
