"""Arrays by name in one safetensors file: written, and held against what they must be.

Nothing is unpickled, and equal arrays give equal bytes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable, new_file


@dataclass(frozen=True)
class Kind:
    """What an array must be.

    Attributes:
        dtype: as numpy names it.
        axes: names joined by blanks, `"segment z1"`; axes of one name have one length, and a
            name that is a number is that length.
    """

    dtype: str
    axes: str


@dataclass(frozen=True)
class Tensors:
    """The content of a file: arrays by name, and texts beside them."""

    arrays: dict[str, np.ndarray]
    texts: dict[str, str]


def write_tensors(
    path: Path, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str] | None = None
) -> None:
    """Write arrays by name, and texts beside them.

    Raises:
        ArtifactError: the disk refuses it, for safetensors has an error of its own for that.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with new_file(path) as partial:
        try:
            save_file(whole, partial, metadata=None if texts is None else dict(texts))
        except SafetensorError as error:
            reason = " ".join(str(error).split())
            raise ArtifactError(
                f"{path} must be written whole, it cannot be ({reason:.120}); make room on the "
                "disk and run the same command again"
            ) from error


def read_tensors(path: Path, kinds: Mapping[str, Kind], stage: str) -> Tensors:
    """Read a file that must hold just these arrays, every number finite.

    Args:
        path: of the file.
        kinds: by name.
        stage: that writes it.

    Raises:
        ArtifactError: the file is missing, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    check_shapes(path, kinds, stage)
    try:
        with safe_open(path, framework="numpy") as file:
            texts = dict(file.metadata() or {})
            arrays = {name: np.asarray(file.get_tensor(name)) for name in kinds}
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise _broken(path, stage, error) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(
                f"{path}: every number of {name} must be finite, found "
                f"{array[~np.isfinite(array)][0]}; rerun the stage {stage}"
            )
    return Tensors(arrays, texts)


def check_shapes(path: Path, kinds: Mapping[str, Kind], stage: str) -> None:
    """Hold the header of a file against what it must hold; no array is read.

    Raises:
        ArtifactError: as of `read_tensors`.
    """
    found = headers(path, stage)
    if missing := sorted(kinds.keys() ^ found.keys()):
        place = "not there" if missing[0] in kinds else "none of them"
        raise ArtifactError(
            f"{path} must hold the arrays {', '.join(sorted(kinds)):.200}, {missing[0]:.80} is "
            f"{place}; rerun the stage {stage}"
        )
    lengths: dict[str, int] = {}
    for name, kind in kinds.items():
        dtype, shape = found[name]
        axes = kind.axes.split()
        known = [lengths.get(axis, int(axis) if axis.isdecimal() else None) for axis in axes]
        fits = len(axes) == len(shape) and all(
            length in (None, own) for length, own in zip(known, shape, strict=True)
        )
        if dtype != kind.dtype or not fits:
            wanted = ", ".join(
                axis if length is None else str(length)
                for axis, length in zip(axes, known, strict=True)
            )
            raise ArtifactError(
                f"{path}: {name} must be [{wanted}] {kind.dtype}, found "
                f"[{', '.join(map(str, shape))}] {dtype}; rerun the stage {stage}"
            )
        lengths.update(zip(axes, shape, strict=True))


def headers(path: Path, stage: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Tell type and shape of each array of a file, by name.

    Raises:
        ArtifactError: the file is missing or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path, stage)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {
                name: (DTYPES.get(one.get_dtype(), one.get_dtype()), tuple(one.get_shape()))
                for name, one in slices.items()
            }
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise _broken(path, stage, error) from error


def numbers_in(path: Path, stage: str) -> int:
    """Count the numbers in a file; errors as of `headers`."""
    return sum(math.prod(shape) for _, shape in headers(path, stage).values())


def _broken(path: Path, stage: str, error: Exception) -> ArtifactError:
    reason = " ".join(str(error).split())
    return ArtifactError(
        f"{path} must be a safetensors file, it is not ({reason:.120}); rerun the stage {stage}"
    )


# As safetensors names the types that we write.
DTYPES = {"F32": "float32", "F64": "float64", "I32": "int32", "I64": "int64"}
