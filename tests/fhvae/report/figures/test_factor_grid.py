"""The grid of crossed segments: every panel shows its own segment, sizes must agree."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fhvae.model.network import new_network
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.whole import load_params
from fhvae.report.figures.decoded import different_utterances, factor_grid
from fhvae.report.figures.drawing import BLUE
from fhvae.report.figures.factor_grid import draw_factor_grid

FRAMES, MELS = 5, 7
HOP_MS = 10.0


def segments(count):
    random = np.random.default_rng(0)
    originals = random.normal(size=(count, FRAMES, MELS))
    return originals, 0.9 * originals, random.normal(size=(count, count, FRAMES, MELS))


def drawn(path, figures, originals, reconstructions, grid):
    """Draw, and give the panels by row; the last axes are those of the color bar."""
    count = len(originals)
    names = [f"u{place}" for place in range(count)]
    draw_factor_grid(path, originals, reconstructions, grid, names, HOP_MS)
    return np.array(figures[-1].axes[:-1]).reshape(count, 3 + count)


def test_each_panel_shows_its_segment_with_time_to_the_right(tmp_path, figures):
    originals, reconstructions, grid = segments(2)
    panels = drawn(tmp_path / "grid.png", figures, originals, reconstructions, grid)
    for row in range(2):
        shown = [panel.images[0].get_array() for panel in panels[row, [0, 1, 3, 4]]]
        expected = [originals[row], reconstructions[row], grid[row, 0], grid[row, 1]]
        for found, segment in zip(shown, expected, strict=True):
            np.testing.assert_array_equal(found, segment.T)
    assert all(panel.images[0].origin == "lower" for panel in panels[:, [0, 1, 3, 4]].flat)
    limits = {panel.images[0].get_clim() for panel in panels[:, [0, 1, 3, 4]].flat}
    assert len(limits) == 1  # one scale of colors


def test_rows_give_z1_and_columns_z2(tmp_path, figures):
    panels = drawn(tmp_path / "grid.png", figures, *segments(2))
    assert [panel.get_title() for panel in panels[0]] == [
        "original", "recon-\nstruction", "", "z2 of\nu0", "z2 of\nu1",
    ]  # fmt: skip
    assert [panel.get_ylabel() for panel in panels[:, 3]] == ["z1 of u0", "z1 of u1"]


def test_pairings_of_a_segment_with_itself_are_framed(tmp_path, figures):
    panels = drawn(tmp_path / "grid.png", figures, *segments(3))
    wide = [[panel.spines["left"].get_linewidth() > 1.5 for panel in row] for row in panels[:, 3:]]
    np.testing.assert_array_equal(wide, np.eye(3, dtype=bool))
    assert panels[0, 3].spines["left"].get_edgecolor()[:3] == pytest.approx(
        [int(BLUE[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    )


def test_axes_are_in_hz_and_ms(tmp_path, figures):
    """80 bands, 0.5586 mel apart (8 kHz is 45.245 mel); 500 Hz, 2 and 6 kHz: 7.5, 25.08, 41.06."""
    random = np.random.default_rng(0)
    one = random.normal(size=(1, FRAMES, 80))
    panels = drawn(tmp_path / "grid.png", figures, one, one, one[None])
    ticks = dict(zip(*(panels[0, 0].get_yticks(), panels[0, 0].get_yticklabels()), strict=True))
    assert {label.get_text(): round(place, 1) for place, label in ticks.items()} == {
        "500 Hz": 12.4, "2 kHz": 43.9, "6 kHz": 72.5,
    }  # fmt: skip
    assert [label.get_text() for label in panels[0, 0].get_xticklabels()] == ["0", "50 ms"]
    assert panels[0, 0].images[0].get_extent() == [0, 50, -0.5, 79.5]


def test_a_narrow_drawing_has_room_for_three(tmp_path, figures):
    draw_factor_grid(tmp_path / "grid.pdf", *segments(5), [f"u{n}" for n in range(5)], HOP_MS)
    assert np.array(figures[-1].axes[:-1]).size == 3 * 6


def test_one_segment_is_enough(tmp_path, figures):
    assert drawn(tmp_path / "one.png", figures, *segments(1)).shape == (1, 4)


def test_sizes_must_agree(tmp_path):
    originals, reconstructions, grid = segments(2)
    path = tmp_path / "grid.png"
    with pytest.raises(ValueError, match="2 originals need as many"):
        draw_factor_grid(path, originals, reconstructions, grid, ["u1"], HOP_MS)
    with pytest.raises(ValueError, match="2 originals need as many"):
        draw_factor_grid(path, originals, reconstructions, grid[:1], ["a", "b"], HOP_MS)
    assert list(tmp_path.iterdir()) == []


def test_each_of_a_few_speakers_gives_another_utterance():
    """Five speakers of eleven, each two apart; the k-th gives the k-th of its utterances."""
    names = [f"s{speaker:02d}_{number}" for number in range(3) for speaker in range(11)]
    speakers = {name: name[:3] for name in names}
    chosen = [names[place] for place in different_utterances(names, speakers)]
    assert chosen == ["s00_0", "s02_1", "s04_2", "s06_0", "s08_1"]


def test_the_grid_decodes_z1_of_its_row_with_z2_of_its_column():
    params = load_params()
    sizes = replace(params.model, cells=6, z1=3, z2=2)
    network = new_network(MELS, FRAMES, sizes, seed=0).requires_grad_(False)
    given = np.random.default_rng(1).normal(size=(FRAMES, 3, MELS)).astype(np.float32)
    grid = factor_grid(TrainedModel(network, params.segments, params.fbank), given)
    assert grid.shape == (3, 3, FRAMES, MELS)
    found = posteriors(network, torch.from_numpy(given))
    for i in range(3):
        for j in range(3):
            alone = network.decode(found.z1.mean[i : i + 1], found.z2.mean[j : j + 1], FRAMES)
            np.testing.assert_allclose(grid[i, j], alone.mean[:, 0].numpy(), rtol=1e-4, atol=1e-5)
