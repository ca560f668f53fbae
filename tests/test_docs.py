"""What the docs name in code is there: paths, modules, targets of make, params, variables."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import filter as matching
from pathlib import Path, PurePosixPath

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "benchmarks/results/gpu.json",  # for a machine with a GPU to write
    "benchmarks/lever_trainer.py",  # in the history, as its page says
    ".dvc/cache",  # these are made by DVC
    ".dvc/cache/runs",
    ".dvc/config.local",
    ".dvc/tmp/exps",
    ".dvc/tmp/rwlock",
    ".dvc/tmp/exps/celery/dvc-exp-worker-*.out",
}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def keys(values: dict, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of params.yaml, sections too."""
    for name, value in values.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


def tracked() -> set[str]:
    """List the files of the repository and their folders."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return with_folders(name for name in listed.splitlines() if (ROOT / name).is_file())


def with_folders(names: Iterable[str]) -> set[str]:
    paths = [PurePosixPath(name) for name in names]
    return {str(one) for path in paths for one in (path, *path.parents[:-1])}


PARAMS = list(keys(yaml.safe_load(read("params.yaml"))))
TARGETS = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
SOURCES = read("dvc.yaml") + "".join(path.read_text() for path in ROOT.glob("fhvae/**/*.py"))
STAGES = yaml.safe_load(read("dvc.yaml"))["stages"].values()
OUTPUTS = {out for stage in STAGES for out in stage.get("outs", [])}
FILES = tracked() | with_folders(OUTPUTS) | ELSEWHERE
TOPS = "|".join(sorted({re.escape(name.split("/")[0]) for name in FILES}))
SECTIONS = "|".join(PARAMS)


def is_there(path: str) -> bool:
    """Say whether a path is in git, or the output of a stage, or in one; `<...>` is any name."""
    wanted = PurePosixPath(re.sub(r"<\w+>", "*", path))
    within = [part for part in wanted.parents if matching(OUTPUTS, str(part))]
    return bool(within or matching(FILES, str(wanted)))


def unknown(text: str) -> list[str]:
    """List what a page names in backticks and code blocks and what is not there."""
    code = "\n".join(CODE.findall(text))
    paths = re.findall(rf"(?<![\w/.~-])((?:{TOPS})/[\w./<>*-]*[\w>*])", code)
    modules = re.findall(r"python -m ((?:fhvae|stages|experiments|benchmarks)\.[\w.<>]+)", code)
    targets = re.findall(r"(?:^|`)make ([a-z-]+)", code, re.MULTILINE)
    typed = re.findall(r"-S '?([a-z]\w*(?:\.\w+)*)=", code)
    told = re.findall(rf"`((?:{SECTIONS})\.[a-z]\w*(?:\.\w+)*\*?)(?=[`:])", code)
    told = [key for key in told if not re.search(r"\.(py|json|csv|safetensors)$", key)]
    variables = re.findall(r"\bFHVAE_[A-Z_]+", code)
    return [
        *(path for path in paths if not is_there(path)),
        *(name for name in modules if not is_there(name.replace(".", "/") + ".py")),
        *(f"make {name}" for name in targets if name not in TARGETS),
        *(key for key in typed + told if not matching(PARAMS, key)),
        *(name for name in variables if name not in SOURCES),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page):
    assert unknown(page.read_text()) == []


@pytest.mark.parametrize(
    "code",
    [
        "`fhvae/nowhere.py`",
        "`docs/nowhere/`",
        "`data/nowhere/<split>.npy`",
        "`stages/*.txt`",
        "```sh\npython -m fhvae.nowhere\n```",
        "```sh\nmake nowhere\n```",
        "`dvc exp run -S training.nowhere=1`",
        "`training.nowhere: all`",
        "`probes.nowhere*`",
        "`FHVAE_NOWHERE=1`",
    ],
)
def test_a_name_of_nothing_is_found(code):
    assert len(unknown(f"Before\n{code}\nafter.")) == 1


# Pages for who works in a clone; use.md and the README are for who installed the package.
OF_THE_CLONE = ("CONTRIBUTING.md", "SECURITY.md", "docs/tutorial.md", "docs/troubleshooting.md")


@pytest.mark.parametrize("page", OF_THE_CLONE)
def test_in_a_clone_the_command_is_started_as_a_module(page):
    """The environment that make makes has the requirements and not the package."""
    code = "\n".join(CODE.findall(read(page)))
    assert re.findall(r"(?:^|`)fhvae .*", code, re.MULTILINE) == []


def test_the_tutorial_takes_as_long_as_its_steps():
    minutes = {"a minute": 1, "eight minutes": 8, "ten minutes": 10, "half an hour": 30}
    text = read("docs/tutorial.md")
    told = re.findall(r"<!-- not run: ([a-z ]+?)(?:;[^>]*)? -->", text)
    taken = [minutes[one] for one in told if not one.startswith("needs")]
    assert sum(taken) == 50
    assert "\nFifty minutes of two CPU cores" in text
