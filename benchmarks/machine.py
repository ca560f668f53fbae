"""What a result file says of the machine its figures come from: its make, never whose it is."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

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
