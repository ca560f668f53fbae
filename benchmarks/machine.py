"""What a result file says of the machine its figures come from: its make, never whose it is."""

import importlib.util
import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path

log = logging.getLogger(__name__)
CPUINFO = Path("/proc/cpuinfo")


def describe_machine(threads: int = 1) -> dict[str, object]:
    """Describe the machine.

    Args:
        threads: that a measured process computed with.
    """
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "torch": version("torch"),
        "threads": threads,
    }


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Read the model name from what Linux says of the first core; elsewhere, the architecture."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, named), platform.machine())


def can_draw(*libraries: str) -> bool:
    """Tell whether the libraries of a plot are there; say so where they are not.

    Speed is also measured where only the model's libraries are.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        log.warning("plots are not drawn: %s is not installed", ", ".join(missing))
    return not missing
