"""`fhvae train`: recordings in, a model folder out, and a kill loses nothing."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import yaml

import fhvae
from fhvae.cli import parser
from fhvae.errors import ArtifactError, ParamsError, TrialError
from fhvae.own.run import train_on
from fhvae.own.settings import QUICK, quick
from fhvae.training.loop import Trainer
from tests.fhvae.training.test_loop import weights_equal
from tests.params_factory import fbank_params, model_params
from tests.tiny import ROOT
from tests.tones import write_tone_corpus


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Six speakers, a folder for each; no manifest."""
    top = tmp_path_factory.mktemp("own")
    write_tone_corpus(top / "tones", {"train": 6}, utterances=3, seconds=0.6)
    for path in sorted((top / "tones/wav").iterdir()):
        speaker = top / "speech" / path.stem.split("-")[0]
        speaker.mkdir(parents=True, exist_ok=True)
        path.rename(speaker / path.name)
    return top / "speech"


@pytest.fixture
def settings():
    found = quick(epochs=2)
    training = replace(found.training, epoch_steps=6, batch=8)
    sizes = {"model": model_params(), "fbank": fbank_params(), "training": training}
    return replace(found, **sizes)


@pytest.mark.slow
def test_a_model_comes_out_that_can_be_used(recordings, settings, tmp_path):
    found = train_on(recordings, tmp_path / "mine", settings)
    assert found.utterances == {"dev": 6, "train": 12}
    assert found.left_out == 0
    assert set(found.eer_mu2) == {"dev"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    model = fhvae.load(tmp_path / "mine")
    assert model.trained.origin.corpus == "speech"
    assert model.trained.calibration == found.calibration
    assert model.trained.clean_mu2.shape == (2,)
    assert model.embed(recordings).shape == (18, 2)


def test_what_is_shorter_than_a_segment_is_left_out_by_name(copies, settings, tmp_path, caplog):
    short = next(copies.rglob("*.wav")).with_name("short.wav")
    soundfile.write(short, 0.1 * np.ones(800), 16000)
    found = train_on(copies, tmp_path / "mine", settings)
    assert found.left_out == 1
    assert f"{short.parent.name}/short.wav: it is shorter than a segment" in caplog.text


def test_where_nothing_can_be_used_each_reason_is_told(settings, tmp_path, caplog):
    for name in ("a.wav", "b.wav"):
        (tmp_path / "speech").mkdir(exist_ok=True)
        (tmp_path / "speech" / name).write_text("no sound")
    with pytest.raises(TrialError, match="without the 2 recordings left out: split train must"):
        train_on(tmp_path / "speech", tmp_path / "mine", settings)
    for name in ("a.wav", "b.wav"):
        assert f"left out: {name}: {tmp_path}/speech/{name}: must be" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["speech"]


def test_names_that_are_no_utf_8_end_no_training(recordings, settings, tmp_path):
    speech = shutil.copytree(recordings, tmp_path / os.fsdecode(b"speech\xff"))
    for path in [*speech.rglob("*.wav"), *speech.iterdir()]:
        path.rename(path.with_name(os.fsdecode(b"\xff") + path.name))
    train_on(speech, tmp_path / "mine", settings)
    assert fhvae.load(tmp_path / "mine").trained.origin.corpus == r"speech\udcff"


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(recordings, settings, tmp_path, monkeypatch):
    whole = train_on(recordings, tmp_path / "whole", settings)
    step, taken = Trainer.train_step, []

    def killed(trainer):
        if len(taken) == 8:
            trainer._save()
            raise KeyboardInterrupt
        taken.append(step(trainer))

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train_on(recordings, tmp_path / "killed", settings)
    assert (tmp_path / "killed.work").is_dir()
    again = []
    monkeypatch.setattr(Trainer, "train_step", lambda one: again.append(step(one)))
    resumed = train_on(recordings, tmp_path / "killed", settings)
    assert weights_equal(resumed.run.weights, whole.run.weights)
    assert len(again) == 12 - 8


@pytest.fixture
def copies(recordings, tmp_path):
    return shutil.copytree(recordings, tmp_path / "speech")


@pytest.fixture
def kill(settings, tmp_path, monkeypatch):
    """Start a training of `mine` and kill it before its first step; give its working folder."""

    def start(folder):
        def stop(trainer):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "run", stop)
            with pytest.raises(KeyboardInterrupt):
                train_on(folder, tmp_path / "mine", settings)
        return tmp_path / "mine.work"

    return start


def test_recordings_that_changed_meanwhile_are_read_again(copies, kill, settings, tmp_path):
    kill(copies)
    noise = 0.1 * np.random.default_rng(0).normal(size=9600)
    soundfile.write(next(copies.rglob("*.wav")).with_name("new.wav"), noise, 16000)
    found = train_on(copies, tmp_path / "mine", settings)
    assert sum(found.utterances.values()) == 19


def test_a_decoded_corpus_that_the_disk_damaged_is_read_again(recordings, kill, caplog):
    train = kill(recordings) / "corpus/train.npy"
    shutil.rmtree(train.parents[1] / "fbank")
    whole, before = train.read_bytes(), train.stat()
    train.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    os.utime(train, ns=(before.st_atime_ns, before.st_mtime_ns))
    kill(recordings)
    assert "(train.npy has another SHA-256), the recordings are read again" in caplog.text
    assert train.read_bytes() == whole
    caplog.clear()
    caplog.set_level("INFO")
    kill(recordings)
    assert "going on with the recordings" in caplog.text


def test_what_a_killed_reading_left_is_not_taken_for_the_corpus(copies, kill, monkeypatch):
    work = kill(copies)
    next(copies.rglob("*.wav")).unlink()

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("fhvae.own.run.write_corpus", stop)
        kill(copies)
    assert not (work / "listed.json").exists()


def test_frames_of_another_version_of_the_code_are_not_taken_up(recordings, kill, monkeypatch):
    frames = kill(recordings) / "fbank"
    first = [path.name for path in frames.iterdir()]
    kill(recordings)
    assert [path.name for path in frames.iterdir()] == first
    monkeypatch.setattr("fhvae.features.pieces.LIBRARIES", ("numpy",))
    kill(recordings)
    assert len(list(frames.iterdir())) == 2


def test_it_starts_from_a_model_with_its_frames_and_networks(recordings, settings, tmp_path):
    train_on(recordings, tmp_path / "first", settings)
    start = quick(epochs=1, start=tmp_path / "first")
    assert (start.model, start.fbank) == (settings.model, settings.fbank)
    assert start.training.learning_rate == start.fine_tuning_rate
    still = replace(start.training, learning_rate=0.0, epoch_steps=3, batch=8)
    found = train_on(recordings, tmp_path / "second", replace(start, training=still))
    before = fhvae.load(tmp_path / "first").trained.network.state_dict()
    for name, value in found.run.weights.items():
        assert np.allclose(value, before[name], atol=1e-6), name


def test_recordings_in_what_bears_the_name_of_the_working_folder_stay(
    recordings, settings, tmp_path
):
    work = shutil.copytree(recordings, tmp_path / "mine.work")
    with pytest.raises(
        ArtifactError, match=r"mine\.work, for the work on it, must lie beside the recordings"
    ):
        train_on(work, tmp_path / "mine", settings)
    with pytest.raises(ArtifactError, match="is another's"):
        train_on(recordings, tmp_path / "mine", settings)
    assert len(list(work.rglob("*.wav"))) == 18


def test_what_came_to_lie_in_the_models_place_meanwhile_stays(
    recordings, settings, tmp_path, monkeypatch
):
    run = Trainer.run

    def put(trainer):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/letter.txt").touch()
        return run(trainer)

    monkeypatch.setattr(Trainer, "run", put)
    with pytest.raises(ArtifactError, match=r"other things \(letter\.txt\)"):
        train_on(recordings, tmp_path / "mine", settings)
    assert (tmp_path / "mine/letter.txt").exists()


def test_the_profile_has_the_frames_and_networks_of_params_yaml():
    own = yaml.safe_load(QUICK.read_text())
    whole = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section in ("fbank", "segments", "model"):
        assert own[section] == whole[section], section
    different = {key for key, value in whole["training"].items() if own["training"][key] != value}
    assert different == {"average", "max_epochs", "patience"}


def test_the_command_tells_what_came_of_it(recordings, settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fhvae.own.settings.quick", lambda *_: settings)
    options = parser().parse_args(["train", str(recordings), "-o", str(tmp_path / "mine")])
    options.use(options)
    told = capsys.readouterr().out
    assert "train 12, dev 6; left out 0" in told
    assert "12, the best on dev after" in told
    assert "dev EER" in told


def test_a_start_that_is_no_model_is_told(tmp_path):
    with pytest.raises((ArtifactError, ParamsError), match="config"):
        quick(start=tmp_path)
