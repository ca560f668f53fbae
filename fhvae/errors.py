"""Every error raised on purpose: one class per next step of the reader.

A message is one sentence: what must hold, what was found, where, and what to do.
At the command line each ends the program with exit code 2 and no traceback
(`fhvae.commandline.run`).

What was found is somebody else's: a cell of 140 kB, a name with control characters. `shown` makes
of a value what stands in a sentence; the root class sees to it that whatever a sentence was made
of, it is one line of printable characters and not long.
"""

import reprlib
from typing import Any

LONGEST = 600  # characters of a sentence: some lines of a terminal, two long paths included
LONGEST_FOUND = 80  # of what was found


def one_line(text: str, most: int = LONGEST) -> str:
    """Write a text as one printable line: control characters escaped, the middle left out if long.

    The end stays: it says what to do.
    """
    line = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text.strip())
    if len(line) <= most:
        return line
    kept = most - 5
    return f"{line[: kept - kept // 3]} ... {line[-(kept // 3) :]}"


def shown(value: Any) -> str:
    """Write what was found, as Python does, but short: of a list the first members."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 2, LONGEST_FOUND, LONGEST_FOUND
    try:
        return one_line(short.repr(value), LONGEST_FOUND)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of thousands of digits"


class FhvaeError(Exception):
    """Root of the errors that a user can act on."""

    def __str__(self) -> str:
        """Give the sentence, as `one_line`."""
        return one_line(super().__str__())


class ParamsError(FhvaeError):
    """A value in params.yaml must change."""


class CorpusError(FhvaeError):
    """The recordings, the manifest or the labels must change."""


class DownloadError(FhvaeError):
    """A public file could not be had: the network, the disk or what lies there must change."""


class ArtifactError(FhvaeError):
    """A file written by an earlier stage is missing or broken; rerun that stage."""


class WorkerError(FhvaeError):
    """A worker process is gone: their number or the machine's memory must change."""


class TrialError(FhvaeError):
    """The evaluation split cannot answer the question asked of it."""


class TrainingError(FhvaeError):
    """Training cannot go on: it diverged, or its checkpoint is unusable."""


class ListeningError(FhvaeError):
    """Nobody can be asked: the extra `listen` must be installed, or `listening` must change."""
