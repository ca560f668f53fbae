"""How every stage begins and ends: named paths, its outputs for itself alone, digests.

    @stage
    def main(corpus: Input, fbank: Output, metrics: Output) -> None:

makes a program with the options --corpus, --fbank and --metrics. In this order,

1. another process that writes one of the outputs is waited for (`.<output>.lock` beside it),
2. what a killed one left half-written beside them is removed,
3. each input with `SHA256SUMS` in it is checked (fhvae/files/sums.py), and of what DVC runs each
   input that is a lone file, of metrics or a plot, against dvc.lock,
4. `main` runs, reads its params and writes its outputs, each whole or not at all,
5. each output that is a folder gets its `SHA256SUMS`,
6. of what DVC runs, code and params must be those that it began with: DVC writes down what lies
   there when a stage has ended, and would take the results for those of what was edited meanwhile.

Of the processes of torchrun the first does so, for all.
"""

import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from enum import Enum
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, get_args

from fhvae.errors import ArtifactError, FhvaeError
from fhvae.files.atomic import file_digest, remove_leftovers
from fhvae.files.locks import held
from fhvae.files.sums import check_sums, write_sums
from fhvae.orphans import DVC_STAGE
from fhvae.params.reading import read_yaml

CODE = (("fhvae",), ("stages",))  # how the paths to it begin
PIPELINE, PARAMS, LOCK = Path("dvc.yaml"), Path("params.yaml"), Path("dvc.lock")
MD5_DIGITS = 32  # as it is written


class Role(Enum):
    """What a path is to a stage."""

    INPUT, OUTPUT, SHARED = "reads", "writes", "adds files to"


Input = Annotated[Path, Role.INPUT]  # a file or a folder
Output = Annotated[Path, Role.OUTPUT]  # a file or a folder that no other stage writes
Shared = Annotated[Path, Role.SHARED]  # a folder that several stages read and write files in


def stage(main: Callable[..., None]) -> Callable[[], None]:
    """Make a program of the main function of a stage; its parameters are the options.

    Raises:
        FhvaeError: when run: a path leads through a link, an input is damaged, or code or params
            were edited meanwhile.
    """
    roles = {name: get_args(one.annotation)[1] for name, one in signature(main).parameters.items()}

    @wraps(main)
    def program() -> None:
        paths = _parse_paths(main.__globals__["__doc__"], roles)
        if DVC_STAGE in os.environ:
            _check_no_link(paths.values())
        of = {role: [paths[name] for name in roles if roles[name] is role] for role in Role}
        with _begun_and_ended(of) if _is_first() else nullcontext():
            main(**paths)

    return program


def _parse_paths(description: str | None, names: Iterable[str]) -> dict[str, Path]:
    """Read one required `--name PATH` option per name."""
    parser = ArgumentParser(description=description)
    for name in names:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=Path, required=True, metavar="PATH")
    return vars(parser.parse_args())


def _check_no_link(paths: Iterable[Path]) -> None:
    """Check that no path leads through a link: DVC would refuse it when the stage has ended.

    Raises:
        FhvaeError: one does.
    """
    links = {parent for path in paths for parent in path.parents if parent.is_symlink()}
    if links:
        raise FhvaeError(
            f"{sorted(links)[0]} must be a folder and not a link, DVC keeps no output beyond one; "
            "to use another disk: dvc config --local cache.dir, see docs/scaling.md"
        )


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"  # set by torchrun


@contextmanager
def _begun_and_ended(of: Mapping[Role, Sequence[Path]]) -> Iterator[None]:
    begun = _what_dvc_writes_down()  # first: the code is imported before anything is waited for
    with ExitStack() as locks:
        for path in sorted(of[Role.OUTPUT]):  # in one order, so that no two wait for each other
            lock = path.with_name(f".{path.name}.lock")
            locks.enter_context(held(lock, f"another process that writes {path}"))
            remove_leftovers(path.parent, path.name)
        for path in of[Role.SHARED]:
            remove_leftovers(path)
        for path in of[Role.INPUT]:
            check_sums(path)
        _check_lone_files()
        yield
        for path in of[Role.OUTPUT]:
            if path.is_dir():
                write_sums(path)
        _check_unchanged(begun)


def _what_dvc_writes_down() -> dict[str, Any]:
    """Name all files of code with their digests and all params with their values, of this stage."""
    own = _own()
    keys = _listed(own, "params")
    params = read_yaml(PARAMS) if keys else {}
    deps = [dep for dep in _deps(own) if dep.parts[:1] in CODE]
    code = [path for dep in deps for path in (dep, *dep.rglob("*.py")) if path.is_file()]
    values = {f"{PARAMS}: {key}": _value(params, str(key)) for key in keys}
    return {str(path): file_digest(path) for path in code} | values


def _check_lone_files() -> None:
    """Hold the files that DVC names as dependencies against what it wrote down of them.

    DVC does not read again what has its size and its times. Its lock file is not there whole while
    another process of DVC writes it: then nothing is checked.

    Raises:
        ArtifactError: one is not as its stage left it.
    """
    files = [dep for dep in _deps(_own()) if dep.parts[:1] not in CODE and dep.is_file()]
    if not files or not LOCK.exists():
        return
    left: dict[str, str] = {}
    with suppress(FhvaeError, OSError, AttributeError, KeyError, TypeError):
        left = _written_down(read_yaml(LOCK))
    for path in files:
        if left.get(str(path)) not in (None, file_digest(path, "md5")):
            raise ArtifactError(
                f"{path} must be as its stage left it, it has another MD5 than dvc.lock says; "
                f"delete {path} and run `dvc repro`, and `make verify` if it happens again"
            )


def _written_down(lock: Any) -> dict[str, str]:
    """Find the MD5 of every output in dvc.lock."""
    outs = [out for entry in lock["stages"].values() for out in entry.get("outs", ())]
    return {out["path"]: out["md5"] for out in outs if len(str(out.get("md5"))) == MD5_DIGITS}


def _own() -> Mapping[str, Any]:
    """Read what dvc.yaml says of the stage that DVC runs; nothing, if there is none."""
    if DVC_STAGE not in os.environ or not PIPELINE.exists():
        return {}
    own = _value(read_yaml(PIPELINE), f"stages.{_name()}")
    return own if isinstance(own, Mapping) else {}


def _deps(own: Mapping[str, Any]) -> list[Path]:
    return [Path(str(dep)) for dep in _listed(own, "deps")]


def _listed(own: Mapping[str, Any], key: str) -> list[Any]:
    found = own.get(key)
    return found if isinstance(found, list) else []


def _name() -> str:
    return os.environ[DVC_STAGE].rpartition(":")[2]


def _value(params: Any, key: str) -> Any:
    """Look up a dotted key; None where it is no more."""
    for part in key.split("."):
        params = params.get(part) if isinstance(params, Mapping) else None
    return params


def _check_unchanged(begun: Mapping[str, Any]) -> None:
    """Check that what DVC is about to write down is what the stage ran with.

    Raises:
        FhvaeError: something was edited meanwhile.
    """
    ended = _what_dvc_writes_down()
    changed = [name for name in begun.keys() | ended.keys() if begun.get(name) != ended.get(name)]
    if changed:
        raise FhvaeError(
            f"{', '.join(sorted(changed))} must stay while the stage {_name()} runs, it was edited "
            "(`dvc exp run --temp` runs in a copy); run `dvc repro` again, or put it back and type "
            f"`dvc commit --force {_name()}`"
        )
