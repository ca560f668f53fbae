"""Run the main function of a stage as `dvc repro` would, in a folder of its own."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import ROOT, set_params

PARAMS = ROOT / "params.yaml"
# the fast tests run a stage again as it was, `make test` in two processes, too
each_number_of_workers = pytest.mark.parametrize(
    "workers", ["1", pytest.param("2", marks=pytest.mark.slow)]
)
FEW_DRAWS = {"verification.bootstrap": 12}


def inside(folder: Path, *names: str) -> dict[str, Path]:
    """Map each option to the file or folder of its name."""
    return {name: folder / name for name in names}


def run_stage(
    main: Callable[[], None],
    given: Mapping[str, Path],
    out: Path,
    outputs: Iterable[str],
    changes: Mapping[str, object] | None = None,
    workers: str = "1",
) -> dict[str, Any]:
    """Run a stage in this process; give its metrics, which stay in `out/<stage>.json`.

    Args:
        main: of the stage.
        given: what it reads, by option.
        out: folder for params.yaml, metrics and `outputs`.
        outputs: options that name what the stage writes.
        changes: of params.yaml, by dotted key.
        workers: FHVAE_WORKERS.
    """
    out.mkdir(exist_ok=True)
    shutil.copy(PARAMS, out)
    set_params(out / "params.yaml", {**FEW_DRAWS, **(changes or {})})
    stage = main.__module__.rpartition(".")[2]
    metrics = out / f"{stage}.json"
    paths = {**given, **inside(out, *outputs), "metrics": metrics}
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [stage, *options])
        patch.setenv("FHVAE_WORKERS", workers)
        patch.delenv("FHVAE_CKPT_DIR", raising=False)
        patch.chdir(out)
        main()
    found: dict[str, Any] = json.loads(metrics.read_text(encoding="utf-8"))
    return found


def written(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
