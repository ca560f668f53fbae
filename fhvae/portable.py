"""Run a command with arithmetic that gives the same bits on every x86-64 machine with AVX2.

    python -m fhvae.portable COMMAND [ARGUMENT ...]        like `env`: sets variables, runs it

numpy, PyTorch and their libraries ask the processor what it can do and compute with other
instructions on another one: the last bit of a sum changes, and a training carries it into the
second decimal. Each library has a variable that caps it. They must stand before it loads, so
they are set here, for the command and all that it starts (workers, torchrun); dvc.yaml runs
every stage this way. docs/portability.md: what was measured, on which processors, at what cost.

`FHVAE_FAST=1` leaves every library free, for speed. The metrics of such a run, and of a stage
started without this module, say so (`arithmetic`), and CI refuses them as committed ones.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

FAST = "FHVAE_FAST"
SET = "FHVAE_PORTABLE"  # by this module, in the environment of what it starts
CPU_FLAGS = ("avx2", "fma")  # Intel since Haswell (2013), AMD since Excavator (2015)
# A sum over threads depends on their number; work goes to processes (fhvae/parallel.py).
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ONE_INSTRUCTION_SET = {
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # PyTorch's LSTM
    # PyTorch's other products, and its exp. Not AVX2: on AMD, MKL takes that as no wish at all.
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",  # products and LAPACK of numpy and scipy
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's functions
    "NUMBA_CPU_NAME": "haswell",  # code that librosa compiles
    "NUMBA_CPU_FEATURES": "",  # none beyond that processor's
}
# A user's own settings of the same libraries, which would win.
UNSET = (
    "OPENBLAS_L2_SIZE",
    "NPY_ENABLE_CPU_FEATURES",
    "ONEDNN_CPU_ISA_HINTS",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
)


def arithmetic() -> str | None:
    """Say why the figures of this process may be those of its processor alone; None: they are not.

    On another architecture than x86-64 equal bits are not promised, and nothing is said.
    """
    if os.environ.get(SET) == "1" or not _is_x86_64():
        return None
    if _wants_speed(os.environ):
        return f"of this processor ({FAST}=1)"
    if not can_be_portable():
        return "of this processor (it has no AVX2)"
    return "of this processor (not started by python -m fhvae.portable)"


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Build the environment of a command from the one inherited."""
    wanted = {**inherited, **ONE_THREAD}
    if wanted.pop(SET, None) == "1":  # inside another call of this module
        for name in ONE_INSTRUCTION_SET:
            wanted.pop(name, None)
    if _wants_speed(inherited) or not _is_x86_64() or not can_be_portable():
        return wanted
    for name in UNSET:
        wanted.pop(name, None)
    return {**wanted, **ONE_INSTRUCTION_SET, SET: "1"}


def can_be_portable() -> bool:
    """Tell whether this processor has the instructions that all machines then use."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: every x86-64 Mac that PyTorch runs on has them
        return True
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return all(flag in flags for flag in CPU_FLAGS)


def _is_x86_64() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _wants_speed(variables: Mapping[str, str]) -> bool:
    return variables.get(FAST, "") not in ("", "0")


def main(arguments: list[str]) -> None:
    """Become the command; `python` is this interpreter, whatever comes first on PATH."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if arguments else 2)
    name = sys.executable if arguments[0] == "python" else arguments[0]
    try:
        os.execvpe(name, [name, *arguments[1:]], environment(os.environ))
    except OSError as error:
        print(
            f"error: {arguments[0]} must be a command that can be run, it cannot "
            f"({error.strerror}); is the environment active? source .venv/bin/activate",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
