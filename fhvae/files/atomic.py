"""Files and folders written whole or not at all; JSON, metrics and tables among them."""

import csv
import errno
import hashlib
import json
import logging
import math
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError
from fhvae.files.locks import lock_if_free
from fhvae.portable import arithmetic

log = logging.getLogger(__name__)

TEMPORARY = ".tmp"  # what is written, and nothing else, ends so and begins with a dot
LOCKED_S = 60.0  # after which whoever has made a temporary file has locked it, too
NAME_BYTES = 255  # at most, on all common file systems
OWN = 0o700  # mode of a folder that nobody else reads or puts something into
MANY_FILES = 200  # each of them waits for the disk, some 20 ms; of more, all that is unwritten
METRIC_DECIMALS = 6  # of every number in metrics/: beyond is noise, and long diffs


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; rename it to `path` if nothing was raised.

    Its mode is what the umask leaves, also where a library writes with another one. It is on the
    disk before it has its name: a power cut leaves the old file or the new one, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.touch(exist_ok=False)
    mode = stat.S_IMODE(partial.stat().st_mode)
    with _in_use(partial):
        try:
            yield partial
            partial.chmod(mode)
            flush_to_disk(partial)
            os.replace(partial, path)
        except OSError as error:
            if (named := of_file(error, path, partial)) is error:
                raise
            raise named from error
        finally:
            partial.unlink(missing_ok=True)
    flush_to_disk(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling folder; rename it to `path` (replacing it) if nothing was raised.

    Its files are on the disk before it has its name, as with `new_file`.
    """
    with scratch_folder(path) as partial:
        yield partial
        inside = [*sorted(partial.rglob("*")), partial]
        if len(inside) > MANY_FILES:
            os.sync()
        else:
            for one in inside:
                flush_to_disk(one)
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    flush_to_disk(path.parent)


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Give a folder of this user alone among the system's temporary files.

    It is removed in the end, and first what killed processes left of those of this name: the ones
    of `tempfile` stay for ever.
    """
    path = Path(tempfile.gettempdir(), name)
    _remove_once(path)
    with scratch_folder(path, OWN) as folder:
        yield folder


@cache
def _remove_once(path: Path) -> None:
    remove_leftovers(path.parent, path.name, older_s=LOCKED_S)


@contextmanager
def scratch_folder(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """Give a temporary folder beside `path`, on the same disk; it is removed in the end.

    Args:
        path: that it is named after.
        mode: of the folder, but for what the umask takes away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.mkdir(mode)
    with _in_use(partial):
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def of_file(error: OSError, path: Path, partial: Path | None = None) -> OSError:
    """Name the file that was wanted in what the system refused: of a full disk it names none."""
    if error.errno is None or error.filename not in (None, str(partial)):
        return error
    return OSError(error.errno, error.strerror, str(path))


def _partial(path: Path) -> Path:
    """Name a temporary sibling; `tempfile` would make it for its owner only."""
    return path.with_name(f".{_shortened(path.name)}.{secrets.token_hex(4)}{TEMPORARY}")


def _shortened(name: str) -> str:
    """Cut a long name, so that a temporary one after it is not too long for a file system."""
    return os.fsdecode(os.fsencode(name)[: NAME_BYTES - len(f"..01234567{TEMPORARY}")])


@contextmanager
def _in_use(partial: Path) -> Iterator[None]:
    """Hold a lock on what is being written, which goes with this process, however that ends."""
    handle = os.open(partial, os.O_RDONLY)
    try:
        lock_if_free(handle)
        yield
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, *names: str, older_s: float = 0) -> None:
    """Remove what killed processes left half-written in a folder.

    What a living one writes is locked and stays, and so does all where there are no locks.

    Args:
        folder: what lies directly in it is looked at.
        names: of the files or folders that were to be written; of any, if none is given.
        older_s: than this they must be, and of this user, where another process may make one at
            this moment, that it has not locked yet.
    """
    before, wanted = time.time() - older_s, {_shortened(name) for name in names}
    ending = f".{'[0-9a-f]' * 8}{TEMPORARY}"
    for path in sorted(folder.glob(f".*{ending}")):
        if names and Path(path.stem).stem[1:] not in wanted:
            continue
        try:  # a pipe is not waited for
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone meanwhile, or not ours
            continue
        try:
            found = os.fstat(handle)
            is_ours = not older_s or (found.st_mtime < before and found.st_uid == os.geteuid())
            if is_ours and lock_if_free(handle):
                log.info("remove %s, which a killed run left half-written", path)
                with suppress(OSError):  # the folder is not ours
                    shutil.rmtree(path, True) if path.is_dir() else path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def flush_to_disk(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk: a power cut undoes what is not."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network disks know no such thing for a folder
            raise
    finally:
        os.close(handle)


def move_folder(source: Path, target: Path) -> None:
    """Put a finished folder in its place, replacing what is there.

    A kill at any moment leaves one of the two whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.stat().st_dev == target.parent.stat().st_dev:
        if target.exists():
            shutil.rmtree(target)
        os.replace(source, target)
        return
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    shutil.rmtree(source)


def link_folder(source: Path, target: Path) -> None:
    """Give the files of a folder a second name, replacing what is there; its bytes, no room.

    Where the file system knows no hard links they are copied. Files of stages are never written
    into, only replaced, so neither folder changes by what happens to the other.
    """
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(os.path.realpath(source), target)  # of a link to DVC's cache, what it points to
    except OSError:
        shutil.copyfile(source, target)


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()


def unfinished_work() -> Path:
    """Name the folder of what killed runs go on from: `FHVAE_CKPT_DIR`, else checkpoints."""
    return Path(os.environ.get("FHVAE_CKPT_DIR") or "checkpoints")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write nested values with sorted keys; refuses NaN and infinity."""
    with new_file(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write a stage's metrics, floats rounded to six decimals.

    Figures that another processor may not give bit for bit say so in `arithmetic`.

    Raises:
        ArtifactError: a value is NaN or infinite; the message names its key.
    """
    rounded = {key: _rounded(value, key) for key, value in metrics.items()}
    write_json(path, rounded | ({"arithmetic": kind} if (kind := arithmetic()) else {}))


def _rounded(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ArtifactError(f"metric {key} must be a finite number, got {value}")
        return round(float(value), METRIC_DECIMALS)
    if isinstance(value, np.integer):
        return int(value)
    return value


def read_json(path: Path, stage: str = "that writes it") -> dict[str, Any]:
    """Read a JSON object written by an earlier stage: no key twice, every number finite.

    Raises:
        ArtifactError: the file is missing or holds something else.
    """
    check_readable(path, stage)
    try:
        value = json.loads(
            path.read_bytes().decode("utf-8"),
            parse_constant=_no_number,
            parse_float=_finite,
            object_pairs_hook=_each_once,
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair cannot
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{path} is not a JSON object ({error}); rerun the stage {stage}"
        ) from error
    if not isinstance(value, dict):
        raise ArtifactError(
            f"{path} is not a JSON object but {value!r:.40}; rerun the stage {stage}"
        )
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits[:40])


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def regular(path: Path) -> Path:
    """Give back the path of a file, or of nothing: a pipe would be waited for without end.

    Raises:
        OSError: it is a pipe, a socket or a device.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path


def check_readable(path: Path, stage: str) -> None:
    """Tell a file that is missing from one that may not be read, which safetensors does not.

    Args:
        path: of the file.
        stage: that writes it.

    Raises:
        ArtifactError: it is one of the two.
    """
    try:
        with regular(path).open("rb"):
            pass
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} must exist; rerun the stage {stage}") from error
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArtifactError(
            f"{path} must be readable, it is not ({reason}); see to its owner and mode"
        ) from error


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, with the line ends of Unix on every system."""
    with new_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", quoting=quoting_of(table))


def quoting_of(table: pd.DataFrame) -> Literal[0, 2]:
    """Say which cells of a CSV must be in quotes, as the csv module does.

    Before Python 3.11.9 and 3.12.3 it puts none around a lone carriage return, which a reader then
    takes for the end of the row: a table that holds one has all texts quoted.
    """
    texts = table.select_dtypes(exclude="number")
    holds_return = any("\r" in str(cell) for name in texts for cell in texts[name])
    return csv.QUOTE_NONNUMERIC if holds_return else csv.QUOTE_MINIMAL
