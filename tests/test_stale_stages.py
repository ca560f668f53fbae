"""An edit of code makes the stages stale whose numbers it may move, and no other.

What is expected is written by hand, from what the code does; dvc.yaml and DVC must agree.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
ALL = frozenset(STAGES)
MAKE_DATA = {"download", "conditions", "fbank", "domains", "f0"}
MODEL = {"train", "latents", "baselines", "controls", "ivector"}
RECOGNITION = {"recognize_baselines", "recognize"}
EVALUATIONS = {"verify", "probe", *RECOGNITION}
OF_NO_STAGE = ("fhvae/own",)  # for users of a model
RUN_A_MODEL = {"latents", "baselines", "controls", "probe", "recognize", "convert", "figures"}
DVC = [sys.executable, "-P", "-m", "dvc"]
COMMENT = "# nothing but a comment\n"


@dataclass(frozen=True)
class Edit:
    """One edit: `old` becomes `new`; without `old` the file gets `new` at its end."""

    path: str
    old: str
    new: str
    stale: frozenset[str]

    def apply(self, root: Path) -> None:
        path = root / self.path
        text = path.read_text(encoding="utf-8")
        assert self.old in text
        path.write_text(text.replace(self.old, self.new, 1) if self.old else text + self.new)


def edit(path: str, old: str, new: str, *stale: str) -> Edit:
    return Edit(path, old, new, frozenset(stale))


def comment(path: str, *stale: str) -> Edit:
    return edit(path, "", COMMENT, *stale)


EDITS = {
    "frames-reversed": edit(
        "fhvae/files/shards.py", "rows[first:end]", "rows[first:end][::-1]", *(ALL - {"summary"})
    ),
    "float16-doubled": edit(
        "fhvae/files/packed.py",
        "rows.astype(np.float32) if",
        "2 * rows.astype(np.float32) if",
        *(ALL - {"summary"}),
    ),
    "no-domain-learned": edit(
        "fhvae/params/domains.py",
        "return _spelled_out(domains.train, AURORA_TRAIN)",
        "return ()",
        *("conditions", "domains", "train", "convert", "report"),
    ),
    "full-is-headline": edit(
        "fhvae/params/recognition.py",
        'self.headline if protocol == "headline" else self.full',
        "self.headline",
        *RECOGNITION,
        "report",
    ),
    "a-seed-for-all": edit(
        "fhvae/seeds.py",
        "for part in (seed, *names)",
        "for part in (seed,)",
        *(MAKE_DATA - {"fbank", "f0"}),
        *MODEL,
        *EVALUATIONS,
        "convert",
        "figures",
        "report",
    ),
    "without-processes": edit(
        "fhvae/parallel.py",
        "",
        "map_in_order = map\n",
        *MAKE_DATA,
        "ivector",
        *EVALUATIONS,
        "convert",
    ),
    "archives": comment("fhvae/fetch/unpack.py", "download"),
    "cut-ogg": comment(
        "fhvae/corpus/containers/ogg.py", "download", "conditions", "domains", "convert"
    ),
    "a-corpus": comment("fhvae/corpus/recipes/vctk.py", "download"),
    "a-phone-of-espeak": edit("fhvae/corpus/espeak/phones.csv", "", "x,x\n", "download"),
    "a-phone-of-timit": edit(
        "fhvae/corpus/timit_phones.csv", "", "x,x,x\n", "download", "probe", *RECOGNITION, "convert"
    ),
    "mel-bands": edit(
        "fhvae/features/fbank.py",
        "",
        "log_mel = None\n",
        *("conditions", "fbank", "domains", "f0", "ivector", "probe", "convert", "figures"),
    ),
    "telephone": comment("fhvae/acoustics/sounds.py", "conditions", "domains", "convert"),
    "clean-twins": comment("fhvae/acoustics/conditions.py", "conditions"),
    "lower-bound": comment("fhvae/model/objective.py", "train", *RUN_A_MODEL),
    "table-of-mu2": comment("fhvae/training/table.py", "train"),
    "grouping": edit(
        "fhvae/inference.py", "", "GROUP_SEGMENTS = 1\n", "train", *(RUN_A_MODEL - {"figures"})
    ),
    "eer": edit(
        "fhvae/trials.py",
        "return float(equal_error_rate",
        "return 1 - float(equal_error_rate",
        *("train", "latents", "ivector", "verify", "convert", "figures"),
    ),
    "controls": comment("fhvae/baselines/controls.py", "controls"),
    "ubm": comment("fhvae/baselines/ivector/ubm.py", "ivector"),
    "plda": comment("fhvae/verification/plda.py", "ivector", "verify"),
    "newton": comment("fhvae/probes/newton.py", "probe"),
    "f0": comment("fhvae/features/f0.py", "f0", "probe", "convert"),
    "gains": comment("fhvae/conversion/gain.py", "convert"),
    "equalizer": comment("fhvae/listening/controls.py", "convert"),
    "recognizer": comment("fhvae/recognition/network.py", *RECOGNITION),
    "learning-rate": comment("fhvae/params/training.py", "train", "recognize", "report"),
    "probes-params": comment("fhvae/params/probes.py", "probe", "report"),
    "a-script": comment("stages/train.py", "train"),
    "a-package": edit("fhvae/__init__.py", "", "import random\n", *ALL),
    "errors": comment("fhvae/errors.py"),
    "progress": comment("fhvae/progress.py"),
    "command-line": comment("fhvae/commandline.py"),
    "check-of-params": comment("fhvae/params/whole.py"),
    "printed-tables": comment("fhvae/report/headline.py", "report"),
    "page-of-a-run": comment("fhvae/report/run_page/values.py", "report"),
    "layout-of-the-page": edit("fhvae/report/run_page/page.jinja", "", "\n", "report"),
}
each_edit = pytest.mark.parametrize("name", EDITS)
# edits that once went unseen, and one of each kind: DVC takes a second for each
ASKED_OF_DVC = (
    *("frames-reversed", "float16-doubled", "no-domain-learned", "full-is-headline"),
    *("a-phone-of-timit", "mel-bands", "clean-twins", "lower-bound", "eer", "a-package", "errors"),
)


def reading(path: str) -> set[str]:
    """Name the stages that have a file among their dependencies."""
    return {
        name
        for name, stage in STAGES.items()
        if any(PurePosixPath(path).is_relative_to(dep) for dep in stage["deps"])
    }


@each_edit
def test_an_edit_makes_exactly_these_stages_stale(name):
    assert reading(EDITS[name].path) == EDITS[name].stale


@each_edit
def test_an_edit_is_one_that_python_can_read(name, tmp_path):
    made = EDITS[name]
    (tmp_path / made.path).parent.mkdir(parents=True)
    shutil.copy(ROOT / made.path, tmp_path / made.path)
    made.apply(tmp_path)
    text = (tmp_path / made.path).read_text()
    assert text != (ROOT / made.path).read_text()
    if made.path.endswith(".py"):
        compile(text, made.path, "exec")


def test_every_folder_of_code_is_edited():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in code_files()}
    edited = {str(PurePosixPath(one.path).parent) for one in EDITS.values()}
    assert folders - edited == {"fhvae/report/figures", *OF_NO_STAGE}  # below, file by file
    for path in code_files(*OF_NO_STAGE):
        assert not reading(path.relative_to(ROOT).as_posix())


def code_files(*folders: str) -> list[Path]:
    return [path for top in folders or ("fhvae", "stages") for path in (ROOT / top).rglob("*.py")]


def test_a_comment_in_a_plot_makes_figures_stale_and_nothing_else():
    for path in code_files("fhvae/report/figures"):
        assert reading(path.relative_to(ROOT).as_posix()) == {"figures"}


def test_no_file_of_an_evaluation_makes_the_training_stale():
    """Days at the paper's size, for a comment."""
    evaluations = [f"fhvae/{name}" for name in ("verification", "probes", "recognition")]
    for path in code_files(*evaluations):
        before = (MAKE_DATA | MODEL) - {"ivector"}  # whose settings back-ends on dev choose
        assert not reading(path.relative_to(ROOT).as_posix()) & before


def test_no_file_about_degraded_copies_makes_the_download_stale():
    for path in code_files("fhvae/acoustics"):
        assert "download" not in reading(path.relative_to(ROOT).as_posix())


# Writes every output of a stage: what it depends on is in dvc.yaml, and DVC looks at no more.
PRETEND = "for out in {outs}; do mkdir -p $(dirname $out); echo made > $out; done"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All code under the dependencies of dvc.yaml, run once with commands that only write."""
    folder = tmp_path_factory.mktemp("stale") / "repository"
    folder.mkdir()
    for name in ("fhvae", "stages", ".dvcignore", "params.yaml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    stages = {}
    for name, stage in STAGES.items():
        kinds = [item for kind in ("outs", "metrics", "plots") for item in stage.get(kind, [])]
        outs = [item if isinstance(item, str) else next(iter(item)) for item in kinds]
        stages[name] = {**stage, "cmd": PRETEND.format(outs=" ".join(outs))}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    for command in (["git", "init", "-q"], [*DVC, "init", "-q"], [*DVC, "repro", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED_OF_DVC)
def test_dvc_says_so_too(repository, name):
    made = EDITS[name]
    before = (repository / made.path).read_text()
    made.apply(repository)
    try:
        command = [*DVC, "status", "--json"]
        done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
        assert set(json.loads(done.stdout)) == made.stale
    finally:
        (repository / made.path).write_text(before)


@pytest.mark.slow
def test_bytecode_makes_nothing_stale(repository):
    (repository / "fhvae/model/__pycache__").mkdir(exist_ok=True)
    (repository / "fhvae/model/__pycache__/gaussian.cpython-311.pyc").write_text("new")
    command = [*DVC, "status", "--json"]
    done = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == {}
