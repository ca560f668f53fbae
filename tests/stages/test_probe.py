"""The stage probe, whole, on made-up latents with known phones and speakers."""

import csv

import pytest

from stages.probe import main
from tests.latent_factory import SHIFT, write_fake_run
from tests.probe_factory import EACH, SPEAKERS, write_coders
from tests.stages.stage_runner import each_number_of_workers, inside, run_stage, written

INPUTS = ("corpus", "fbank", "f0", "latents", "model", "baselines", "domains")


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, each=EACH)
    write_coders(folder)
    return folder


def run_probe(inputs, out, protocol="headline", workers="1"):
    """Run the stage with small networks and the latents' own grid."""
    changes = {"protocol": protocol, "probes.mlp_hidden": 8, "probes.mlp_epochs": 30}
    changes["latents.shift"] = SHIFT
    return run_stage(main, inside(inputs, *INPUTS), out, ("plots",), changes, workers)


@pytest.fixture(scope="module")
def once(fake_run, tmp_path_factory):
    """Metrics of a run, and its folder."""
    out = tmp_path_factory.mktemp("once") / "out"
    return run_probe(fake_run, out), out


def test_z1_is_read_as_phone_and_z2_as_speaker(once):
    metrics, out = once
    phone, speaker = metrics["phone"], metrics["speaker"]
    assert phone["z1"]["accuracy"] == speaker["z2"]["accuracy"] == speaker["mu2"]["accuracy"] == 1
    assert phone["z2"]["accuracy"] < 0.6
    assert speaker["z1"]["accuracy"] < 0.7
    assert phone["unlabelled"] == {"train": 0, "dev": 0, "test": 0}
    assert phone["segments"] == {"train": 144, "dev": 48, "test": 96}
    assert {"chance", "untrained", "pca", "fbank", "z1z2"} <= set(phone)
    with_mlp = {name for name, found in phone.items() if "mlp" in str(found)}
    assert (
        with_mlp - {"z1_minus"} == set(phone["z1_minus"]["mlp"]) | {"z1"} == {"z1", "fbank", "pca"}
    )
    assert metrics["snr"]["levels_db"] == [0, 20]
    assert metrics["purity"]["content"] > 0.8
    assert metrics["geometry"]["z1z2"]["phone_variance_kept"] > 0.5
    assert (metrics["usage"]["z1"]["active"], metrics["usage"]["z2"]["active"]) == (3, 4)
    few = {f"{name}.intervals" for name in ("phone", "speaker", "sex", "snr")}
    assert set(metrics["absent"]) == {"f0", "sentence", "abx", "stacked"} | few
    assert metrics["absent"]["abx"] == "left out by protocol: headline"
    for name, lines in (("geometry.csv", 1 + 2 * 4), ("usage.csv", 1 + 3 + 4 + 4)):
        with (out / "plots" / name).open(newline="") as file:
            assert len(list(csv.reader(file))) == lines


def test_the_full_protocol_adds_stacked_frames_and_a_hidden_layer_everywhere(
    monkeypatch, fake_run, tmp_path
):
    monkeypatch.setattr("fhvae.probes.abx.is_available", lambda: False)
    metrics = run_probe(fake_run, tmp_path / "out", protocol="full")
    assert metrics["phone"]["stacked"]["accuracy"] > 0.5
    for factor in ("phone", "speaker", "sex"):
        assert 0 <= metrics[factor]["mu2"]["mlp"]["accuracy"] <= 1
    assert "r2" in metrics["snr"]["z1"]["mlp"]
    assert {"f0", "sentence", "abx"} < set(metrics["absent"])
    assert "stacked" not in metrics["absent"]
    assert "install the extra abx" in metrics["absent"]["abx"]


@each_number_of_workers
def test_a_second_run_writes_the_same_bytes(once, fake_run, tmp_path, caplog, workers):
    """And both say that four test speakers have no interval."""
    metrics = run_probe(fake_run, tmp_path / "again", workers=workers)
    assert written(tmp_path / "again") == written(once[1])
    assert metrics["absent"]["phone.intervals"] == (
        "an interval needs at least 6 test speakers, there are 4: how much speakers differ is "
        "hardly known from so few"
    )
    assert "there are 1" in metrics["absent"]["snr.intervals"]
    assert "the phone probe has no intervals: an interval needs at least 6" in caplog.text
    assert not [key for key in every_key(metrics) if key.endswith(("_low", "_high"))]


def every_key(tree):
    for name, value in tree.items():
        yield name
        if isinstance(value, dict):
            yield from every_key(value)


def test_a_corpus_without_phone_times_or_noise(tmp_path):
    write_fake_run(tmp_path / "run", SPEAKERS, each=EACH, with_phones=False)
    write_coders(tmp_path / "run")
    for name in ("noise20", "noise0"):
        (tmp_path / "run" / "domains" / name).rename(tmp_path / name)
    metrics = run_probe(tmp_path / "run", tmp_path / "out")
    assert "phone" not in metrics
    assert metrics["absent"]["phone"].startswith("the corpus has no phone times")
    assert metrics["absent"]["geometry"] == "the corpus has no phone times"
    assert "found 0; see domains.test" in metrics["absent"]["snr"]
    assert metrics["speaker"]["z2"]["accuracy"] == 1.0
