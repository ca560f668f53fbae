"""The hashes of all packages: complete, of what requirements*.txt pin, and named with licences."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from licences import normal, table
from lock import OF_TORCH, lines
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LISTS = ("requirements", "requirements-dev")
ENTRY = re.compile(
    r"^([a-z0-9-]+)==(\S+)( ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.M
)
PAGE = (ROOT / "docs/licences.md").read_text()


def entries(name):
    """Read a lock: name -> version as this Python takes it; every line must belong to an entry."""
    text = (ROOT / f"{name}.lock").read_text()
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found = list(ENTRY.finditer(body))
    assert "".join(one[0] for one in found) == body.replace("\n", "").replace("    --", "\n    --")
    wanted = [Requirement(f"{one[1]}=={one[2]}{one[3] or ''}") for one in found]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate()]
    assert len({one.name for one in here}) == len(here)
    return {one.name: str(one.specifier).removeprefix("==") for one in here}


def pinned(name):
    text = (ROOT / f"{name}.txt").read_text()
    named = [line.split("#")[0].strip() for line in text.splitlines()]
    return [Requirement(line) for line in named if line and not line.startswith("-r")]


@pytest.mark.parametrize("name", [*LISTS, "requirements-audit", "requirements-listen"])
def test_the_lock_has_every_pin_but_torch(name):
    locked = entries(name)
    for one in pinned(name):
        if one.name == "torch":
            continue
        assert one.specifier.contains(locked[normal(one.name)]), f"{one}: run make lock"
    assert not [package for package in locked if package.startswith(OF_TORCH)]


def test_the_lock_for_developers_adds_to_the_other_and_changes_nothing():
    run, dev = (entries(name) for name in LISTS)
    assert run.items() <= dev.items()


def test_the_page_of_licences_lists_what_is_locked():
    rows = dict(
        re.findall(r"^\| ([a-z0-9-]+) \| (\S+) \|", PAGE.split("<!-- licences -->")[1], re.M)
    )
    locked = entries("requirements-dev")
    if sys.version_info[:2] == (3, 11):  # for which the table is
        assert {
            name: version for name, version in rows.items() if name not in ("torch", "package")
        } == locked


def test_each_licence_that_asks_for_more_than_a_notice_is_explained():
    told, listed = PAGE.split("<!-- licences -->")
    strict = re.findall(r"^\| (\S+) \| \S+ \| .*(?:GPL|MPL|Mozilla|EPL|UNKNOWN)", listed, re.M)
    assert len(strict) > 5
    assert [name for name in strict if name not in told] == []


def test_a_licence_of_pages_is_a_line():
    rows = [{"Name": "A_b", "Version": "1", "License": "MIT | x\nPermission is hereby"}]
    assert table(rows).splitlines()[-1] == "| a-b | 1 | MIT / x |"


def test_of_a_package_the_wheels_that_serve_are_kept():
    """As pylock.toml (PEP 751) has them: other systems, other Pythons and torch are left out."""

    def wheel(name, digit):
        return {"url": f"https://host/a/{name}.whl", "hashes": {"sha256": digit * 64}}

    wheels = [
        wheel("a_b-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "1"),
        wheel("a_b-1.0-cp38-abi3-manylinux_2_28_x86_64", "2"),
        wheel("a_b-1.0-cp311-cp311-win_amd64", "3"),
        wheel("a_b-1.0-cp311-cp311-musllinux_1_2_x86_64", "4"),
        wheel("a_b-1.0-cp314-cp314-manylinux_2_28_x86_64", "5"),
        wheel("a_b-1.0-cp311-cp311-manylinux_2_28_aarch64", "6"),
    ]
    source = {"url": "https://host/a/a.tar.gz", "hashes": {"sha256": "7" * 64}}
    packages = [
        {"name": "torch", "version": "2", "wheels": wheels},
        {"name": "b", "version": "3", "sdist": source, "marker": "python_version >= '3.12'"},
        {"name": "c", "version": "3", "sdist": source, "marker": "sys_platform == 'win32'"},
        {"name": "d", "version": "3", "sdist": source, "marker": "python_version >= '3.9'"},
        {"name": "a-b", "version": "1.0", "wheels": wheels, "sdist": source},
        {"name": "e", "version": "1.0", "wheels": [wheels[0], *wheels[2:]], "sdist": source},
    ]
    digests = [f" \\\n    --hash=sha256:{digit * 64}" for digit in "1277"]
    assert list(lines(packages)) == [
        f"a-b==1.0{digests[0]}{digests[1]}\n",
        f"b==3 ; python_version >= '3.12'{digests[2]}\n",
        f"d==3{digests[3]}\n",
        f"e==1.0{digests[0]}{digests[2]}\n",  # other Pythons than 3.11 build it
    ]


def test_pip_takes_no_other_file(tmp_path):
    """A wheel of the right name and version with other bytes is refused, wherever it comes from."""
    name = next(one for one in entries("requirements") if one == "six")
    version = entries("requirements")[name]
    fake = tmp_path / f"{name}-{version}-py3-none-any.whl"
    fake.write_bytes(b"PK\x05\x06" + bytes(18))
    text = (ROOT / "requirements.lock").read_text()
    (tmp_path / "one.lock").write_text(re.search(rf"^{name}==.*\n    --hash.*$", text, re.M)[0])
    where = ["--no-index", f"--find-links={tmp_path}", "--target", tmp_path / "out"]
    options = ["--require-hashes", "--no-deps", "-r", tmp_path / "one.lock"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *where, *options],
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
