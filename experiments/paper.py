r"""The paper's tables, from sweeps that DVC runs.

    python -m experiments.paper run            # queue what is missing, run it, write the tables
    python -m experiments.paper table          # write the tables of what is there
    python -m experiments.paper run --only 'alpha*-z32' --seeds 0       # one sweep of alpha
    python -m experiments.paper run --name timit \
      -S corpus.name=timit -S corpus.path=/absolute/path/to/TIMIT

Members stand in paper.yaml; each is an experiment of the present commit, `NAME-MEMBER-seedN` in
`dvc exp show`. Stopped or killed, the same command goes on; a member that failed is tried again.
After another commit all are run again, but what did not change comes from DVC's cache; --recorded
leaves out those whose figures are kept. What succeeded is kept in experiments/results/paper/NAME/,
the tables in docs/results/paper-NAME.md, .tex and .html. `dvc exp show` and `dvc queue logs` with a
name show the work; `dvc queue stop --kill` ends it.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from subprocess import run as call
from typing import Any

import yaml
from tabulate import tabulate

from benchmarks.sizes import ROOT
from experiments.queue import FAILED, MISSING, Found, Member, Queue
from fhvae.cited import look_up
from fhvae.commandline import run
from fhvae.errors import FhvaeError
from fhvae.files.atomic import new_file, write_json
from fhvae.report.headline import gap_key, per_key
from fhvae.report.tables import Metrics, Runs, cell, read_runs

PLAN = Path(__file__).with_suffix(".yaml")
RESULTS = Path(__file__).parent / "results" / "paper"
PAGES = ROOT / "docs" / "results"
DEFAULT = "default"
RECORDED = "recorded"  # the state of a member whose figures are there, and whose experiment is not
FORMATS = {"tex": "latex_booktabs", "html": "html"}  # and Markdown
ALPHAS = ("0", "0.1", "1", "10", "30")
SIZES = ("16", "32")
# What is kept of a member: all that its tables show, and what stands behind an EER.
KEPT = {
    "verify": ("speakers", "trials", "mu2", "mu1", "z1_stats", "ivector", "fbank",
               "static_dynamic", "absent"),
    "recognize": ("per", "gap", "absent"),
    "recognize_baselines": ("per", "absent"),
    "train": ("best_epoch", "dev_lower_bound", "steps", "collapse"),
}  # fmt: skip
PATHS = ("path", "from", "alignments")  # ends of keys that name a file or a folder
BACKENDS = {"raw": "cos", "LDA 12": "lda12", "LDA 24": "lda24"}
MISMATCHES = {"male to female": ("male", "female"), "clean to noise 10 dB": ("clean", "noise10")}


@dataclass(frozen=True)
class Planned:
    """A member of the plan with a seed.

    Attributes:
        setting: its name in paper.yaml.
        seed: of the training.
        member: the experiment.
    """

    setting: str
    seed: int
    member: Member


def planned(name: str, common: Sequence[str] = ()) -> list[Planned]:
    """Read paper.yaml, seed by seed.

    Args:
        name: of the tables, in front of every experiment's.
        common: flags `key=value` of every member, such as the corpus.
    """
    plan = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
    return [
        Planned(
            setting,
            seed,
            Member(
                f"{name}-{setting}-seed{seed}",
                (*common, *flags, f"seed={seed}"),
                tuple(plan["targets"]),
            ),
        )
        for seed in plan["seeds"]
        for setting, flags in plan["members"].items()
    ]


def keep(one: Planned, found: Found, root: Path, folder: Path) -> None:
    """Write down what a member came to: metrics at its commit.

    A file that says the same of an earlier commit stays.

    Raises:
        FhvaeError: if the experiment of that name was run with other flags.
    """
    params = yaml.safe_load(_at(root, found.rev, "params.yaml"))
    for flag in one.member.flags:
        key, _, text = flag.partition("=")
        if look_up(params, key) != (asked := yaml.safe_load(text)):
            raise FhvaeError(
                f"an experiment must have the flags of its member, found {key}="
                f"{look_up(params, key)} in {one.member.name} where {asked} is asked: add --name "
                f"NAME, or `dvc exp remove {one.member.name}`"
            )
    metrics = {
        stage: {key: value for key, value in json.loads(
            _at(root, found.rev, f"metrics/{stage}.json")).items() if key in kept}
        for stage, kept in KEPT.items()
    }  # fmt: skip
    content = {"flags": without_paths(one.member.flags), "metrics": metrics}
    path = _path(folder, one)
    if not path.exists() or {key: _read(path)[key] for key in content} != content:
        base = _git(root, "rev-parse", f"{found.rev}^").strip()
        write_json(path, {"commit": base, **content})


def without_paths(flags: Sequence[str]) -> list[str]:
    """Leave out what is of one machine: results are for git."""
    return [one for one in flags if not one.partition("=")[0].endswith(PATHS)]


def is_kept(one: Planned, folder: Path) -> bool:
    """Tell whether a file has the figures of a member with these flags."""
    path = _path(folder, one)
    return path.exists() and _read(path)["flags"] == without_paths(one.member.flags)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _at(root: Path, rev: str, path: str) -> str:
    return _git(root, "show", f"{rev}:{path}")


def _git(root: Path, *words: str) -> str:
    return call(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


def _path(folder: Path, one: Planned) -> Path:
    return folder / f"{one.setting}-seed{one.seed}.json"


@dataclass(frozen=True)
class Table:
    """A table with its title.

    Attributes:
        title: above it.
        header, rows: its cells; the last column is the state of a row's members.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


States = Mapping[str, Sequence[str]]  # setting -> the state of its member with each seed


def tables_of(runs: Runs, states: States) -> list[Table]:
    """Lay out all tables: speakers, static and dynamic, mismatch, flat against hierarchical."""
    state = {setting: _counted(found) for setting, found in states.items()}
    grid = [(alpha, size, f"alpha{alpha}-z{size}") for size in SIZES for alpha in ALPHAS]
    heads = [f"{vector} {backend}" for vector in ("mu2", "mu1") for backend in BACKENDS]
    keys = [f"verify.{v}.{b}.eer" for v in ("mu2", "mu1") for b in BACKENDS.values()]
    speakers = [
        [alpha, size, *_cells(runs, setting, keys), state[setting]] for alpha, size, setting in grid
    ]
    baselines = [
        [f"i-vector {rank}", *_cells(runs, f"ivector{rank}", _of("ivector")), state[setting]]
        for rank in ("48", "100", "200")
        if (setting := f"ivector{rank}")
    ]
    mean = ["FBANK mean + std", *_cells(runs, "alpha10-z32", _of("fbank")), state["alpha10-z32"]]
    sequential = [f"verify.static_dynamic.{code}.eer" for code in ("static", "dynamic", "gap")]
    pairs = list(MISMATCHES.values())
    z1 = [key for pair in pairs for key in (per_key("z1", *pair), gap_key("z1", *pair, "gain"))]
    fbank = [key for pair in pairs for key in (per_key("fbank", *pair), "")]
    clean = {"z1": per_key("z1", "clean", "clean"), "fbank": per_key("fbank", "clean", "clean")}
    larger = [(f"FHVAE, alpha {a}", f"alpha{a}-z32") for a in ALPHAS]
    sampled = {"flat": "alpha10-z32", "hierarchical, 150 sequences at a time": "hierarchical"}
    both = [*_of("mu2"), *_of("mu1")[:1], clean["z1"], per_key("z1", "male", "female")]
    return [
        Table("Speakers: EER of mu2 and mu1", ["alpha", "z2", *heads, "state"], speakers),
        Table("Speakers: EER of baselines", ["vector", *BACKENDS, "state"], [*baselines, mean]),
        Table(
            "Static and dynamic: EER of mu2, of mu1, and the gap (z2 of 32)",
            ["system", "static", "dynamic", "gap", "state"],
            [[title, *_cells(runs, one, sequential), state[one]] for title, one in larger],
        ),
        Table(
            "Mismatch: PER, and points of it that z1 gains on FBANK (z2 of 32)",
            ["input", "clean", *(head for name in MISMATCHES for head in (name, "gain")), "state"],
            [
                ["FBANK", *_cells(runs, "alpha10-z32", [clean["fbank"], *fbank]),
                 state["alpha10-z32"]],
                *([f"z1 of {title}", *_cells(runs, one, [clean["z1"], *z1]), state[one]]
                  for title, one in larger),
            ],
        ),
        Table(
            "Flat against hierarchical sampling (alpha 10, z2 of 32)",
            ["sampling", *heads[:4], "PER clean", "PER male to female", "state"],
            [[title, *_cells(runs, one, both), state[one]] for title, one in sampled.items()],
        ),
    ]  # fmt: skip


def _of(vector: str) -> list[str]:
    return [f"verify.{vector}.{backend}.eer" for backend in BACKENDS.values()]


def _cells(runs: Runs, setting: str, keys: Sequence[str]) -> list[str]:
    return [cell(runs.get(setting, {}), key) if key else "-" for key in keys]


def _counted(states: Sequence[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in Counter(states).items())


def page_of(tables: Sequence[Table], kind: str) -> str:
    """Write tables one below the other, as Markdown (`md`), LaTeX (`tex`) or HTML (`html`)."""
    head = {"md": "### {}\n\n", "tex": "% {}\n", "html": "<h3>{}</h3>\n"}[kind]
    parts = [
        head.format(one.title)
        + tabulate(
            one.rows, one.header, tablefmt=FORMATS.get(kind, "github"), disable_numparse=True
        )
        for one in tables
    ]
    return "\n\n".join(parts) + "\n"


def introduction(name: str, folder: Path, plan: Sequence[Planned]) -> str:
    """Say what the tables are of, how they were made, and how to make them again."""
    runs = [_read(path) for path in sorted(folder.glob("*.json"))]
    typed = (
        "make paper-tables" if name == DEFAULT else f"make paper-tables PAPER='--name {name} ...'"
    )
    commits = sorted({one["commit"][:7] for one in runs})
    verify: Metrics = next((one["metrics"]["verify"] for one in runs), {})
    trials = verify.get("trials", {})
    return (
        f"# Paper tables: {name}\n\n"
        f"{len(runs)} of {len(plan)} experiments, made of {', '.join(commits) or 'no commit'}; "
        f"{verify.get('speakers', '-')} test speakers, {trials.get('target', '-')} target and "
        f"{trials.get('nontarget', '-')} non-target trials. Percent; means over seeds of the "
        "training (standard deviation) [95 % interval over speakers and seeds; of one seed, over "
        "speakers]. (<30): fewer than 30 missed target trials stand behind an EER. LDA is fitted "
        "on train. State: what DVC says of the members of a row, one per seed; a recorded one has "
        "figures of an experiment that is not in this clone.\n\n"
        f"`{typed}` makes them again (`experiments/paper.py`, `experiments/paper.yaml`); "
        f"the same as [LaTeX](paper-{name}.tex) and [HTML](paper-{name}.html).\n\n"
    )


def write_tables(
    name: str, plan: Sequence[Planned], found: Mapping[str, Found], pages: Path = PAGES
) -> None:
    """Write the three pages from what is kept, each member with its state."""
    folder = RESULTS / name
    states: dict[str, list[str]] = {}
    for one in plan:
        state = found[one.member.name].state
        if state == MISSING and is_kept(one, folder):
            state = RECORDED
        if state == FAILED:
            state = f"{FAILED} (`dvc queue logs {one.member.name}`)"
        states.setdefault(one.setting, []).append(state)
    tables = tables_of(read_runs(folder), states)
    for kind in ("md", *FORMATS):
        path = pages / f"paper-{name}.{kind}"
        text = introduction(name, folder, plan) if kind == "md" else ""
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as partial:
            partial.write_text(text + page_of(tables, kind), encoding="utf-8")
    print(f"{pages / f'paper-{name}.md'} (.tex, .html)")


def chosen(options: argparse.Namespace) -> list[Planned]:
    """Read the plan, as far as it was asked for.

    Raises:
        FhvaeError: if nothing is left of it, or other params have no name of their own.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", options.name):
        raise FhvaeError(
            f"--name must be small letters, digits and hyphens, found {options.name!r}: it becomes "
            "part of the names of experiments and files"
        )
    if options.set_param and options.name == DEFAULT:
        raise FhvaeError(
            f"tables of other params need a name of their own, found -S {options.set_param[0]} "
            "without one: add --name NAME"
        )
    plan = [
        one
        for one in planned(options.name, options.set_param)
        if (not options.only or any(fnmatch(one.setting, pattern) for pattern in options.only))
        and (not options.seeds or one.seed in options.seeds)
    ]
    if not plan:
        raise FhvaeError(
            f"--only and --seeds must leave a member of {PLAN.name}, nothing is called "
            f"{options.only} with seed {options.seeds}: the names stand in that file"
        )
    return plan


def main() -> None:
    """Run what is missing and write the tables, or write them alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--name", default=DEFAULT, help="of the tables (default: %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="MEMBER", help="names or patterns of members")
    parser.add_argument("--seeds", type=int, nargs="*", help="only these seeds")
    parser.add_argument("-S", "--set-param", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--jobs", type=int, default=2, help="at a time (default: %(default)s)")
    parser.add_argument("--recorded", action="store_true", help="do not run what is kept already")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints")
    options = parser.parse_args()
    written = (str(RESULTS.relative_to(ROOT)), str(PAGES.relative_to(ROOT)))
    queue = Queue(ROOT, options.jobs, options.checkpoints, written)
    plan, folder = chosen(options), RESULTS / options.name
    failed: list[str] = []
    if options.action == "run":
        asked = {
            one.member.name: one for one in plan if not (options.recorded and is_kept(one, folder))
        }
        failed = queue.run(
            [one.member for one in asked.values()],
            lambda member, found: keep(asked[member.name], found, ROOT, folder),
        )
    whole = planned(options.name, options.set_param)
    write_tables(options.name, whole, queue.found(one.member for one in whole))
    if failed:
        raise FhvaeError(
            f"all members must succeed, {len(failed)} failed: "
            + "; ".join(f"`dvc queue logs {name}` says why" for name in failed)
        )


if __name__ == "__main__":
    run(main, makes_figures=False)
