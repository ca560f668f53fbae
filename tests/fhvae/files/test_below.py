"""Every file below a folder is listed once, whatever the links."""

import pytest

from fhvae.files.below import files_below


def test_files_are_sorted_and_links_to_folders_followed(tmp_path):
    for name in ("in/b/2.wav", "in/a.wav", "out/deep/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "in/c").symlink_to(tmp_path / "out")
    (tmp_path / "in/lost.wav").symlink_to("nowhere")
    found = [path.relative_to(tmp_path / "in").as_posix() for path in files_below(tmp_path / "in")]
    assert found == ["a.wav", "b/2.wav", "c/deep/1.wav", "lost.wav"]


def test_loops_end_and_a_folder_counts_once_under_its_own_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.wav").touch()
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/beside").symlink_to("../b")
    (tmp_path / "a/self").symlink_to("self")
    (tmp_path / "b/beside").symlink_to("../a")
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert found == ["a/a.wav", "a/self", "b/b.wav"]


def test_a_folder_that_may_not_be_read_is_told(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        files_below(tmp_path / "nowhere")
