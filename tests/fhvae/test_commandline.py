"""What a stage says and how it ends when it cannot go on."""

import errno

import pytest

from fhvae.commandline import run
from fhvae.errors import CorpusError


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
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, error, message):
    with pytest.raises(SystemExit) as ended:
        run(raising(error))
    assert ended.value.code == 2
    assert capsys.readouterr().err == message


def test_an_interrupt_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as ended:
        run(raising(KeyboardInterrupt()))
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))
