"""Modules that no stage depends on (`LEFT_OUT` of .ci/stage_deps.py) cannot change a number.

Whoever changes one of them reruns no stage, so what they may do is pinned here.
"""

import ast
import os
import random
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from stage_deps import LEFT_OUT, Code

from fhvae.commandline import run
from fhvae.params.whole import check_params
from fhvae.progress import progress_bar
from fhvae.stage import Input, Output, stage

ROOT = Path(__file__).resolve().parents[1]
CODE = Code(ROOT)
OPTIONS = ("corpus", "train-domains", "metrics")


def world() -> dict[str, object]:
    """What a module could leave behind for the code of a stage: the state of the process."""
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),
        "numpy errors": np.geterr(),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "type": torch.get_default_dtype(),
        "options": list(sys.argv),
    }


def test_each_module_left_out_is_proven_here():
    assert set(LEFT_OUT) == {
        "fhvae.errors",
        "fhvae.progress",
        "fhvae.commandline",
        "fhvae.stage",
        "fhvae.params.whole",
    }


def test_errors_are_classes_without_a_body_below_one_root_that_says_how_they_read():
    """None is caught for another's sake: their order decides what a stage leaves out."""
    body = CODE.trees["fhvae.errors"].body
    classes = [one for one in body if isinstance(one, ast.ClassDef)]
    assert len(classes) > 5
    for one in classes:
        assert [ast.unparse(base) for base in one.bases] == (
            ["Exception"] if one.name == "FhvaeError" else ["FhvaeError"]
        )
        docstring, *body = one.body
        assert isinstance(docstring, ast.Expr)
        how_it_reads = ["__str__"] if one.name == "FhvaeError" else []
        assert [getattr(part, "name", "") for part in body] == how_it_reads
        assert [*one.decorator_list, *one.keywords] == []


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("initial", [0, 2])
def test_what_goes_through_a_bar_comes_out_as_it_was(shown, initial):
    items = [object() for _ in range(50)]
    before = world()
    bar = progress_bar(items, "test", "item", total=50, initial=initial, shown=shown)
    assert [id(item) for item in bar] == [id(item) for item in items]
    assert world() == before


def test_a_bar_takes_one_item_at_a_time():
    taken = []
    bar = progress_bar((taken.append(place) or place for place in range(9)), "test", "item")
    assert [(item, len(taken)) for item in bar] == [(place, place + 1) for place in range(9)]


def test_paths_are_handed_over_as_typed_whatever_their_order(monkeypatch, tmp_path):
    seen = []

    @stage
    def main(corpus: Input, train_domains: Input, metrics: Output) -> None:
        seen.append(((corpus, train_domains, metrics), world()))

    monkeypatch.chdir(tmp_path)
    typed = {name: Path(f"some/{name} x") for name in OPTIONS}
    for order in permutations(OPTIONS):
        options = [part for name in order for part in (f"--{name}", str(typed[name]))]
        monkeypatch.setattr(sys, "argv", ["stage", *options])
        before = world()
        main()
        assert seen.pop() == (tuple(typed.values()), before)
        assert world() == before


def test_what_a_stage_adds_to_its_outputs_is_what_coreutils_says(monkeypatch, tmp_path):
    """So no change of the code can make it other bytes."""
    made = tmp_path / "made"

    @stage
    def main(made: Output) -> None:
        (made / "deep").mkdir(parents=True)
        for name in ("b.npy", "a.csv", "deep/c"):
            (made / name).write_text(name)

    monkeypatch.setattr(sys, "argv", ["stage", "--made", str(made)])
    main()
    command = ["sha256sum", "a.csv", "b.npy", "deep/c"]
    told = subprocess.run(command, cwd=made, capture_output=True, check=True).stdout
    assert {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()} == {
        "a.csv": b"a.csv",
        "b.npy": b"b.npy",
        "SHA256SUMS": told,
    }


def test_a_stage_is_run_once_in_the_world_as_it_is(monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    before, seen = world(), []
    run(lambda: seen.append(world()))
    assert seen == [before]
    assert world() == before


def test_a_record_of_the_run_changes_nothing_for_the_stage(tmp_path, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("fhvae.commandline.end_with_dvc", lambda *_: None)
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    before, seen = world(), []
    run(lambda: seen.append(world()))
    assert seen == [before]
    assert world() == before
    assert (tmp_path / "runs" / "train.json").exists()


def test_what_describes_a_run_is_asked_by_the_command_line_alone():
    """So no stage depends on the machine, the clock or the commit that a record names."""
    describing = {"fhvae.environment", "fhvae.run_record"}
    importers = {name for name in CODE.trees if describing & CODE._imports(name)}
    assert importers == {"fhvae.commandline", "fhvae.doctor", "fhvae.run_record"}


def test_the_check_of_all_params_gives_nothing_back():
    before = world()
    assert check_params(ROOT / "params.yaml") is None
    assert world() == before


def test_whoever_checks_all_params_takes_nothing_from_it():
    """Only the check is imported, in a line of its own; `load_params` is for work by hand."""
    for name, tree in CODE.trees.items():
        if name not in ("fhvae.params", "fhvae.params.whole"):
            taken = [one for one in ast.walk(tree) if isinstance(one, ast.alias)]
            assert not {"load_params", "Params"} & {one.name for one in taken}, name
    importers = {
        name: node
        for name, tree in CODE.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and re.search(r"params.*\bwhole\b", ast.unparse(node))
    }
    assert set(importers) == {"fhvae.params", "fhvae.params.asked"}
    assert ast.unparse(importers["fhvae.params.asked"]).endswith(" import check_params")
    nodes = list(ast.walk(CODE.trees["fhvae.params.asked"]))
    lines = [ast.unparse(one) for one in nodes if isinstance(one, ast.Expr)]
    assert lines.count("check_params(path)") == 1
    assert [one.id for one in nodes if isinstance(one, ast.Name)].count("check_params") == 1
