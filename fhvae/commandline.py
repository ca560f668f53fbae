"""What every stage does at the command line: named paths, logging, one-sentence errors."""

import logging
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from fhvae.errors import FhvaeError, one_line
from fhvae.files.caches import give_caches_a_place
from fhvae.portable import arithmetic

EXIT_BAD_INPUT = 2  # as argparse exits
DVC_STAGE = "DVC_STAGE"  # set by DVC for what it runs


def parse_paths(description: str | None, *names: str) -> tuple[Path, ...]:
    """Read one required `--name PATH` option per name, in the order given."""
    parser = ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH")
    options = vars(parser.parse_args())
    paths = tuple(options[name.replace("-", "_")] for name in names)
    if DVC_STAGE in os.environ:
        _check_no_link(paths)
    return paths


def _check_no_link(paths: Iterable[Path]) -> None:
    """Check that no path leads through a link: DVC would refuse it when the stage has ended.

    Raises:
        FhvaeError: one does.
    """
    links = {parent for path in paths for parent in path.parents if parent.is_symlink()}
    if links:
        raise FhvaeError(
            f"{sorted(links)[0]} must be a folder and not a link, DVC keeps no output beyond one; "
            "to use another disk: dvc config --local cache.dir, see docs/scaling.md"
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
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[shown])
    give_caches_a_place()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # half-written folders are removed
    if makes_figures and (kind := arithmetic()):
        logging.warning("arithmetic %s: another may give other figures (docs/portability.md)", kind)
    with _record():
        _end_in_words(main)


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
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:  # full disk, no permission, a folder where a file should be
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {one_line(f'{where}{error.strerror or error}')}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except MemoryError as error:
        reason = f" ({one_line(str(error))})" if str(error) else ""
        print(
            f"error: memory must suffice, it does not{reason}; run the same command again with "
            "fewer processes (FHVAE_WORKERS) or with more memory",
            file=sys.stderr,
        )
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
