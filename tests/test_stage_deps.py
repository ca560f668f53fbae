"""The dependencies in dvc.yaml are the code that each stage imports, and no more."""

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from stage_deps import LEFT_OUT, Code, differences, mended, wanted_deps

import fhvae

ROOT = Path(__file__).resolve().parents[1]
TOY = {
    "stages/__init__.py": "",
    "stages/read.py": "from fhvae.store import open_rows\nfrom fhvae.errors import Broken\n",
    "stages/learn.py": "def main():\n    from fhvae.net import layers\n",
    "fhvae/__init__.py": "",
    "fhvae/store.py": "import fhvae.rows\nTABLE = 'names.csv'\n",
    "fhvae/rows.py": "",
    "fhvae/names.csv": "",
    "fhvae/errors.py": "import fhvae.unused\nclass Broken(Exception): ...\n",
    "fhvae/unused.py": "",
    "fhvae/start.py": "",
    "fhvae/net/__init__.py": "",
    "fhvae/net/layers.py": "from . import sums\nfrom ..store import TABLE\n",
    "fhvae/net/sums.py": "",
    "fhvae/net/__pycache__/sums.pyc": "",
    "fhvae/wide/__init__.py": "from fhvae.wide.inner import deep\n",
    "fhvae/wide/inner/__init__.py": "",
    "fhvae/wide/inner/deep.py": "",
}
PIPELINE = """\
vars:
  - python: env A=1 python -m fhvae.start

stages:
  read: # first
    cmd: ${python} stages.read --frames data/frames
    deps:
      - stages/read.py
      - fhvae/rows.py # rows
      - fhvae/gone.py # was moved
      - data/corpus # as it is heard
    params: [seed]
  learn:
    desc: no line of another stage is touched
    cmd: python -m stages.learn
    deps:
      - data/frames
    outs:
      - models/fhvae
"""
MENDED = """\
vars:
  - python: env A=1 python -m fhvae.start

stages:
  read: # first
    cmd: ${python} stages.read --frames data/frames
    deps:
      - stages/read.py
      - fhvae/__init__.py
      - fhvae/names.csv
      - fhvae/rows.py # rows
      - fhvae/start.py
      - fhvae/store.py
      - stages/__init__.py
      - data/corpus # as it is heard
    params: [seed]
  learn:
    desc: no line of another stage is touched
    cmd: python -m stages.learn
    deps:
      - stages/learn.py
      - fhvae/__init__.py
      - fhvae/names.csv
      - fhvae/net
      - fhvae/rows.py
      - fhvae/store.py
      - stages/__init__.py
      - data/frames
    outs:
      - models/fhvae
"""


@pytest.fixture
def toy(tmp_path):
    for name, text in (TOY | {"dvc.yaml": PIPELINE}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_dvc_yaml_names_the_code_of_every_stage():
    assert differences(ROOT) == [], "`make deps` mends it"


def test_what_a_stage_starts_and_imports_is_wanted_as_folders_where_they_are_whole(toy):
    common = ["fhvae/__init__.py", "fhvae/names.csv"]
    rows = ["fhvae/rows.py", "fhvae/start.py", "fhvae/store.py", "stages/__init__.py"]
    assert wanted_deps(toy) == {
        "read": ["stages/read.py", *common, *rows],
        "learn": ["stages/learn.py", *common, "fhvae/net", "fhvae/rows.py", "fhvae/store.py",
                  "stages/__init__.py"],
    }  # fmt: skip


def test_a_package_imports_for_all_that_is_in_it(toy):
    (toy / "stages/learn.py").write_text("import fhvae.wide.inner\n")
    assert "fhvae/wide" in wanted_deps(toy)["learn"]


def test_a_folder_with_a_file_that_nobody_reads_is_no_whole(toy):
    (toy / "fhvae/net/extra.py").write_text("")
    wanted = wanted_deps(toy)["learn"]
    assert "fhvae/net" not in wanted
    assert {"fhvae/net/__init__.py", "fhvae/net/layers.py", "fhvae/net/sums.py"} <= set(wanted)


def test_mending_keeps_data_comments_and_layout(toy):
    wanted = wanted_deps(toy)
    text = mended(PIPELINE, wanted)
    assert text == MENDED
    assert mended(text, wanted) == text
    (toy / "dvc.yaml").write_text(text)
    assert differences(toy) == []


@pytest.mark.parametrize("deps", ["    deps: [data/frames]\n", ""], ids=["flow-list", "none"])
def test_a_list_that_cannot_be_mended_is_refused_and_that_of_the_next_stage_is_left(toy, deps):
    text = PIPELINE.replace("    deps:\n      - data/frames\n", deps)
    text += "  last:\n    cmd: python -m stages.read\n    deps:\n      - data/other\n"
    with pytest.raises(ValueError, match="stage learn must be a list"):
        mended(text, {"learn": ["stages/learn.py"]})


def test_differences_are_named_by_stage(toy):
    found = differences(toy)
    assert "read: fhvae/gone.py is useless" in found
    assert "read: fhvae/store.py is missing" in found
    assert "learn: fhvae/net is missing" in found


@pytest.fixture(scope="module")
def code():
    return Code(ROOT)


def test_the_imports_are_those_that_grimp_finds(monkeypatch, code):
    """Another reader of the same sources: neither sees what the other misses."""
    monkeypatch.syspath_prepend(ROOT)
    graph = grimp.build_graph("fhvae", "stages", cache_dir=None)
    for stage in sorted(code.files):
        if stage.startswith("stages."):
            found, waiting = set(), [stage]
            while waiting:
                module = waiting.pop()
                if module not in found | LEFT_OUT.keys():
                    found.add(module)
                    waiting += graph.find_modules_directly_imported_by(module)
                    waiting += filter(None, [module.rpartition(".")[0]])
            behind = {name for name in code.files_behind([stage]) if name.endswith(".py")}
            assert behind == {code.files[one].relative_to(ROOT).as_posix() for one in found}


def test_no_module_is_imported_by_a_name_that_is_computed(code):
    """The text of the sources would not say which."""
    forbidden = {"import_module", "__import__", "run_module", "run_path", "exec", "eval"}
    for module, tree in code.trees.items():
        if module == "fhvae":
            continue  # the front door, which no module of ours goes through: below
        for node in ast.walk(tree):
            name = getattr(node, "attr", getattr(node, "id", ""))
            text = ast.unparse(node) if name in forbidden else ""
            assert name not in forbidden or text.endswith(".eval"), f"{module}: {text}"


def test_no_module_goes_through_the_front_door(code):
    """What `fhvae.load` imports is found by name when it is asked for."""
    for module, tree in code.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert "fhvae" not in {alias.name for alias in node.names}, module
            if isinstance(node, ast.ImportFrom) and node.module == "fhvae":
                found = {alias.name for alias in node.names}
                assert not found & set(fhvae.__all__), module


def test_every_table_beside_code_is_read_by_a_stage(code):
    tables = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fhvae").rglob("*.csv")}
    read = code.files_behind([name for name in code.files if name.startswith("stages.")])
    assert tables
    assert tables <= read


def test_the_script_says_what_differs_and_ends_with_1(toy):
    (toy / ".ci").mkdir()
    script = toy / ".ci/stage_deps.py"
    script.write_text((ROOT / ".ci/stage_deps.py").read_text())
    run = [sys.executable, str(script)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "learn: fhvae/net is missing" in done.stdout
    assert subprocess.run([*run, "--write"], check=False).returncode == 0
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
