"""Damaged files between stages: what is read is valid, or one sentence says what is wrong.

A few examples of each format run with all tests, always the same ones; `make fuzz` runs many, of
a seed that it prints: FHVAE_FUZZ is their number, of all formats together.
"""

import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from fhvae.errors import FhvaeError
from tests.fuzz.damage import Damage, damages
from tests.fuzz.formats import FORMATS, write_run

WANTED = int(os.environ.get("FHVAE_FUZZ", "0"))
EXAMPLES = WANTED // len(FORMATS) + 1 if WANTED else 25
LONGEST = 600  # letters of a sentence


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


def check_sentence(error: FhvaeError) -> None:
    said = str(error)
    assert said.isprintable(), said
    assert len(said) <= LONGEST, said


def read_damaged(folder: Path, name: str, file: str, steps: list[Damage]) -> None:
    """Damage a file, read it, and put it right again."""
    path = folder / file
    before = path.read_bytes()
    others = [(folder / other).read_bytes() for other in FORMATS[name].files if other != file]
    content = before
    for step in steps:
        content = step.done_to(content, others or [(folder / "f0/dev.npy").read_bytes()])
    path.write_bytes(content)
    try:
        FORMATS[name].read(folder)
    except FhvaeError as error:
        check_sentence(error)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_whole_is_read(run_folder, name):
    FORMATS[name].read(run_folder)


@pytest.mark.timeout(36_000 if WANTED else 300)
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_damaged_is_read_or_refused_in_words(run_folder, name):
    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=not WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(file=st.sampled_from(FORMATS[name].files), steps=damages())
    def read(file, steps):
        read_damaged(run_folder, name, file, steps)

    read()
