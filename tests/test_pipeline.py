"""dvc.yaml, stages/, params.yaml and metrics/ agree."""

import ast
import dataclasses
import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest
import yaml

from fhvae.params import Params

ROOT = Path(__file__).resolve().parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
# These carry values and compute none, so a change of them makes no stage run again. One that
# does change a number (METRIC_DECIMALS, say) needs `dvc repro --force`.
CARRIERS = {
    "fhvae",
    "fhvae.archives.download",
    "fhvae.archives.unpack",
    "fhvae.artifacts",
    "fhvae.commandline",
    "fhvae.corpus.manifest",
    "fhvae.corpus.store",
    "fhvae.errors",
    "fhvae.locks",
    "fhvae.parallel",
    "fhvae.params",
    "fhvae.progress",
    "fhvae.shards",
}
NOT_WORTH_TRAINING_AGAIN = "fhvae.plots"  # the picture of the learning curve

each_stage = pytest.mark.parametrize("name", STAGES)


def outputs(stage: dict, *kinds: str) -> dict[str, bool]:
    """Map each output path of a stage to whether DVC caches it."""
    found = {}
    for kind in kinds:
        for item in stage.get(kind, []):
            path, options = next(iter(item.items())) if isinstance(item, dict) else (item, {})
            found[path] = options.get("cache", True)
    return found


def is_code(path: str) -> bool:
    return path.split("/")[0] in ("stages", "fhvae")


def imported(path: Path) -> set[str]:
    """Name the modules and names of `fhvae` that a file imports, functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {module_of(name) for name in names if name.split(".")[0] == "fhvae"}


def module_of(name: str) -> str:
    """Cut a dotted name down to the module that holds it: fhvae.seeds.generator -> fhvae.seeds."""
    while name and not module_file(name):
        name = name.rpartition(".")[0]
    return name


def module_file(name: str) -> Path | None:
    plain = ROOT / (name.replace(".", "/") + ".py")
    package = ROOT / name.replace(".", "/") / "__init__.py"
    return next((path for path in (plain, package) if path.is_file()), None)


def code_behind(path: Path) -> set[str]:
    """Follow the imports of a script to all of `fhvae` that computes for it."""
    found: set[str] = set()
    waiting = list(imported(path))
    while waiting:
        module = waiting.pop()
        if module not in found | CARRIERS:
            found.add(module)
            waiting += imported(module_file(module))
    return found


def covers(dep: str, module: str) -> bool:
    return module_file(module).relative_to(ROOT).is_relative_to(dep)


def test_each_stage_has_a_script_and_each_script_a_stage():
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert scripts == set(STAGES)


@each_stage
def test_a_stage_runs_its_own_script_depends_on_it_and_writes_its_metrics(name):
    stage = STAGES[name]
    several = r"\\\$\{FHVAE_TORCHRUN:-python\} -m"  # processes that train together
    assert re.search(rf"(\$\{{python\}}|{several}) stages\.{name} ", stage["cmd"])
    assert f"stages/{name}.py" in stage["deps"]
    assert f"metrics/{name}.json" in outputs(stage, "metrics")


@each_stage
def test_every_path_of_the_command_is_declared_and_every_output_is_given(name):
    stage = STAGES[name]
    given = [PurePosixPath(path) for path in re.findall(r"--[a-z-]+ (\S+)", stage["cmd"])]
    declared = [
        PurePosixPath(path)
        for path in (*stage["deps"], *outputs(stage, "outs", "metrics", "plots"))
    ]
    for path in given:
        assert any(one.is_relative_to(path) for one in declared), f"{path} is not declared"
    for path in outputs(stage, "outs", "metrics", "plots"):
        assert any(PurePosixPath(path).is_relative_to(one) for one in given), f"{path} not given"


@each_stage
def test_every_code_dependency_exists(name):
    missing = [dep for dep in STAGES[name]["deps"] if is_code(dep) and not (ROOT / dep).exists()]
    assert missing == []


@each_stage
def test_dependencies_are_the_code_behind_the_script(name):
    """Code that is not listed could change a number under a lock that says nothing changed."""
    deps = [dep for dep in STAGES[name]["deps"] if dep.startswith("fhvae/")]
    deps = [dep for dep in deps if not dep.endswith(".csv")]  # tables beside the code
    modules = code_behind(ROOT / f"stages/{name}.py")
    if name == "train":
        modules = {one for one in modules if not one.startswith(NOT_WORTH_TRAINING_AGAIN)}
    uncovered = [module for module in modules if not any(covers(dep, module) for dep in deps)]
    assert sorted(uncovered) == []
    read_only = {"fhvae.corpus.store"}  # a carrier, but it also says which phone is where
    useless = [dep for dep in deps if not any(covers(dep, one) for one in modules | read_only)]
    assert useless == []


@each_stage
def test_a_stage_depends_on_outputs_as_wholes(name):
    """Restored from its run cache, a part of an output has DVC look for the lock's data."""
    made = {out for stage in STAGES.values() for out in outputs(stage, "outs")}
    assert [dep for dep in STAGES[name]["deps"] if not is_code(dep) and dep not in made] == []


@each_stage
def test_data_dependencies_are_outputs_of_an_earlier_stage(name):
    earlier = []
    for other in STAGES:
        if other == name:
            break
        earlier += outputs(STAGES[other], "outs")
    for dep in STAGES[name]["deps"]:
        if not is_code(dep):
            made = any(PurePosixPath(dep).is_relative_to(out) for out in earlier)
            assert made, f"{dep} is made by no earlier stage"


@each_stage
def test_params_of_a_stage_exist(name):
    for key in STAGES[name].get("params", []):
        value = PARAMS
        for part in key.split("."):
            assert part in value, f"params.yaml has no key {key}"
            value = value[part]


@each_stage
def test_a_stage_lists_the_params_that_its_script_reads(name):
    """A param read but not listed changes the result and reruns nothing."""
    listed = STAGES[name].get("params", [])
    for key in params_read(ROOT / f"stages/{name}.py"):
        wanted = any(key == one or key.startswith(f"{one}.") for one in listed)
        partly = any(one.startswith(f"{key}.") for one in listed)
        assert wanted or partly, f"stages/{name}.py reads params.{key}"


def params_read(path: Path) -> set[str]:
    """Find `params.section` and `params.section.key` in a script."""
    sections = {field.name for field in dataclasses.fields(Params)}
    text = path.read_text()
    found = re.findall(r"\bparams\.([a-z_0-9]+)(?:\.([a-z_0-9]+))?", text)
    return {".".join(filter(None, parts)) for parts in found if parts[0] in sections}


def test_every_section_of_params_is_listed_by_some_stage():
    listed = {key.split(".")[0] for stage in STAGES.values() for key in stage.get("params", [])}
    assert listed == set(PARAMS)


def test_alpha_is_a_top_level_number_so_that_exp_run_sets_it_by_name():
    assert isinstance(PARAMS["alpha"], float)
    assert "alpha" in STAGES["train"]["params"]


def test_lists_in_params_are_in_block_style():
    """`dvc exp run -S` rewrites flow lists, and the diff then shows lines nobody changed."""
    values = [line.split("#")[0] for line in (ROOT / "params.yaml").read_text().splitlines()]
    assert [line for line in values if "[" in line] == []


def git_ignores(path: str) -> bool:
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@each_stage
def test_git_ignores_what_dvc_caches_and_keeps_the_rest(name):
    """DVC refuses a stage whose cached output was added to git, after it has run."""
    paths = outputs(STAGES[name], "outs", "metrics", "plots")
    wrong = [path for path, cached in paths.items() if git_ignores(path) != cached]
    assert wrong == []


def test_metrics_and_plots_are_kept_in_git():
    for stage in STAGES.values():
        assert not any(outputs(stage, "metrics", "plots").values())


def test_checkpoints_are_in_neither_git_nor_the_pipeline():
    assert git_ignores("checkpoints/abc/last.pt")
    assert "checkpoints" not in (ROOT / "dvc.yaml").read_text()


def test_downloaded_corpora_are_in_neither_git_nor_the_pipeline():
    assert git_ignores("corpora/vctk/VCTK-Corpus-0.92.zip")
    assert "/corpora" in (ROOT / ".dvcignore").read_text().splitlines()
    assert "corpora/" not in (ROOT / "dvc.yaml").read_text()


@pytest.mark.parametrize("line", ["__pycache__/", "*.pyc"])
def test_dvc_ignores_bytecode(line):
    """A folder of code is a dependency: running it must not change its hash."""
    assert line in (ROOT / ".dvcignore").read_text().splitlines()


def test_no_device_and_no_path_of_a_machine_is_a_param():
    text = (ROOT / "params.yaml").read_text()
    assert "device" not in text
    assert PARAMS["corpus"]["path"] is None
