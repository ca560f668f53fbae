"""The code blocks of README.md and docs/ work, or say why they are not run.

- Every `sh` block is one that bash can parse; a line that changes params (`-S`) gives values that
  params.yaml takes.
- A block of `fhvae`, or of what dvc tells without computing, is run in a clone. Another block has
  a comment before it: `<!-- not run: needs a GPU -->`; `<!-- it fails -->` says that it must.
- Every `python` block is run, beside recordings of the names that it uses.

README.md and docs/results*.md owe no reasons: a page that sells, and one that is written.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "fhvae/shipped/README.md", "examples/README.md"]
PAGES += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- (?P<said>[^\n]*) -->\n)?^```(?P<kind>sh|python)\n(?P<code>.*?)^```$", re.M | re.S
)
CHEAP = re.compile(r"fhvae (?!train)|dvc (?:metrics show|status|params diff)\b")
SET = re.compile(r"^([a-z]\w*(?:\.\w+)*)=(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block: page, first line, language, code, and the comment before it."""

    page: str
    line: int
    kind: str
    code: str
    said: str

    @property
    def owes_reasons(self) -> bool:
        return self.page != "README.md" and not self.page.startswith("docs/results")

    @property
    def commands(self) -> list[str]:
        joined = self.code.replace("\\\n", " ")
        return [line for line in map(str.strip, joined.splitlines()) if line and line[0] != "#"]

    @property
    def is_cheap(self) -> bool:
        return all(CHEAP.match(command) for command in self.commands)


def blocks(text: str, page: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        line = text[: found.start("code")].count("\n") + 1
        yield Block(page, line, found["kind"], found["code"], found["said"] or "")


ALL = [one for page in PAGES for one in blocks((ROOT / page).read_text(), page)]
SHELL = [one for one in ALL if one.kind == "sh"]
PYTHON = [one for one in ALL if one.kind == "python"]


def named(one: Block) -> str:
    return f"{one.page}:{one.line}"


def is_left_out(one: Block) -> bool:
    return bool(re.match(r"not run(?: here)?: \w", one.said))


def test_blocks_are_found_with_the_comments_before_them():
    text = (
        "<!-- x -->\n\n<!-- not run: hours -->\n```sh\nmake x\n```\n\n"
        "```python\npass\n```\n```text\n$ no\n```\n"
    )
    assert list(blocks(text, "page")) == [
        Block("page", 5, "sh", "make x\n", "not run: hours"),
        Block("page", 9, "python", "pass\n", ""),
    ]
    assert len(SHELL) > 15
    assert len(PYTHON) > 3


@pytest.mark.parametrize("block", SHELL, ids=named)
def test_bash_can_parse_it(block):
    parsed = subprocess.run(
        ["bash", "-n"], input=block.code, capture_output=True, text=True, check=False
    )
    assert parsed.returncode == 0, parsed.stderr


@pytest.mark.parametrize("block", [one for one in SHELL if one.owes_reasons], ids=named)
def test_what_is_not_run_says_why(block):
    assert is_left_out(block) or block.said == "it fails" or block.is_cheap


def changes(command: str) -> dict[str, list[object]]:
    """Read the values that a command gives to params: several where it queues a sweep."""
    words = shlex.split(command, comments=True)
    typed = [after for word, after in pairwise(words) if word == "-S"]
    pairs = [found.groups() for found in map(SET.match, typed) if found]
    queued = "--queue" in words
    values = {}
    for key, text in pairs:
        several = queued and not text.startswith("[")
        values[key] = [yaml.safe_load(part) for part in (text.split(",") if several else [text])]
    return {key: [one for one in own if "$" not in str(one)] for key, own in values.items()}


def test_a_sweep_gives_several_values():
    typed = "dvc exp run --queue -S 'alpha=0,10' -S 'domains.test=[noise10,room]'  # -S x=1"
    assert changes(typed) == {"alpha": [0, 10], "domains.test": [["noise10", "room"]]}


@pytest.mark.parametrize("block", [one for one in SHELL if " -S " in one.code], ids=named)
def test_params_take_the_values(block):
    if block.said == "it fails":
        pytest.skip("the page says so; it is run below")
    for command in block.commands:
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        for key, own in changes(command).items():
            *sections, last = key.split(".")
            section = values
            for name in sections:
                section = section[name]
            assert last in section, key
            for value in own:
                section[last] = value
        from_mapping(Params, values, source=command)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with recordings of the names that pages use, and `fhvae` on PATH."""
    top = tmp_path_factory.mktemp("docs")
    folder = top / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", folder], check=True)
    examples = folder / "examples"
    for name, source in {
        "a.wav": "a",
        "b.wav": "b",
        "c.wav": "c",
        "noisy.wav": "a",
        "speech.wav": "b",
    }.items():
        shutil.copy(examples / f"{source}.flac", folder / name)  # told by content, not by name
    shutil.copy(examples / "c.flac", folder / "long.flac")
    for name in ("recordings", "talks", "voice", "noisy"):
        shutil.copytree(examples, folder / name, ignore=shutil.ignore_patterns("*.md"))
    bin_ = top / "bin"
    bin_.mkdir()
    (bin_ / "fhvae").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fhvae "$@"\n')
    (bin_ / "fhvae").chmod(0o755)
    return folder


def environment(clone: Path) -> dict[str, str]:
    here = Path(sys.executable).parent
    path = os.pathsep.join([str(clone.parent / "bin"), str(here), os.environ["PATH"]])
    kept = {
        name: text for name, text in os.environ.items() if not name.startswith(("GIT_", "DVC_"))
    }
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.parametrize("block", [one for one in SHELL if not is_left_out(one)], ids=named)
def test_a_cheap_block_works(clone, block):
    commands = [command for command in block.commands if CHEAP.match(command)]
    if block.said == "it fails":
        commands = block.commands
    if not commands:
        pytest.skip("nothing cheap in it")
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(commands),
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == (block.said == "it fails"), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("block", [one for one in PYTHON if not is_left_out(one)], ids=named)
def test_a_python_block_works(clone, block):
    done = subprocess.run(
        [sys.executable, "-"],
        input=block.code,
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
