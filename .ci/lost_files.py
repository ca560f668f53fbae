"""Results that a change loses: dvc.lock names them, git no longer has them.

DVC itself forgives it where data may be absent, as in CI: `--allow-missing` does not ask whether
an output is one of the cache or one of git.
"""

from pathlib import Path, PurePosixPath
from typing import Any

from comment_text import code
from commit_files import tracked
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

FOLDERS = ("metrics", "plots")
LOCK = "dvc.lock"


def lost_files(base: str) -> list[str]:
    """Name the files of results that are not there although dvc.lock names them.

    A sentence each, for outputs that DVC leaves to git (`cache: false`) and for files under
    metrics/ and plots/ that the base had. Where DVC can read neither dvc.yaml nor dvc.lock, it
    says so itself when asked whether the lock is current.
    """
    named = _named_by_lock()
    expected = {*_left_to_git(), *tracked(base, *FOLDERS)}
    return [
        f"{code(path)} must be in git, for `{LOCK}` names it, found no such file; type `dvc repro` "
        f"and commit it, or take its stage out of `dvc.yaml` and `{LOCK}`"
        for path in sorted(expected)
        if not Path(path).exists() and not named.isdisjoint(_path_and_folders(path))
    ]


def _path_and_folders(path: str) -> set[str]:
    return {path, *(folder.as_posix() for folder in PurePosixPath(path).parents)}


def _named_by_lock() -> set[str]:
    try:
        lock: Any = YAML(typ="safe", pure=True).load(Path(LOCK).read_bytes())
        stages = lock["stages"].values()
        return {str(out["path"]) for stage in stages for out in stage.get("outs", [])}
    except (OSError, YAMLError, LookupError, TypeError, AttributeError, ValueError):
        return set()


def _left_to_git() -> set[str]:
    try:
        with Repo(".") as repo:
            outs = [out for out in repo.index.outs if not out.use_cache and out.protocol == "local"]
            top = Path.cwd().resolve()
            paths = [Path(out.fs_path) for out in outs]
    except DvcException:
        return set()
    return {path.relative_to(top).as_posix() for path in paths if path.is_relative_to(top)}
