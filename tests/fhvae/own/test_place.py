"""Where `fhvae train` writes: no file of others is lost."""

import json
import shutil
from contextlib import suppress

import pytest

from fhvae.errors import ArtifactError
from fhvae.own.place import MARK, check_place, working_folder
from tests.tiny import ROOT


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "speech"
    folder.mkdir()
    (folder / "a.wav").touch()
    return folder


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(ROOT / "fhvae/shipped", tmp_path / "model")


def test_a_model_may_be_new_or_replace_an_empty_folder_or_a_model(recordings, model, tmp_path):
    (tmp_path / "empty").mkdir()
    (model / "SHA256SUMS").touch()
    for out in (tmp_path / "new", tmp_path / "deep/new", tmp_path / "empty", model):
        check_place(recordings, out)


def test_a_model_of_version_0_1_may_be_replaced(recordings, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for name in ("weights.safetensors", "normalizer.json"):
        (old / name).touch()
    (old / "model.json").write_text('{"fbank": {}, "model": {}, "segments": {}}')
    check_place(recordings, old)


@pytest.mark.parametrize("name", ["letter.txt", ".git", "encoder.onnx"])
def test_a_model_beside_other_things_is_not_replaced(recordings, model, name):
    (model / name).touch()
    with pytest.raises(ArtifactError, match=rf"holds other things \({name}\); name another"):
        check_place(recordings, model)


@pytest.mark.parametrize("text", [json.dumps({"model_type": "bert"}), "{}", "[", ""])
def test_another_config_json_makes_no_model(recordings, tmp_path, text):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text(text)
    with pytest.raises(ArtifactError, match="holds other things; name another folder"):
        check_place(recordings, tmp_path / "other")


def test_a_file_is_not_replaced(recordings, tmp_path):
    (tmp_path / "letter").touch()
    with pytest.raises(ArtifactError, match="holds other things"):
        check_place(recordings, tmp_path / "letter")


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("speech", "speech"),
        ("speech", "speech/model"),
        ("mine/speech", "mine"),
        ("mine.work", "mine"),
        ("mine.work/speech", "mine"),
        ("in.work", "in.work/mine"),
    ],
)
def test_neither_model_nor_work_lies_among_the_recordings(tmp_path, given, out):
    (tmp_path / given).mkdir(parents=True)
    with pytest.raises(ArtifactError, match="must lie beside the recordings"):
        check_place(tmp_path / given, tmp_path / out)


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_model_has_a_name(recordings, monkeypatch, out):
    monkeypatch.chdir(recordings.parent)
    with pytest.raises(ArtifactError, match="must be the name of the model's folder"):
        check_place(recordings, type(recordings)(out))


def test_a_link_to_a_folder_is_told_at_the_start(recordings, model, tmp_path):
    for name in ("link", "mine.work"):
        (tmp_path / name).symlink_to(model)
    for out in ("link", "mine"):
        with pytest.raises(ArtifactError, match="must be a folder, it is a link to "):
            check_place(recordings, tmp_path / out)


def test_a_working_folder_of_others_stays(recordings, tmp_path):
    work = tmp_path / "mine.work"
    work.mkdir()
    (work / "letter.txt").touch()
    with pytest.raises(ArtifactError, match=r"mine\.work must be free for the work"):
        check_place(recordings, tmp_path / "mine")
    with pytest.raises(ArtifactError, match="is another's"), working_folder(tmp_path / "mine"):
        pass
    assert [path.name for path in work.iterdir()] == ["letter.txt"]


def test_the_working_folder_stays_for_the_next_run_and_goes_in_the_end(recordings, tmp_path):
    out = tmp_path / "mine"
    with suppress(KeyboardInterrupt), working_folder(out) as work:
        assert [path.name for path in work.iterdir()] == [MARK]
        (work / "corpus").mkdir()
        raise KeyboardInterrupt
    check_place(recordings, out)
    with working_folder(out) as again:
        assert (again / "corpus").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["speech"]


def test_a_run_that_comes_to_nothing_leaves_no_working_folder(tmp_path):
    with pytest.raises(ArtifactError), working_folder(tmp_path / "mine"):
        raise ArtifactError("no")
    assert list(tmp_path.iterdir()) == []
