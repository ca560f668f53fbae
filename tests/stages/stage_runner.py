"""Run the main function of a stage as `dvc repro` would, in a folder of its own."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"


def run_stage(
    monkeypatch: Any,
    main: Callable[[], None],
    inputs: Path,
    out: Path,
    outputs: tuple[str, ...],
    given: tuple[str, ...] = ("corpus", "fbank", "latents"),
    protocol: str = "headline",
) -> dict[str, Any]:
    """Run a stage on `inputs/corpus`, `fbank`, `latents` and the like; give its metrics.

    Args:
        monkeypatch: of pytest.
        main: of the stage.
        inputs: folder of what earlier stages left.
        out: folder for metrics.json and `outputs`.
        outputs: options that name what the stage writes.
        given: options that name what it reads, folders of `inputs`.
        protocol: params.protocol.
    """
    out.mkdir(exist_ok=True)
    values = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    values["verification"]["bootstrap"] = values["probes"]["bootstrap"] = 12
    values["protocol"] = protocol
    (out / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    paths = {name: inputs / name for name in given}
    paths |= {name: out / name for name in outputs} | {"metrics": out / "metrics.json"}
    arguments = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    monkeypatch.setattr(sys, "argv", [main.__module__, *arguments])
    monkeypatch.chdir(out)
    main()
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def written(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
