"""Play a fault, let the user do what a user does, and say what became of it."""

import re
import shlex
import time
from dataclasses import dataclass

from fhvae.seeds import generator
from tests.torture.bench import Bench, Ended, Stage, remove
from tests.torture.faults import FAULTS, Case

MISSED, EQUAL, REPRO, COMMAND, CLEARED, TOLD = (
    "over before the fault came",
    "equal at once",
    "equal after dvc repro",
    "equal after the command that its sentence names",
    "equal, with copies half-written by DVC in its cache; make clears them",
    "equal after what make verify named was deleted",
)
NO_SENTENCE, LEFTOVERS, TRACEBACK, BLOCKED, SILENT = FAILURES = (  # the worst last
    "NO SENTENCE",
    "LEFTOVERS",
    "TRACEBACK",
    "BLOCKED",
    "SILENT DIFFERENCE",
)
MOST_COMMANDS = 6
VERIFY = ("python", ".ci/verify.py")  # make verify, in a tree without an environment of its own
MEND = ("python", ".ci/mend_dvc.py", "--older-than", "0")  # as make does before dvc repro
MOST_SAID = 600  # letters kept of what a command said in the end
# Ctrl-C while Python itself begins: no line of a stage or a library has run, Python shows its own
STARTING = re.compile(
    r"(?:Fatal Python error: init_import_site.*\n(?:Python runtime state.*\n)?)?"
    r"Traceback \(most recent call last\):\n"
    r"(?:(?!.*/(?:site-packages|(?:stages|fhvae)/(?!__init__|portable))) .*\n)*KeyboardInterrupt"
)
CRASH = re.compile(r"Traceback \(most recent call last\)|Fatal Python error|terminate called")
# 2: bad input, 130: interrupted; below 0, by way of a shell beyond 128: by a signal that was sent
ENDS = {0, 2, 130, *(code for sent in (1, 2, 9, 15) for code in (-sent, 128 + sent))}
# what a sentence tells to do, and what a user then types; {0} is what it names
REMEDIES = (
    (r"delete (\S+) and run `dvc repro`", "rm -rf {0}"),
    (r"error: (?:\S+ )?(\S+) must .*(?:; delete it|, and delete the file)", "rm -rf {0}"),
    (r"rerun the stage (\w+)", "dvc repro --force --single-item {0}"),
    (r"`((?:git|rm) [^`]+)`", "{0}"),
    # what DVC says, and docs/troubleshooting.md answers
    (r"Unable to read RWLock-file", "rm .dvc/tmp/rwlock"),
    (r"RWLock-file .* format error", "rm .dvc/tmp/rwlock"),
    (r"join\(\) argument must be", "find .dvc/cache/runs -type d -empty -delete"),
    (r"failed to reproduce '\w+':\s*\Z", "git restore dvc.lock"),
    (r"dvc\.lock' (?:is invalid|validation failed)|read: 'dvc\.lock'", "git restore dvc.lock"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a case; `verdict` is one of the sentences above."""

    fault: str
    stage: str
    draw: int
    seed: int
    verdict: str
    told: list[str]
    codes: list[int | None]
    commands: list[str]
    unequal: list[str]
    leftovers: list[str]
    said: str
    seconds: float


def play(bench: Bench, fault: str, stage: Stage, draw: int, seed: int) -> Outcome:
    """Play one case; the same arguments draw the same."""
    begun = time.monotonic()
    case = Case(bench, stage, generator(seed, "torture", fault, stage.name, draw))
    victims = FAULTS[fault].play(case)
    healing = [] if _is_well(bench, victims) else heal(bench)
    bench.end()
    told = verify(bench) if case.rotten and bench.unequal() else []
    unequal = case.unequal + bench.unequal()
    clearing = []
    if bench.leftovers() and (bench.tree / MEND[1]).exists():
        clearing = [bench.start(*MEND).wait()]
    leftovers = bench.leftovers()
    found = verdict(case.hit, victims, clearing + healing + told, unequal, leftovers)
    said = "\n--\n".join(one.said.strip()[-MOST_SAID:] for one in (*victims, *healing[:-1]))
    return Outcome(
        fault=fault,
        stage=stage.name,
        draw=draw,
        seed=seed,
        verdict=found,
        told=case.told,
        codes=[one.code for one in (*victims, *healing, *told, *clearing)],
        commands=[one.command for one in (*healing, *told, *clearing)],
        unequal=unequal,
        leftovers=leftovers,
        said=said,
        seconds=round(time.monotonic() - begun, 1),
    )


def _is_well(bench: Bench, victims: list[Ended]) -> bool:
    return all(one.code == 0 for one in victims) and not bench.unequal()


def heal(bench: Bench) -> list[Ended]:
    """Type `dvc repro`; where it fails what its sentence names, and again."""
    done: list[Ended] = []
    while len(done) < MOST_COMMANDS:
        done.append(bench.dvc("repro").wait())
        if done[-1].code == 0:
            break
        command = remedy(done[-1].said)
        if command is None:
            break
        if any(one.command == command for one in done):
            return done + verify(bench)
        done.append(bench.start(*shlex.split(command)).wait())
    return done


def verify(bench: Bench) -> list[Ended]:
    """Type `make verify`, delete what it names, and `dvc repro` again."""
    if not (bench.tree / VERIFY[-1]).exists():
        return []
    found = bench.start(*VERIFY).wait()
    for path in re.findall(r"^  (\S+) \(", found.said, re.MULTILINE):
        remove(bench.tree / path)
    return [found, bench.dvc("repro").wait()]


def remedy(said: str) -> str | None:
    """Find the command that a sentence names."""
    for told, command in REMEDIES:
        if found := re.search(told, said):
            return command.format(*found.groups())
    return None


def verdict(
    hit: bool,
    victims: list[Ended],
    healing: list[Ended],
    unequal: list[str],
    leftovers: list[str],
) -> str:
    """Say what became of a case."""
    every = [*victims, *healing]
    exits = {int(code) for one in every for code in re.findall(r"exited with (-?\d+)", one.said)}
    if any(one.code is None for one in every) or (healing and healing[-1].code != 0):
        return BLOCKED
    if unequal:
        return SILENT
    if any(CRASH.search(STARTING.sub("", one.said)) for one in every):
        return TRACEBACK
    if exits - ENDS:
        return NO_SENTENCE
    if leftovers:
        return LEFTOVERS
    if not hit:
        return MISSED
    if any(one.command == " ".join(VERIFY) for one in healing):
        return TOLD
    if any(one.command == " ".join(MEND) for one in healing):
        return CLEARED
    if len(healing) > 1:
        return COMMAND
    return REPRO if healing else EQUAL
