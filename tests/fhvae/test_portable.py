"""The same bits on every x86-64 machine, and a word where that is not promised."""

import ast
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from fhvae import portable
from fhvae.files.atomic import write_metrics

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = json.loads(Path(__file__).with_name("arithmetic.json").read_text())
on_x86_64 = pytest.mark.skipif(
    platform.machine() != "x86_64" or not portable.can_be_portable(),
    reason="equal bits are promised on x86-64 processors with AVX2",
)


def launch(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if name != portable.FAST}
    return subprocess.run(
        [sys.executable, "-m", "fhvae.portable", *command],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def here(monkeypatch):
    """This process as an x86-64 one with AVX2 that nobody launched."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(portable, "can_be_portable", lambda: True)
    for name in (portable.SET, portable.FAST):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.slow
@on_x86_64
def test_every_kind_of_arithmetic_gives_the_committed_bits():
    """The kinds that differ name the library whose cap has failed (docs/portability.md)."""
    answer = launch("python", "-m", "tests.fhvae.arithmetic", OPENBLAS_L2_SIZE="1024")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == COMMITTED


def test_caps_win_over_the_settings_of_a_user(here):
    own = {"MKL_CBWR": "AVX512", "OPENBLAS_L2_SIZE": "9", "HOME": "/h", "OMP_NUM_THREADS": "8"}
    wanted = portable.environment(own)
    assert wanted.keys() == {
        "HOME", portable.SET, *portable.ONE_THREAD, *portable.ONE_INSTRUCTION_SET
    }  # fmt: skip
    assert (wanted["MKL_CBWR"], wanted["OMP_NUM_THREADS"]) == ("COMPATIBLE", "1")


def test_speed_leaves_every_library_free_also_inside_a_capped_process(here):
    capped = portable.environment({"HOME": "/h"})
    free = portable.environment({**capped, portable.FAST: "1"})
    assert free == {"HOME": "/h", portable.FAST: "1", **portable.ONE_THREAD}


@pytest.mark.parametrize("value", ["", "0"])
def test_speed_not_wanted_is_portable(here, value):
    assert portable.environment({portable.FAST: value})[portable.SET] == "1"


def test_a_processor_without_the_instructions_is_left_alone(here):
    here.setattr(portable, "can_be_portable", lambda: False)
    assert portable.environment({}) == portable.ONE_THREAD
    assert portable.arithmetic() == "of this processor (it has no AVX2)"


def test_another_architecture_is_left_alone_and_nothing_is_said(here):
    here.setattr(platform, "machine", lambda: "aarch64")
    assert portable.environment({}) == portable.ONE_THREAD
    assert portable.arithmetic() is None


def test_metrics_say_when_they_are_of_one_processor(here, tmp_path):
    path = tmp_path / "m.json"
    write_metrics(path, {"eer": 0.5})
    by_hand = "of this processor (not started by python -m fhvae.portable)"
    assert json.loads(path.read_text()) == {"eer": 0.5, "arithmetic": by_hand}
    here.setenv(portable.FAST, "1")
    write_metrics(path, {"eer": 0.5})
    assert json.loads(path.read_text())["arithmetic"] == "of this processor (FHVAE_FAST=1)"
    here.delenv(portable.FAST)
    here.setenv(portable.SET, "1")
    write_metrics(path, {"eer": 0.5})
    assert json.loads(path.read_text()) == {"eer": 0.5}


STAGE = "from fhvae.commandline import run; run(lambda: print('ran'))"


@on_x86_64
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({}, "", id="launched"),
        pytest.param({"FHVAE_FAST": "1"}, "arithmetic of this processor (FHVAE_FAST=1)", id="fast"),
    ],
)
def test_a_stage_says_when_its_arithmetic_is_of_this_processor(variables, said):
    answer = launch("python", "-c", STAGE, **variables)
    assert (answer.returncode, answer.stdout) == (0, "ran\n")
    assert answer.stderr.startswith(said)
    assert bool(answer.stderr) == bool(said)


@on_x86_64
def test_a_stage_started_by_hand_says_so():
    inherited = {k: v for k, v in os.environ.items() if k not in (portable.FAST, portable.SET)}
    command = [sys.executable, "-c", STAGE]
    answer = subprocess.run(
        command, cwd=ROOT, env=inherited, capture_output=True, text=True, check=True
    )
    assert "not started by python -m fhvae.portable" in answer.stderr


def test_a_command_that_is_not_there_is_one_sentence():
    answer = launch("no-such-command")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: no-such-command must be a command that can be run")
    assert answer.stderr.count("\n") == 1


def test_the_exit_code_and_arguments_are_those_of_the_command():
    answer = launch("python", "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", "--c")
    assert (answer.returncode, answer.stdout) == (7, "['a b', '--c']\n")


# Through MKL's vector functions, which begin with the processor's guess at a reciprocal or a root:
# Intel's is not AMD's, whatever MKL_CBWR says. Of the others no bit differed in millions.
GUESSED = {
    "sqrt",
    "log",
    "log2",
    "log10",
    "tan",
    "asin",
    "acos",
    "atan",
    "arcsin",
    "arccos",
    "arctan",
}


def guessed_in(source: str) -> list[int]:
    """Name the lines where PyTorch computes what is not portable, or an optimizer does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            whose = ast.unparse(node.func.value)
            is_function = whose == "torch" and node.func.attr in GUESSED
            is_method = node.func.attr in GUESSED and not node.args and whose not in ("np", "math")
            fused = any(ast.unparse(one) == "fused=True" for one in node.keywords)
            if is_function or is_method or (whose == "torch.optim" and not fused):
                found.append(node.lineno)
    return found


def test_no_figure_goes_through_a_function_that_is_each_processors_own():
    code = [path for top in ("fhvae", "stages") for path in sorted((ROOT / top).rglob("*.py"))]
    assert {path: lines for path in code if (lines := guessed_in(path.read_text()))} == {}
    assert guessed_in("torch.sqrt(x)\nx.sqrt()\ntorch.optim.Adam(w)\nnp.sqrt(x)\nmath.tan(x)") == [
        1,
        2,
        3,
    ]
    assert guessed_in("torch.optim.Adam(w, fused=True)\ntorch.exp(x)\nx.tanh()") == []
