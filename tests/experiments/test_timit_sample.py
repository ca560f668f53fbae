"""The sample of TIMIT becomes a folder with hand labels."""

import dataclasses
import sys

import pytest

from experiments import timit_sample
from fhvae.corpus.manifest import Phone
from fhvae.corpus.recipes.folder import read_folder
from fhvae.params.whole import load_params
from tests.timit_disc import TEXT, make_samples, sphere, write_labels

FOLDERS = [f"dr{number}-{'fm'[number % 2]}abc{number}" for number in range(1, 9)]


def run(monkeypatch, folder):
    monkeypatch.setattr(sys, "argv", ["timit_sample", str(folder)])
    timit_sample.main()


def test_speakers_of_four_regions_are_listed_with_all_they_said(tmp_path, monkeypatch):
    lengths = {}
    for number, name in enumerate([*FOLDERS, "dr1-mabc9", "dr2-fabc8", "dr3-mabc7"]):
        (tmp_path / name).mkdir()
        for sentence in (0, 1):
            samples = make_samples(2 * number + sentence)
            lengths[f"{name[4:]}_sa{sentence}"] = len(samples)
            (tmp_path / name / f"sa{sentence}.wav").write_bytes(sphere(samples))
            write_labels(tmp_path / name, f"sa{sentence}", len(samples), upper=False)
    run(monkeypatch, tmp_path)
    corpus = dataclasses.replace(load_params().corpus, name="manifest", path=str(tmp_path))
    listing = read_folder(corpus, seed=0)
    found = {item.utterance_id: item for item in listing.utterances}
    speakers = {"mabc1", "fabc2", "mabc3", "fabc4", "mabc9", "fabc8", "mabc7"}
    assert {item.speaker for item in found.values()} == speakers
    one = found["fabc4_sa1"]
    assert (one.path, one.gender, one.text) == ("dr4-fabc4/sa1.wav", "F", TEXT)
    assert one.duration_s == pytest.approx(lengths["fabc4_sa1"] / 16_000, abs=1e-4)
    first, second, *_ = listing.phones["fabc4_sa1"]
    assert first == Phone(0.0, 100 / 16_000, "h#")
    assert second == Phone(100 / 16_000, pytest.approx(180 / 16_000, abs=1e-6), "iy")


def test_a_folder_without_the_sample_is_named(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path)
    assert f"{tmp_path} must hold the sample of NLTK" in capsys.readouterr().err
