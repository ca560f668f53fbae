"""Where a model comes to lie, and the working folder beside it: files of others stay.

<model>.work/                    corpus, frames, checkpoint; a killed run goes on from there, and it
                                 is gone when the model is written
<model>.work/fhvae-train.txt     there from the first moment: a folder without it is another's
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhvae.errors import ArtifactError
from fhvae.files.atomic import new_folder, remove_leftovers, scratch_folder
from fhvae.model.weights import check_replaceable

MARK = "fhvae-train.txt"


def check_place(folder: Path, out: Path) -> None:
    """Let no model, nor the work on it, take the place of other files or lie among the recordings.

    Raises:
        ArtifactError: it would.
    """
    if out.name in ("", ".."):
        raise ArtifactError(f"{out} must be the name of the model's folder, such as mine")
    _check_beside(out, "the model", folder)
    _check_beside(_work_of(out), "the work on it", folder)
    check_replaceable(out)
    _check_ours(_work_of(out))


@contextmanager
def working_folder(out: Path) -> Iterator[Path]:
    """Give the folder in which a model is made; it is removed if nothing was raised, or is empty.

    Raises:
        ArtifactError: another's folder bears its name.
    """
    work = _work_of(out)
    remove_leftovers(work.parent, work.name)
    _check_ours(work)
    if not work.exists():
        with new_folder(work) as partial:
            (partial / MARK).write_text("fhvae train works here; in the end it deletes all of it\n")
    try:
        yield work
    except BaseException:
        if [path.name for path in work.iterdir()] == [MARK]:  # nothing to go on from
            _remove(work)
        raise
    _remove(work)


def _remove(work: Path) -> None:
    """Remove the folder, its mark with it: what a kill leaves no longer bears its name."""
    with scratch_folder(work) as removed:
        os.replace(work, removed / work.name)


def _work_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.work")


def _check_beside(place: Path, what: str, folder: Path) -> None:
    if place.is_symlink():
        raise ArtifactError(
            f"{place} must be a folder, it is a link to {place.readlink()}; name that folder"
        )
    own, recordings = place.resolve(), folder.resolve()
    if own == recordings or own in recordings.parents or recordings in own.parents:
        raise ArtifactError(
            f"{place}, for {what}, must lie beside the recordings in {folder}, neither within nor "
            "around them; name another model"
        )


def _check_ours(work: Path) -> None:
    if work.exists() and not (work / MARK).is_file():
        raise ArtifactError(
            f"{work} must be free for the work on the model, it is another's, without {MARK}; "
            "move it away or name another model"
        )
