"""Whether plots can be drawn where speed is measured."""

import importlib.util
import logging

log = logging.getLogger(__name__)


def can_draw(*libraries: str) -> bool:
    """Tell whether the libraries of a plot are there; say so where they are not.

    Speed is also measured where only the model's libraries are.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        log.warning("plots are not drawn: %s is not installed", ", ".join(missing))
    return not missing
