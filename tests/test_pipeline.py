"""dvc.yaml, stages/, params.yaml and metrics/ agree."""

import dataclasses
import re
import shutil
import subprocess
from importlib import import_module
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import get_args

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from stage_deps import is_code

from fhvae import cited
from fhvae.params.whole import Params
from fhvae.stage import Role

ROOT = Path(__file__).resolve().parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
DRAWING = {"figures", "report"}  # compute no number
KINDS = ("outs", "metrics", "plots")

each_stage = pytest.mark.parametrize("name", STAGES)


def outputs(stage: dict, *kinds: str) -> dict[str, bool]:
    """Map each output path of a stage to whether DVC caches it."""
    found = {}
    for kind in kinds:
        for item in stage.get(kind, []):
            path, options = next(iter(item.items())) if isinstance(item, dict) else (item, {})
            found[path] = options.get("cache", True)
    return found


def test_each_stage_has_a_script_and_each_script_a_stage():
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert scripts == set(STAGES)


@each_stage
def test_a_stage_runs_its_own_script_depends_on_it_and_writes_its_metrics(name):
    stage = STAGES[name]
    several = r"\\\$\{FHVAE_TORCHRUN:-python\} -m"  # processes that train together
    assert re.search(rf"(\$\{{python\}}|{several}) stages\.{name} ", stage["cmd"])
    assert f"stages/{name}.py" in stage["deps"]
    written = f"metrics/{name}.json" in outputs(stage, "metrics", "plots")
    assert written == (name not in DRAWING)


@each_stage
def test_every_path_of_the_command_is_declared_and_every_output_is_given(name):
    stage = STAGES[name]
    given = [PurePosixPath(path) for path in re.findall(r"--[a-z0-9-]+ (\S+)", stage["cmd"])]
    declared = [
        PurePosixPath(path)
        for path in (*stage["deps"], *outputs(stage, "outs", "metrics", "plots"))
    ]
    for path in given:
        assert any(one.is_relative_to(path) for one in declared), f"{path} is not declared"
    for path in outputs(stage, "outs", "metrics", "plots"):
        assert any(PurePosixPath(path).is_relative_to(one) for one in given), f"{path} not given"


@each_stage
def test_a_script_says_of_each_path_what_dvc_yaml_says(name):
    """What is locked, cleaned and given digests is each output of DVC, and nothing else."""
    stage = STAGES[name]
    given = dict(re.findall(r"--([a-z0-9-]+) (\S+)", stage["cmd"]))
    parameters = signature(import_module(f"stages.{name}").main).parameters
    of = {
        role: {
            given[option.replace("_", "-")]
            for option, one in parameters.items()
            if get_args(one.annotation)[1] is role
        }
        for role in Role
    }
    assert len(given) == len(parameters)
    written = set(outputs(stage, *KINDS))
    assert of[Role.OUTPUT] == {one for one in written if not one.startswith("plots/")}
    assert of[Role.SHARED] == {"plots"} & {str(PurePosixPath(one).parent) for one in written}
    for path in of[Role.INPUT]:
        assert any(PurePosixPath(dep).is_relative_to(path) for dep in stage["deps"])


@each_stage
def test_every_code_dependency_exists(name):
    missing = [dep for dep in STAGES[name]["deps"] if is_code(dep) and not (ROOT / dep).exists()]
    assert missing == []


@each_stage
def test_a_stage_depends_on_outputs_as_wholes(name):
    """Restored from its run cache, a part of an output has DVC look for the lock's data."""
    made = {out for stage in STAGES.values() for out in outputs(stage, *KINDS)}
    assert [dep for dep in STAGES[name]["deps"] if not is_code(dep) and dep not in made] == []


@each_stage
def test_data_dependencies_are_outputs_of_an_earlier_stage(name):
    earlier = []
    for other in STAGES:
        if other == name:
            break
        earlier += outputs(STAGES[other], *KINDS)
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
        wanted = covers(listed, key)
        partly = any(one.startswith(f"{key}.") for one in listed)
        assert wanted or partly, f"stages/{name}.py reads params.{key}"


@each_stage
def test_a_stage_asks_for_the_sections_that_it_lists(name):
    """Another section would make it depend on code that it has no part in."""
    asked = getattr(import_module(f"stages.{name}"), "Params", None)
    sections = {field.name for field in dataclasses.fields(asked)} if asked else set()
    assert sections == {key.split(".")[0] for key in STAGES[name].get("params", [])}


def params_read(path: Path) -> set[str]:
    """Find `params.section` and `params.section.key` in a script."""
    sections = {field.name for field in dataclasses.fields(Params)}
    text = path.read_text()
    found = re.findall(r"\bparams\.([a-z_0-9]+)(?:\.([a-z_0-9]+))?", text)
    return {".".join(filter(None, parts)) for parts in found if parts[0] in sections}


def keys(values: dict, prefix: str = "") -> list[str]:
    """Name every value of params.yaml by its dotted key."""
    found = []
    for name, value in values.items():
        inner = keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
        found += inner
    return found


def seeds_of(name: str) -> set[str]:
    listed = STAGES[name].get("params", [])
    return {seed for seed in ("seed", "corpus.seed", "recognition.seed") if covers(listed, seed)}


def covers(listed: list[str], key: str) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in listed)


def test_a_seed_of_the_training_is_read_by_no_stage_of_corpus_or_evaluation():
    """Nor by the recognizer of FBANK: a sweep of seeds trains anew and leaves them as they are."""
    training = {name for name in STAGES if "seed" in seeds_of(name)}
    assert training == {"baselines", "train", "ivector", "figures", "report"}
    recognition = {name for name in STAGES if "recognition.seed" in seeds_of(name)}
    assert recognition == {"recognize_baselines", "recognize", "report"}


def test_every_key_of_params_is_listed_by_some_stage():
    """One that stands for a section in one stage and key by key in another: none is forgotten."""
    listed = [key for stage in STAGES.values() for key in stage.get("params", [])]
    forgotten = [key for key in keys(PARAMS) if not covers(listed, key)]
    assert forgotten == []


def test_download_lists_all_of_the_corpus_but_how_it_is_heard():
    listed = {key for key in STAGES["download"]["params"] if key.startswith("corpus.")}
    assert listed == {f"corpus.{name}" for name in PARAMS["corpus"]} - {"corpus.conditions"}


@pytest.mark.parametrize(
    ("flag", "changed"),
    [
        pytest.param("alpha=10.0", 0, id="as-it-is"),
        pytest.param("alpha=0", 1, id="shorter"),
        pytest.param("corpus.path=/some/folder", 1, id="where-nothing-was"),
        pytest.param("recognition.full.shift=2", 1, id="deep"),
        pytest.param("domains.train_noises=[babble,white]", 2, id="lists-one-line-for-each-value"),
    ],
)
def test_setting_a_param_changes_no_other_line_of_the_file(flag, changed, tmp_path):
    """`dvc exp run -S` writes the whole file anew: its layout is the one committed."""
    copy = shutil.copy(ROOT / "params.yaml", tmp_path)
    apply_overrides(copy, [flag])
    pairs = zip(*(lines_of(path) for path in (ROOT / "params.yaml", copy)), strict=True)
    assert sum(before != after for before, after in pairs) == changed


def lines_of(path: str | Path) -> list[str]:
    return Path(path).read_text().splitlines()


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


def test_the_summary_is_the_one_metric():
    """Every value of a metric is a column of `dvc exp show` and a row of `dvc metrics diff`."""
    metrics = [path for stage in STAGES.values() for path in outputs(stage, "metrics")]
    assert metrics == ["metrics/summary.json"]


def test_no_plain_output_is_uncached():
    """DVC 3.67.1 (stage/__init__.py, run) keeps no run of such a stage: it would train again."""
    assert all(all(outputs(stage, "outs").values()) for stage in STAGES.values())


def test_the_summary_reads_all_that_it_cites():
    read = {path for path in STAGES["summary"]["deps"] if path.startswith("metrics/")}
    assert read == {f"metrics/{stage}.json" for stage in cited.STAGES}


def test_checkpoints_are_in_neither_git_nor_the_pipeline():
    assert git_ignores("checkpoints/abc/last.pt")
    assert "checkpoints" not in (ROOT / "dvc.yaml").read_text()


@pytest.mark.parametrize("name", [".train.json.0a1b2c3d.tmp", ".train.json.lock"])
@pytest.mark.parametrize("folder", ["metrics", "plots", "docs/results"])
def test_what_a_kill_leaves_half_written_is_not_in_git(folder, name):
    assert git_ignores(f"{folder}/{name}")
    assert not git_ignores(f"{folder}/train.json")


def test_downloaded_corpora_are_in_neither_git_nor_the_pipeline():
    assert git_ignores("corpora/vctk/VCTK-Corpus-0.92.zip")
    assert "/corpora" in (ROOT / ".dvcignore").read_text().splitlines()
    assert "corpora/" not in (ROOT / "dvc.yaml").read_text()
