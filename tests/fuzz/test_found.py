"""What the fuzzers found, by name."""

import dataclasses

import numpy as np
import pytest

from fhvae.acoustics.noises import read_noise_manifest
from fhvae.corpus.recipes.folder import read_tables
from fhvae.corpus.recipes.speechocean762 import read_text_phone
from fhvae.corpus.recipes.timit import read_phones, read_text
from fhvae.errors import ArtifactError, CorpusError
from fhvae.files.shards import RowFile, open_npy
from fhvae.params.whole import load_params

LONG = "9" * 5000  # more digits than Python makes a number of, more letters than a name has


def test_a_path_in_a_table_longer_than_any_name_leads_nowhere(tmp_path):
    (tmp_path / "wav.scp").write_text(f"u1 {LONG}\n")
    with pytest.raises(CorpusError, match=r"wav\.scp line 1: recording u1 must name a file"):
        read_tables(tmp_path, load_params().corpus)
    (tmp_path / "manifest.csv").write_text(f"noise_id,path,class\nrain,{LONG},weather\n")
    with pytest.raises(CorpusError, match=r"row 2: path of rain must name a file"):
        read_noise_manifest(tmp_path)


def test_numbers_of_thousands_of_digits_are_none(tmp_path):
    (tmp_path / "a.phn").write_text(f"0 {LONG} h#\n")
    with pytest.raises(CorpusError, match="must hold two sample numbers"):
        read_phones(tmp_path / "a.phn")
    (tmp_path / "text-phone").write_text(f"u1.{LONG}\tHH\n")
    with pytest.raises(CorpusError, match=r"must name <utterance>.<number of the word>"):
        read_text_phone(tmp_path / "text-phone", [])
    (tmp_path / "a.txt").write_text(f"0 {LONG} She had\n")
    assert read_text(tmp_path / "a.txt") == "She had"


@pytest.mark.parametrize("seconds", ["1_0", "٣", "0x1", "1e999", "-1"])
def test_what_only_python_takes_for_seconds_is_refused(tmp_path, seconds):
    (tmp_path / "a.wav").touch()
    header = "utterance_id,path,speaker,gender,text,split,duration_s"
    (tmp_path / "manifest.csv").write_text(f"{header}\nu1,a.wav,s1,F,,train,{seconds}\n")
    params = dataclasses.replace(load_params().corpus, name="manifest", path=str(tmp_path))
    with pytest.raises(CorpusError, match="duration_s of u1 must be seconds above 0"):
        read_tables(tmp_path, params)


@pytest.mark.parametrize("kind", [b"<f1", b"|f4", b"|i8", b"<i1", b">f1"])
def test_an_array_of_a_type_that_numpy_has_not_is_refused(tmp_path, kind):
    path = tmp_path / "a.npy"
    with RowFile(path, "float32", (3,)) as file:
        file.append(np.zeros((4, 3), np.float32))
    assert open_npy(path).shape == (4, 3)
    path.write_bytes(path.read_bytes().replace(b"<f4", kind))
    with pytest.raises(ArtifactError, match=r"a\.npy must begin with the header of an array"):
        open_npy(path)
