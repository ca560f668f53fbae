"""What a stage says and how it ends when it cannot go on."""

import errno
from pathlib import Path

import pytest

from fhvae.commandline import parse_paths, run
from fhvae.errors import CorpusError, FhvaeError


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(CorpusError("no speech"), "error: no speech\n", id="ours"),
        pytest.param(
            OSError(errno.ENOSPC, "No space left on device", "data/corpus"),
            "error: data/corpus: No space left on device\n",
            id="full-disk",
        ),
        pytest.param(
            MemoryError("cannot allocate 9 GiB"),
            "error: memory must suffice, it does not (cannot allocate 9 GiB); run the same command "
            "again with fewer processes (FHVAE_WORKERS) or with more memory\n",
            id="memory",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, error, message):
    with pytest.raises(SystemExit) as ended:
        run(raising(error))
    assert ended.value.code == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("by_dvc", [True, False])
def test_an_output_beyond_a_link_is_refused_before_the_work(tmp_path, monkeypatch, by_dvc):
    """DVC ends with an error after the stage; without DVC a link does no harm."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    monkeypatch.setattr("sys.argv", ["stage", "--corpus", "data/corpus"])
    monkeypatch.setenv("DVC_STAGE", "download")
    if not by_dvc:
        monkeypatch.delenv("DVC_STAGE")
        assert parse_paths(None, "corpus") == (Path("data/corpus"),)
        return
    with pytest.raises(FhvaeError, match="data must be a folder and not a link, DVC keeps no"):
        parse_paths(None, "corpus")


def test_an_interrupt_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as ended:
        run(raising(KeyboardInterrupt()))
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))
