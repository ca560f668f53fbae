"""Small corpora are decoded in one process."""

import pytest


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")
