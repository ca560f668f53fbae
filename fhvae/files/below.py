"""What lies in a folder and below it, links to other folders followed."""

import os
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """List the files in a folder and below it, sorted; each folder once, so that no loop ends it.

    A folder that lies here is listed where it lies, and one elsewhere below the first link to it.

    Raises:
        OSError: a folder may not be read.
    """
    found: list[Path] = []
    seen: set[str] = set()
    tops = [folder]
    while tops:
        links: list[Path] = []
        for top in tops:
            for place, folders, names in os.walk(top, onerror=_refuse):
                if (real := os.path.realpath(place)) in seen:
                    folders.clear()
                    continue
                seen.add(real)
                found += [Path(place, name) for name in names]
                links += [path for name in folders if (path := Path(place, name)).is_symlink()]
        tops = sorted(links)
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error
