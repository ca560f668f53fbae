"""A folder of recorded noise: read, or refused with one sentence."""

import logging

import numpy as np
import pytest
import soundfile

from fhvae.acoustics.recordings import read_noise_folder
from fhvae.errors import CorpusError
from tests.fhvae.acoustics.noise_folder import write_noise_folder


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


def test_noises_that_mostly_pause_are_left_out_and_named(tmp_path, caplog):
    sounding = {"rain-1": 1.0, "bark": 0.1, "rain-0": 0.9, "cry": 0.6}
    folder = write_noise_folder(tmp_path / "noise", sounding)
    with caplog.at_level(logging.WARNING):
        found = read_noise_folder(folder, 30.0)
    assert [one.noise_id for one in found.kept] == ["cry", "rain-0", "rain-1"]
    assert [one.kind for one in found.kept] == ["cry", "rain", "rain"]
    assert [one.noise_id for one in found.left_out] == ["bark"]
    assert "1 of 4 noises pause for more than half of their time and are left out: bark" in (
        caplog.text
    )


def test_a_folder_of_short_sounds_is_refused(tmp_path):
    folder = write_noise_folder(tmp_path / "noise", {"bark": 0.1, "sneeze": 0.2})
    with pytest.raises(CorpusError, match=r"one recording at least must sound in 50% .* of 2 does"):
        read_noise_folder(folder, 30.0)


def spoil(folder, text):
    (folder / "manifest.csv").write_text(text)


HEAD = "noise_id,path,class\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noise_id,path\na,b\n", "column class must be there once, found noise_id, path"),
        (HEAD, "must have a row per recording, it has none"),
        (HEAD + ",rain.flac,rain\n", "row 2: noise_id must be a name that occurs once, got ''"),
        (
            HEAD + "rain,rain.flac,rain\nrain,rain.flac,rain\n",
            "row 3: noise_id must be a name that occurs once, got 'rain'",
        ),
        (HEAD + "rain,,rain\n", "row 2: path of rain must name a file, '' is not there"),
        (HEAD + "rain,x.flac,rain\n", r"row 2: path of rain must name a file, 'x\.flac' is not"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path, text, message):
    folder = write_noise_folder(tmp_path / "noise", {"rain": 1.0})
    spoil(folder, text)
    with pytest.raises(CorpusError, match=rf"manifest\.csv:? {message}"):
        read_noise_folder(folder, 30.0)


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"manifest\.csv must exist; see docs/corpora\.md"):
        read_noise_folder(tmp_path, 30.0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(500), "must hold sound, every sample is 0"),
        (np.stack([np.ones(500), -np.ones(500)], axis=1) / 2, "its 2 channels differ"),
    ],
)
def test_a_bad_recording_is_named(tmp_path, samples, message):
    folder = write_noise_folder(tmp_path / "noise", {"rain": 1.0, "wind": 1.0})
    soundfile.write(folder / "wind.flac", samples, 16_000)
    with pytest.raises(CorpusError, match=rf"^noise wind: .*wind\.flac: .*{message}"):
        read_noise_folder(folder, 30.0)
