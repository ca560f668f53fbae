"""Fixtures that more than one folder of tests uses."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from jaxtyping import install_import_hook

from fhvae.portable import SET
from tests.tones import write_tone_corpus

# Every shape written in an annotation is checked while tests run; an int serves as a float.
install_import_hook(
    ["fhvae.model", "fhvae.segments", "fhvae.recognition.network"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# What stages write must not depend on how pytest was started (fhvae/portable.py).
os.environ.setdefault(SET, "1")
# Tests run side by side; one that is about several processes asks for them.
os.environ["FHVAE_WORKERS"] = "1"

# No verdict may depend on chance or on how busy the machine is.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what has the longest limit first, so that no worker is left with it at the end."""

    def limit_s(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return float(mark.args[0]) if mark else 0.0

    items.sort(key=limit_s, reverse=True)


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """The GPU, with float32 products as exact as on a CPU; PyTorch lets cuDNN round them to TF32.

    For tests with the mark `gpu`, which are skipped where there is none.
    """
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU here")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield torch.device("cuda")


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the made-up corpus; read it, never change it."""
    return write_tone_corpus(tmp_path_factory.mktemp("tone") / "corpus")


@pytest.fixture(scope="module")
def few_speakers_suffice() -> Iterator[None]:
    """Let two speakers have intervals, so that draws can be worked out by hand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fhvae.intervals.FEWEST_SPEAKERS", 2)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium without a window, driven by playwright; whoever asks for it skips without."""
    needed = "needs Chromium (`apt-get install chromium`) and playwright (requirements-dev.txt)"
    playwright = pytest.importorskip("playwright.sync_api", reason=needed)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(needed)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=options)
        yield opened
        opened.close()
