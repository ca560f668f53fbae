"""The grid of crossed segments: the same bytes twice, every cell counts, sizes must agree."""

import numpy as np
import pytest

from fhvae.plots.factor_grid import draw_factor_grid


def segments(count):
    random = np.random.default_rng(0)
    originals = random.normal(size=(count, 5, 7))
    return originals, 0.9 * originals, random.normal(size=(count, count, 5, 7))


def drawn(path, originals, reconstructions, grid):
    names = [f"u{place}" for place in range(len(originals))]
    draw_factor_grid(path, originals, reconstructions, grid, names)
    return path.read_bytes()


def test_bytes_follow_every_part(tmp_path):
    originals, reconstructions, grid = segments(2)
    first = drawn(tmp_path / "first.png", originals, reconstructions, grid)
    assert drawn(tmp_path / "again.png", originals, reconstructions, grid) == first
    assert drawn(tmp_path / "1.png", originals, -reconstructions, grid) != first
    assert drawn(tmp_path / "2.png", originals, reconstructions, grid.swapaxes(0, 1)) != first
    assert drawn(tmp_path / "3.png", originals[::-1], reconstructions, grid) != first


def test_one_segment_is_enough(tmp_path):
    assert drawn(tmp_path / "one.png", *segments(1))


def test_sizes_must_agree(tmp_path):
    originals, reconstructions, grid = segments(2)
    with pytest.raises(ValueError, match="2 originals need as many"):
        draw_factor_grid(tmp_path / "grid.png", originals, reconstructions, grid, ["u1"])
    with pytest.raises(ValueError, match="2 originals need as many"):
        draw_factor_grid(tmp_path / "grid.png", originals, reconstructions, grid[:1], ["a", "b"])
    assert list(tmp_path.iterdir()) == []
