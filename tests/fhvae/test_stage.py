"""How a stage begins and ends: paths, its outputs for itself alone, digests, leftovers."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from fhvae.errors import ArtifactError, FhvaeError
from fhvae.files.atomic import new_folder, write_json
from fhvae.files.sums import SUMS, check_sums
from fhvae.stage import Input, Output, Shared, stage

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"corpus": "data/corpus", "made": "data/made", "metrics": "m/x.json", "plots": "plots"}
# A stage that writes what it reads in params.yaml, and waits for a line before it does.
WAITING = """
import sys
from pathlib import Path
from fhvae.commandline import run
from fhvae.files.atomic import new_folder, write_json
from fhvae.stage import Input, Output, Shared, stage

@stage
def main(corpus: Input, made: Output, metrics: Output, plots: Shared) -> None:
    print("begun", flush=True)
    told = sys.stdin.readline()
    with new_folder(made) as folder:
        (folder / "told.txt").write_text(told)
    write_json(metrics, {"told": told})

run(main, makes_figures=False)
"""


@stage
def copy(corpus: Input, made: Output, metrics: Output, plots: Shared) -> None:
    with new_folder(made) as folder:
        (folder / "copied.txt").write_bytes((corpus / "a.txt").read_bytes())
    write_json(metrics, {"files": 1})
    (plots / "x.csv").write_text("x")


@stage
def fail(corpus: Input, made: Output, metrics: Output, plots: Shared) -> None:
    with new_folder(made):
        pass
    raise ArtifactError("it must work, it does not")


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data/corpus", "plots", "m"):
        Path(name).mkdir(parents=True)
    Path("data/corpus/a.txt").write_text("speech")
    call(monkeypatch)
    for name in ("DVC_STAGE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def arguments(**changes):
    return [part for item in (OPTIONS | changes).items() for part in (f"--{item[0]}", item[1])]


def call(monkeypatch, **changes):
    monkeypatch.setattr(sys, "argv", ["stage", *arguments(**changes)])


def files():
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


def start(says):
    """Start the waiting stage; its first line tells whether it has begun or waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, *arguments()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{says}\n"
    return process


def test_a_folder_that_a_stage_wrote_has_digests_and_nothing_else_is_added():
    copy()
    check_sums(Path("data/made"))
    assert files() == [
        "data/corpus/a.txt",
        f"data/made/{SUMS}",
        "data/made/copied.txt",
        "m/x.json",
        "plots/x.csv",
    ]


def test_options_are_named_after_the_parameters(monkeypatch):
    seen = []

    @stage
    def main(train_domains: Input, edits: Output) -> None:
        seen.append((train_domains, edits))

    monkeypatch.setattr(sys, "argv", ["stage", "--edits", "e", "--train-domains", "a/b c"])
    main()
    assert seen == [(Path("a/b c"), Path("e"))]


def test_an_input_that_changed_since_its_stage_left_it_is_refused(monkeypatch):
    copy()
    call(monkeypatch, corpus="data/made", made="data/further")
    Path("data/made/copied.txt").write_text("Speech")
    with pytest.raises(
        ArtifactError, match=r"data/made must be .* copied\.txt has another SHA-256"
    ):
        copy()
    assert not Path("data/further").exists()


LOCKED = """
stages:
  verify:
    outs:
    - {{path: m/verify.json, hash: md5, md5: {md5}, size: 2}}
"""


@pytest.mark.parametrize(
    ("lock", "by_dvc", "refused"),
    [
        pytest.param(LOCKED.format(md5="99914b932bd37a50b983c5e7c90ae93b"), True, False, id="same"),
        pytest.param(LOCKED.format(md5="a" * 32), True, True, id="another"),
        pytest.param(LOCKED.format(md5="a" * 32), False, False, id="by-hand"),
        pytest.param("stages: {verify: {outs: [", True, False, id="no-yaml"),
        pytest.param("", True, False, id="empty"),
        pytest.param(None, True, False, id="gone"),
    ],
)
def test_a_lone_file_that_is_not_as_dvc_wrote_it_down_is_refused(
    monkeypatch, lock, by_dvc, refused
):
    """DVC takes a file with its size and its times for what it was."""
    Path("dvc.yaml").write_text("stages: {copying: {deps: [data/corpus, m/verify.json]}}")
    Path("m/verify.json").write_text("{}")
    if lock is not None:
        Path("dvc.lock").write_text(lock)
    if by_dvc:
        monkeypatch.setenv("DVC_STAGE", "copying")
    if not refused:
        copy()
        return
    with pytest.raises(
        ArtifactError, match=r"m/verify\.json must be .* another MD5 .*; delete m/verify\.json and"
    ):
        copy()
    assert not Path("data/made").exists()


def test_of_a_lock_that_another_dvc_is_writing_nothing_is_checked_and_the_stage_runs(monkeypatch):
    Path("dvc.yaml").write_text("stages: {copying: {deps: [m/verify.json]}}")
    Path("m/verify.json").write_text("{}")
    monkeypatch.setenv("DVC_STAGE", "copying")
    monkeypatch.setattr("fhvae.files.atomic.flush_to_disk", lambda path: None)  # for speed
    whole = "schema: '2.0'" + LOCKED.format(md5="99914b932bd37a50b983c5e7c90ae93b")
    for end in range(len(whole)):
        Path("dvc.lock").write_text(whole[:end])
        copy()
    Path("dvc.lock").unlink()
    Path("dvc.lock").mkdir()
    copy()


def test_a_stage_that_failed_leaves_no_digests_and_no_lock():
    with pytest.raises(ArtifactError, match="it must work"):
        fail()
    assert files() == ["data/corpus/a.txt"]


def test_what_killed_stages_left_is_removed_and_others_things_stay():
    for path in ("data/.made.01234567.tmp", "data/.corpus.01234567.tmp"):
        Path(path).mkdir()
    for path in ("m/.x.json.01234567.tmp", "m/.y.json.01234567.tmp", "plots/.z.csv.01234567.tmp"):
        Path(path).touch()
    copy()
    left = sorted(str(path) for path in Path().rglob(".*"))
    assert left == ["data/.corpus.01234567.tmp", "m/.y.json.01234567.tmp"]


def test_a_second_process_waits_for_the_outputs_of_the_first_and_both_are_right():
    first = start("begun")
    second = start("wait for another process that writes data/made")
    assert first.communicate("one\n") == ("", None)
    assert first.returncode == 0
    assert second.communicate("two\n")[0] == "begun\n"
    assert second.returncode == 0
    assert Path("data/made/told.txt").read_text() == "two\n"
    check_sums(Path("data/made"))
    assert [path for path in files() if "/." in path] == []


def test_of_torchrun_the_first_process_alone_looks_after_files(monkeypatch):
    """The others would wait for its locks forever."""
    seen = []

    @contextmanager
    def noted(path, waiting_for):
        seen.append(path)
        yield

    monkeypatch.setattr("fhvae.stage.held", noted)
    monkeypatch.setenv("RANK", "1")
    copy()
    assert seen == []
    assert not Path("data/made", SUMS).exists()
    monkeypatch.setenv("RANK", "0")
    copy()
    assert seen == [Path("data/.made.lock"), Path("m/.x.json.lock")]
    assert Path("data/made", SUMS).exists()


@pytest.mark.parametrize("by_dvc", [True, False])
def test_an_output_beyond_a_link_is_refused_before_the_work(monkeypatch, by_dvc):
    """DVC ends with an error after the stage; without DVC a link does no harm."""
    Path("data").rename("disk")
    Path("data").symlink_to("disk")
    if not by_dvc:
        copy()
        return
    monkeypatch.setenv("DVC_STAGE", "download")
    with pytest.raises(FhvaeError, match="data must be a folder and not a link, DVC keeps no"):
        copy()


PIPELINE = """
stages:
  copying:
    deps: [data/corpus, fhvae/model, fhvae/seeds.py]
    params: [alpha, model.z2]
"""
PARAMS = "alpha: 10\nseed: 1\nmodel: {z1: 3, z2: 2}\n"
CODE = ("fhvae/seeds.py", "fhvae/model/network.py", "fhvae/report.py")
EVERYTHING = f"{CODE[1]}, {CODE[0]}, params.yaml: alpha, params.yaml: model.z2"


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("params.yaml", PARAMS.replace("alpha: 10", "alpha: 3"), "params.yaml: alpha"),
        ("params.yaml", PARAMS.replace("z2: 2", "z2: 4"), "params.yaml: model.z2"),
        ("params.yaml", PARAMS.replace("model: ", "other: "), "params.yaml: model.z2"),
        ("params.yaml", PARAMS.replace("seed: 1", "seed: 2"), None),
        ("params.yaml", PARAMS.replace("alpha: 10", "alpha: '10'"), "params.yaml: alpha"),
        ("params.yaml", "alpha: [", "params.yaml must be YAML"),
        ("params.yaml", f"alpha: {'9' * 5000}", "params.yaml must be YAML"),
        ("params.yaml", "alpha: 2001-99-99", "params.yaml must be YAML"),
        ("params.yaml", "", "params.yaml: alpha, params.yaml: model.z2"),
        ("dvc.yaml", "", EVERYTHING),
        ("dvc.yaml", "stages: {copying: []}", EVERYTHING),
        ("dvc.yaml", "stages: {copying: {deps: , params: }}", EVERYTHING),
        ("dvc.yaml", "stages: {copying: {deps: 3, params: true}}", EVERYTHING),
        ("dvc.yaml", "stages: {copying: {deps: ['', '.']}}", EVERYTHING),
        ("dvc.yaml", "stages: {copying: [", "dvc.yaml must be YAML"),
        (CODE[0], "x = 2", "fhvae/seeds.py"),
        (CODE[1], "x = 2", "fhvae/model/network.py"),
        ("fhvae/model/new.py", "x = 2", "fhvae/model/new.py"),
        (CODE[2], "x = 2", None),
    ],
)
def test_what_dvc_would_write_down_must_stay_while_a_stage_runs(monkeypatch, file, text, named):
    Path("fhvae/model").mkdir(parents=True)
    for path in CODE:
        Path(path).write_text("x = 1")
    Path("dvc.yaml").write_text(PIPELINE)
    Path("params.yaml").write_text(PARAMS)

    @stage
    def edit(corpus: Input, made: Output, metrics: Output, plots: Shared) -> None:
        with new_folder(made):
            Path(file).write_text(text)

    monkeypatch.setenv("DVC_STAGE", "copying")
    if named is None:
        edit()
    else:
        edited = " must stay while the stage copying runs, .* `dvc commit --force copying`"
        said = f"^{named}{'' if 'must be' in named else edited}"
        with pytest.raises(FhvaeError, match=said):
            edit()
    check_sums(Path("data/made"))
    monkeypatch.delenv("DVC_STAGE")
    Path(file).write_text("x: 3")
    edit()
