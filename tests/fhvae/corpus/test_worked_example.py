"""docs/corpora.md shows a corpus of its own; what stands there runs as it stands."""

import dataclasses
import re
from pathlib import Path

import pytest

from fhvae.corpus.catalogue import decode
from fhvae.params.whole import load_params
from tests.published import served, tar_of, write_audio

DOCS = Path(__file__).resolve().parents[3] / "docs/corpora.md"
SPEAKERS = ("f01", "f02", "f03", "m01", "m02", "m03")


@pytest.fixture
def example():
    """The module of the page."""
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    module: dict = {}
    exec(compile(code, str(DOCS), "exec"), module)
    return module


@pytest.fixture
def top(voices, tmp_path):
    for speaker, voice in zip(SPEAKERS, voices, strict=False):
        for vowel, samples in zip(("ah", "ee"), voice.takes, strict=True):
            write_audio(tmp_path / f"vowels/speakers/{speaker}/{vowel}.wav", samples)
    return tmp_path / "vowels"


def test_the_example_of_the_docs_reads_its_corpus(example, top, server, monkeypatch, voices):
    monkeypatch.setenv("FHVAE_WORKERS", "1")
    (top.parent / "disk").mkdir()
    example["ARCHIVE"] = served(server, example["ARCHIVE"], tar_of(top))
    params = load_params().corpus
    params = dataclasses.replace(params, name="manifest", path=str(top.parent / "disk"))
    found = list(decode(example["read_vowels"](params), "refuse"))
    names = sorted(item.utterance.utterance_id for item in found)
    assert names == [f"{speaker}-{vowel}" for speaker in SPEAKERS for vowel in ("ah", "ee")]
    by_id = {item.utterance.utterance_id: item for item in found}
    assert by_id["m01-ee"].utterance.gender == "M"
    assert (by_id["m01-ee"].samples == voices[3].takes[1]).all()
