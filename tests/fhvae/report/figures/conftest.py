"""Figures as they were drawn: what their artists show can be asked, which bytes cannot tell."""

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch):
    """Keep every figure that is written, in order."""
    kept, save = [], Figure.savefig

    def keep(self, *args, **options):
        kept.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept
