"""A server for published corpora, and voices to fill them with."""

from functools import partial

import pytest

from fhvae.corpus.recipes import published
from fhvae.fetch.download import Patience, fetch
from tests.hostile_server import hostile_server
from tests.published import tone_voices

QUICK = Patience(attempts=3, first_wait_s=0.001, longest_wait_s=0.002, timeout_s=5.0)


@pytest.fixture
def server(monkeypatch):
    """An empty server; downloads do not wait long before they try again."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("FHVAE_OFFLINE", "FHVAE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(published, "fetch", partial(fetch, patience=QUICK))
    with hostile_server() as running:
        yield running


@pytest.fixture(scope="session")
def voices(tmp_path_factory):
    """Eight speakers of tones, two takes each; even ones are M."""
    return tone_voices(tmp_path_factory.mktemp("voices") / "tones", 8)
