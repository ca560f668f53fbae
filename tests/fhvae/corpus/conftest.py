"""A server for published corpora, and voices to fill them with."""

import pytest

from fhvae.fetch import download
from tests.hostile_server import hostile_server
from tests.published import tone_voices


@pytest.fixture
def server(monkeypatch):
    """An empty server; downloads do not wait long before they try again."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("FHVAE_OFFLINE", "FHVAE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "ATTEMPTS", 3)
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.001)
    with hostile_server() as running:
        yield running


@pytest.fixture(scope="session")
def voices(tmp_path_factory):
    """Eight speakers of tones, two takes each; even ones are M."""
    return tone_voices(tmp_path_factory.mktemp("voices") / "tones", 8)
