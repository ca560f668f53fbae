"""What every program does at the command line: logging, signals, one-sentence errors."""

import errno
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from pathlib import Path
from threading import Timer, get_ident
from types import FrameType
from typing import NoReturn

from fhvae.errors import FhvaeError, one_line
from fhvae.files.caches import give_caches_a_place
from fhvae.orphans import DVC_STAGE, end_with_dvc
from fhvae.portable import arithmetic

EXIT_BAD_INPUT = 2  # as argparse exits
LEAST_ROOM = 512 << 20  # bytes of addresses, what the libraries of a stage take
AGAIN_S = 0.05  # after which a finalizer is over
REASON_LETTERS = 120  # of what a library says, in a sentence
# How torch on a CPU, oneDNN and CUDA below it, C++, the system, its linker and code of Python in C
# say that memory is short; Python itself and numpy raise MemoryError.
NO_MEMORY = re.compile(
    "can't allocate memory|could not create a primitive|out of memory|bad[ _]alloc|"
    "can't start new thread|failed to map segment|error return without exception set",
    re.IGNORECASE,
)


class OneLine(logging.Formatter):
    """Shows what is logged as errors are shown: names in it come from data."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the library
        """Give the text of a record, as `one_line`."""
        return one_line(super().formatMessage(record))


def run(main: Callable[[], None], makes_figures: bool = True) -> None:
    """Run a program: log to stderr; end with one sentence and exit code 2 on bad input.

    Args:
        main: what to run.
        makes_figures: whether figures come of it that others compare, as of a stage.
    """
    if sys.stderr is None:  # closed by who started it: nobody reads
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[shown])
    give_caches_a_place()
    _end_in_words(lambda: _run_in_order(main, makes_figures))


def _run_in_order(main: Callable[[], None], makes_figures: bool) -> None:
    with _interrupted_once():
        end_with_dvc()
        if makes_figures and (kind := arithmetic()):
            told = "arithmetic %s: another may give other figures (docs/portability.md)"
            logging.warning(told, kind)
        _run_recorded(main)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Have what ends the program do so as Ctrl-C does: half-written folders are removed.

    Once: after a signal to the group of DVC comes another one, of DVC's own end, and would
    interrupt the removing. Ctrl-C still does. What Python forgets, as it does with all that is
    raised in a finalizer, comes again a moment later. When the work is done, signals do what they
    did before.
    """
    told = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal told
        again, told = told, True
        if number == signal.SIGINT or not again:
            raise KeyboardInterrupt

    def insist(forgotten: "sys.UnraisableHookArgs") -> None:
        nonlocal told
        if forgotten.exc_type is not KeyboardInterrupt:
            shows(forgotten)
            return
        told = False
        clock = Timer(AGAIN_S, signal.pthread_kill, (get_ident(), signal.SIGTERM))
        clock.daemon = True
        clock.start()

    numbers = [
        one
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(one) is not signal.SIG_IGN
    ]
    shows, sys.unraisablehook = sys.unraisablehook, insist
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        if not told:
            sys.unraisablehook = shows
            for number, handler in before.items():
                signal.signal(number, handler)


def _run_recorded(main: Callable[[], None]) -> None:
    with _record():
        _end_in_words(lambda: _run_with_room(main))


def _run_with_room(main: Callable[[], None]) -> None:
    """Run, if there is memory to begin with: OpenBLAS, as it loads, asks for more without end."""
    mmap(-1, LEAST_ROOM, flags=MAP_PRIVATE | MAP_ANONYMOUS).close()
    main()


def _record() -> AbstractContextManager[None]:
    """Keep a record of what DVC runs (fhvae/run_record.py), of nothing else."""
    if DVC_STAGE not in os.environ:
        return nullcontext()
    from fhvae.run_record import recorded

    return recorded(os.environ[DVC_STAGE])


def _end_in_words(main: Callable[[], None]) -> None:
    try:
        main()
    except FhvaeError as error:
        _refuse(str(error))
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        _refuse(sentence)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


def _refuse(sentence: str) -> NoReturn:
    print(f"error: {one_line(sentence)}", file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)


def sentence_of(error: Exception) -> str | None:
    """Say what memory or the system refused, such as a full disk; None for a fault of the code."""
    if short := next(filter(_is_of_memory, _causes(error)), None):
        words = " ".join(str(short).split())[:REASON_LETTERS]
        return (
            f"memory must suffice, it does not{f' ({words})' if words else ''}; run the same "
            "command again with fewer processes (FHVAE_WORKERS) or with more memory"
        )
    if isinstance(error, OSError):
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to what it was raised of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError):
        return True
    kinds = (RuntimeError, ImportError, SystemError)
    return isinstance(error, kinds) and bool(NO_MEMORY.search(str(error)))
