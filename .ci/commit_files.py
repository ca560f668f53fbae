"""Files of two commits: the base of a change as git has it, and the working tree.

A file that cannot be read ends the report where the change holds it. In the base it counts as
absent, and the report says so: else nobody could mend it.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from comment_text import literal

Content = TypeVar("Content")


class ReportError(Exception):
    """A report cannot be made; the message is the one sentence for the user."""


def git(*arguments: str) -> str:
    """Ask git; nothing where it fails."""
    answer = subprocess.run(["git", *arguments], capture_output=True, check=False)
    return answer.stdout.decode(errors="replace") if answer.returncode == 0 else ""


def tracked(commit: str, *folders: str) -> list[str]:
    """List the files of a commit under some folders."""
    listed = git("ls-tree", "-r", "-z", "--name-only", commit, "--", *folders)
    return listed.split("\0")[:-1]


def read_base(base: str, path: str) -> bytes | None:
    """Read a file as it stands in the commit `base`; None if it is not there."""
    command = ["git", "show", f"{base}:{path}"]
    answer = subprocess.run(command, capture_output=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def read_here(path: str) -> bytes | None:
    """Read a file of the working tree; None if it is not there."""
    here = Path(path)
    return here.read_bytes() if here.is_file() else None


def of_base(path: str) -> str:
    """Name a file of the base in a sentence."""
    return f"{literal(path)} of the base"


def as_text(content: bytes, where: str) -> str:
    """Decode a file.

    Raises:
        ReportError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"{content[error.start]:#x} at byte {error.start}"
        raise ReportError(f"{where} must be UTF-8, found {byte}; save it as UTF-8") from error


def parse_json(content: bytes | None, where: str) -> dict[str, Any]:
    """Parse a JSON file of names and values; no file is an empty one.

    Raises:
        ReportError: it is not UTF-8, no JSON, or no object.
    """
    if content is None:
        return {}
    try:
        parsed = json.loads(as_text(content, where))
    except (ValueError, RecursionError) as error:
        found = literal(str(error))
        raise ReportError(f"{where} must be JSON, found {found}; {_ways_out(where)}") from error
    return as_object(parsed, where)


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Take a value of JSON for an object of names and values.

    Raises:
        ReportError: it is something else.
    """
    if not isinstance(value, Mapping):
        found = f"{kind(value)}, {literal(repr(value))}"
        raise ReportError(
            f"{where} must be an object of names and values, found {found}; {_ways_out(where)}"
        )
    return dict(value)


def _ways_out(where: str) -> str:
    return "mend it" if where.endswith("of the base") else "type `dvc repro` and commit it"


def or_nothing(
    read: Callable[[], dict[str, Content]], notes: list[str] | None = None
) -> dict[str, Content]:
    """Read what the base says; what cannot be read is absent, and `notes` get a sentence."""
    try:
        return read()
    except ReportError as error:
        if notes is not None:
            notes.append(f"{error}; the report does without it")
        return {}


def kind(value: Any) -> str:
    """Name the type of a value of JSON or YAML in a sentence."""
    names = {
        bool: "a flag",
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "names and values",
        type(None): "null",
    }
    return names.get(type(value), f"a {type(value).__name__}")
