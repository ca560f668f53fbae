"""Fixtures that more than one folder of tests uses."""

from pathlib import Path

import pytest

from tests.tones import write_tone_corpus


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the made-up corpus; read it, never change it."""
    return write_tone_corpus(tmp_path_factory.mktemp("tone") / "corpus")
