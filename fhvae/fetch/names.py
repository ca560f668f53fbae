"""Names of archive members: which of them may become a path, and which collide.

What is refused here would be harmless on one file system and fatal on another; a corpus must
unpack to the same tree everywhere.
"""

import re
import unicodedata

MAX_NAME_BYTES = 255  # of one part of a path; no common file system takes more
MAX_PATH_BYTES = 1024  # PATH_MAX of macOS, the least of common systems
DRIVE = re.compile(r"[A-Za-z]:")


def plain_name(name: str) -> str:
    """Take off what packers add to a name without meaning: `./` in front, `/` at the end."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    name = name.rstrip("/") if name.strip("/") else name
    return "" if name == "." else name


def name_problem(name: str) -> str | None:
    """Say why a plain name cannot be used inside a folder; None if it can."""
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "must be UTF-8"
    parts = name.split("/")
    if name.startswith("/") or DRIVE.match(name):
        return "must be relative"
    if ".." in parts:
        return "must not lead out of its folder"
    if "\\" in name or any(unicodedata.category(character) == "Cc" for character in name):
        return "must have no backslash and no control character"
    if "" in parts or "." in parts:
        return "must have no empty part"
    if len(encoded) > MAX_PATH_BYTES or any(
        len(part.encode("utf-8")) > MAX_NAME_BYTES for part in parts
    ):
        return f"must have at most {MAX_NAME_BYTES} bytes in a part, {MAX_PATH_BYTES} in all"
    return None


def folded(name: str) -> str:
    """Map names that some file system holds for equal to one name."""
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", decomposed)


class Tree:
    """The members so far; tells what a further one collides with."""

    def __init__(self) -> None:
        self._spelled: dict[str, str] = {}
        self._files: set[str] = set()

    def problem_of(self, name: str, is_folder: bool) -> str | None:
        """Add a member, or say why it cannot stand beside those before it."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if problem := self._add(folder, is_folder=True):
                return problem
        return self._add(name, is_folder)

    def _add(self, name: str, is_folder: bool) -> str | None:
        key = folded(name)
        before = self._spelled.get(key)
        if before is not None and before != name:
            return f"must differ from {before!r} in more than case or accents' encoding"
        if key in self._files and is_folder:
            return f"needs a folder where {name!r} is a file"
        if before is not None and not is_folder:
            return "must be there once only" if key in self._files else "must not also be a folder"
        self._spelled[key] = name
        if not is_folder:
            self._files.add(key)
        return None
