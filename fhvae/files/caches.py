"""A place for what libraries keep between runs.

librosa's compiled functions are kept beside their source or in the user's home. Where neither
can be written to (a container image, a central installation), importing librosa fails.
"""

import importlib.util
import os
import stat
import tempfile
from pathlib import Path

FOLDERS = {"NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib"}


def give_caches_a_place() -> None:
    """Set the variables that name cache folders, where the usual places cannot be written to.

    To be called before librosa and matplotlib are imported. What is set already stays. Worker
    processes inherit it.
    """
    home = Path("~").expanduser()
    if _can_write(Path(home, ".cache")) and _can_write(Path(home, ".config")):
        return
    for variable, name in FOLDERS.items():
        if variable == "NUMBA_CACHE_DIR" and _can_write(_librosa()):
            continue
        if not os.environ.get(variable):
            os.environ[variable] = str(_own_folder() / name)


def _librosa() -> Path:
    """Name the folder of librosa; one that is not there if it is not installed."""
    found = importlib.util.find_spec("librosa")
    return Path(found.origin).parent if found and found.origin else Path(os.devnull, "librosa")


def _can_write(folder: Path) -> bool:
    """Tell whether a folder can be written to, or made."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _own_folder() -> Path:
    """Make a folder among temporary files that nobody else can write to: caches hold code."""
    folder = Path(tempfile.gettempdir(), f"fhvae-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return Path(tempfile.mkdtemp(prefix="fhvae-"))
    return folder
