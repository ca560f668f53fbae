"""What every stage does at the command line: named paths, logging, one-sentence errors."""

import logging
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from fhvae.caches import give_caches_a_place
from fhvae.errors import FhvaeError
from fhvae.portable import arithmetic

EXIT_BAD_INPUT = 2


def parse_paths(description: str | None, *names: str) -> tuple[Path, ...]:
    """Read one required `--name PATH` option per name, in the order given."""
    parser = ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH")
    options = vars(parser.parse_args())
    return tuple(options[name.replace("-", "_")] for name in names)


def run(main: Callable[[], None]) -> None:
    """Run a stage: log to stderr; end with one sentence and exit code 2 on bad input."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    give_caches_a_place()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # half-written folders are removed
    if kind := arithmetic():
        logging.warning("arithmetic %s: another may give other figures (docs/portability.md)", kind)
    try:
        main()
    except FhvaeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:  # full disk, no permission, a folder where a file should be
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
