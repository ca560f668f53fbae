"""The stage f0, whole, on tones whose F0 is the speaker's."""

import sys

import numpy as np
import pytest

from fhvae.corpus.manifest import Recording
from fhvae.corpus.store import write_corpus
from fhvae.features.f0 import mean_log_f0
from fhvae.files.atomic import read_json
from fhvae.files.packed import read_packed
from stages.f0 import main
from tests.latent_factory import make_utterances
from tests.stages.stage_runner import written

SPEAKERS = {"train": 3, "dev": 2, "test": 2}
SILENT, SHORT = "dev00_01", "test01_00"


def f0_of(speaker: str) -> float:
    return 100.0 + 50 * int(speaker[-2:])


def say(utterance):
    """Sum the harmonics of the speaker's F0; of one utterance nothing, of one 40 ms."""
    if utterance.utterance_id == SILENT:
        return np.zeros(4000, np.int16)
    seconds = np.arange(640 if utterance.utterance_id == SHORT else 4000) / 16_000
    turns = 2 * np.pi * f0_of(utterance.speaker) * seconds
    return (3000 * sum(np.sin(n * turns + n) / n for n in range(1, 9))).astype(np.int16)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "corpus"
    utterances = [one for split, n in SPEAKERS.items() for one in make_utterances(split, n, 2)]
    write_corpus(folder, (Recording(one, say(one)) for one in utterances))
    return folder


def run_f0(monkeypatch, corpus, out):
    options = ["--corpus", corpus, "--f0", out / "f0", "--metrics", out / "metrics.json"]
    monkeypatch.setattr(sys, "argv", ["f0", *map(str, options)])
    main()
    return read_json(out / "metrics.json")


def test_every_utterance_has_the_f0_of_its_speaker(monkeypatch, corpus, tmp_path):
    metrics = run_f0(monkeypatch, corpus, tmp_path)
    for split, speakers in SPEAKERS.items():
        f0 = read_packed(tmp_path / "f0" / split)
        assert len(f0) == 2 * speakers
        for name, track in f0.items():
            speaker = name.partition("_")[0]
            expected = None if name in (SILENT, SHORT) else np.log(f0_of(speaker))
            assert mean_log_f0(track) == pytest.approx(expected, abs=0.01)
    frames = (4000 - 1024) // 320 + 1
    assert metrics["train"] == {
        **{"utterances": 6, "unvoiced_utterances": 0, "frames": 6 * frames, "voiced_share": 1.0}
    }
    assert metrics["dev"]["voiced_share"] == pytest.approx(3 / 4)
    assert metrics["dev"]["unvoiced_utterances"] == metrics["test"]["unvoiced_utterances"] == 1
    assert metrics["test"]["frames"] == 3 * frames


def test_a_second_run_writes_the_same_bytes_with_any_number_of_workers(
    monkeypatch, corpus, tmp_path
):
    for workers in ("1", "2"):
        monkeypatch.setenv("FHVAE_WORKERS", workers)
        run_f0(monkeypatch, corpus, tmp_path / workers)
    assert written(tmp_path / "1") == written(tmp_path / "2")
