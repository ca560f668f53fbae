"""The measurements of a GPU: the plan, what is kept, what fails, and the script without a GPU."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import QUICK, Case, Plan, cases, lay_out, measure, run, sized

ROOT = Path(__file__).resolve().parents[2]
CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def test_the_plan_names_every_case_once_and_has_all_that_was_asked_for():
    for plan, device in ((Plan(), CUDA), (QUICK, CPU)):
        names = [(case.part, case.name) for case in cases(plan, device)]
        assert len(set(names)) == len(names)
    steps = [case.name for case in cases(Plan(), CUDA) if case.part == "step"]
    assert len(steps) == 2 * 3 * 4 * 2
    assert "paper, bf16, batch 16384, graph" in steps
    assert max(case.processes for case in cases(Plan(), CUDA)) == 8


def test_the_sizes_are_the_default_and_that_of_the_profile():
    default, paper = sized("default"), sized("paper")
    assert (default.model.cells, default.training.batch) == (128, 64)
    assert (paper.model.cells, paper.model.z1, paper.training.batch) == (256, 32, 256)


def test_what_is_known_is_kept_and_what_failed_is_tried_again(tmp_path, monkeypatch):
    out, chosen = tmp_path / "gpu.json", [Case("logits", name, dict) for name in "ab"]
    ran = []

    def answered(**found):
        return lambda case: ran.append(case.name) or found

    monkeypatch.setattr(gpu, "run", answered(error="OutOfMemoryError: too little"))
    measure(chosen[:1], {"gpu": "one"}, out)
    monkeypatch.setattr(gpu, "run", answered(ms=1.5))
    for _ in range(2):
        found = measure(chosen, {"gpu": "one"}, out)
    assert found["results"]["logits"] == {"a": {"ms": 1.5}, "b": {"ms": 1.5}}
    assert ran == ["a", "a", "b"]
    assert json.loads(out.read_text()) == found
    assert measure([], {"gpu": "two"}, out) == {"machine": {"gpu": "two"}, "results": {}}


def test_the_table_has_figures_and_sentences():
    figures = {"ms": 1.5, "segments_per_second": 12345.0}
    results = {"step": {"a": figures, "b": {"error": "OutOfMemoryError: 3 GiB"}}}
    assert lay_out({"results": results}).splitlines()[2:] == [
        "| step | a | 1.5 | 12,345 |  |  |  |  |",
        "| step | b |  |  |  |  |  | OutOfMemoryError: 3 GiB |",
    ]


def rate(**found):
    return found


def fail_first(folder):
    """The first of two processes fails; the other one waits for it."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        gpu._barrier.wait(600)
        return {}
    raise MemoryError("too\n  little")


@pytest.mark.slow
def test_of_processes_rates_add_up_and_the_one_that_failed_is_named(tmp_path):
    two = Case("models", "two", partial(rate, ms=3.0, segments_per_second=20.0), processes=2)
    assert run(two) == {"ms": 3.0, "segments_per_second": 40.0}
    failing = Case("models", "fails", partial(fail_first, tmp_path), processes=2)
    assert run(failing) == {"error": "MemoryError: too little"}
    dying = run(Case("step", "dies", partial(os._exit, 3)))
    assert dying["error"].startswith("BrokenProcessPool: ")


@pytest.mark.slow
def test_the_script_runs_up_to_the_calls_of_cuda(tmp_path):
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "--out"]
    found = subprocess.run(
        [*command, str(out)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    results = json.loads(out.read_text())["results"]
    expected = {(case.part, case.name) for case in cases(QUICK, CPU)}
    assert {(part, name) for part, own in results.items() for name in own} == expected
    assert all("error" not in one for own in results.values() for one in own.values()), results
    assert "| models | tiny, 2 at once |" in found.stdout
