"""A sentence is one line of printable characters and not long, whatever was found."""

import logging
import pickle
import subprocess
import sys

import pytest

from fhvae import errors
from fhvae.commandline import OneLine
from fhvae.errors import LONGEST, LONGEST_FOUND, CorpusError, FhvaeError, ParamsError, shown

CELL = "x" * 140_000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("as it is, \u00e4 \U0001f600 \\", "as it is, \u00e4 \U0001f600 \\"),
        ("two\nlines\tand\r\n", "two\\nlines\\tand"),
        ("red \x1b[31m, bell \a, nul \0", "red \\x1b[31m, bell \\x07, nul \\x00"),
        ("leftwards \u202ecba", "leftwards \\u202ecba"),
        ("half a letter \ud800", "half a letter \\ud800"),
    ],
)
@pytest.mark.parametrize("kind", [FhvaeError, CorpusError])
def test_control_characters_are_written_out(kind, text, line):
    assert str(kind(text)) == line


def test_of_a_long_sentence_both_ends_stay():
    text = str(CorpusError(f"manifest.csv row 3: speaker must be a name, got {CELL}; correct it"))
    assert len(text) == LONGEST
    assert text.startswith("manifest.csv row 3: speaker must be a name, got xx")
    assert text.endswith("xx; correct it")
    assert str(CorpusError(text)) == text


def test_a_sentence_within_a_sentence_and_from_a_worker_is_the_same():
    inner = ParamsError(f"a\n{CELL}")
    assert str(ParamsError(str(inner))) == str(inner)
    assert str(pickle.loads(pickle.dumps(inner))) == str(inner)


ITSELF: list = []
ITSELF.append(ITSELF)
LAUGHS: list = ["ha"] * 9
for _ in range(30):
    LAUGHS = [LAUGHS] * 9


@pytest.mark.parametrize(
    "value",
    [CELL, [CELL] * 999, {CELL: CELL}, 10**400, 10**5000, [16**9000], ITSELF, LAUGHS, b"\0" * 999,
     float("nan"), object(), "\x1b[2J", ("\n",)],
    ids=range(13),
)  # fmt: skip
def test_whatever_is_found_is_shown_short(value):
    assert shown(value).isprintable()
    assert 0 < len(shown(value)) <= LONGEST_FOUND


@pytest.mark.parametrize("value", ["ten", 1.0, None, True, [1, 2], "a\nb", -1])
def test_what_is_short_is_shown_as_python_writes_it(value):
    assert shown(value) == repr(value)


def test_every_error_is_of_the_root_class():
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and one is not object]
    own = [one for one in kinds if one.__module__ == "fhvae.errors"]
    assert len(own) > 5
    assert all(issubclass(one, FhvaeError) for one in own)


SCRIPT = """
import logging, sys
from fhvae.commandline import run

def main():
    logging.warning("left out: %s", "a\\x1b[2J\\n" + 99_999 * "b")
    raise OSError(2, "No such file", "c\\n\\x07" + 99_999 * "d")

run(main)
"""


def test_what_is_logged_and_errors_of_the_system_are_too():
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=False)
    lines = answer.stderr.decode().splitlines()
    assert answer.returncode == 2
    assert [line[:15] for line in lines[-2:]] == ["left out: a\\x1b", "error: c\\n\\x07d"]
    assert all(line.isprintable() and len(line) < LONGEST + 20 for line in lines)


def test_a_traceback_in_a_log_stays_whole():
    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord("x", 40, "", 1, "it\nfailed", None, sys.exc_info())
    first, *traceback = OneLine().format(record).splitlines()
    assert first == "it\\nfailed"
    assert traceback[0].startswith("Traceback")
