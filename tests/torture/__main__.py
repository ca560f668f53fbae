"""Torture the pipeline of a tiny corpus: faults, drawn by a seed, and what became of each.

    python -m tests.torture                          # 1,000 faults; stopped, it goes on
    python -m tests.torture --seconds 300
    python -m tests.torture --only 'train: KILL stage, at a change' --draw 2
    python -m tests.torture --repeats 12             # one hash? --default: of the default corpus
    python -m tests.torture --part 1/2 & python -m tests.torture --part 2/2      # on two cores

A case is a fault, a stage and a draw. All stages but one have run; that one runs and meets the
fault; then `dvc repro` is typed, and what a sentence names. In the end every result must have the
bytes of an undisturbed run, without a traceback on the way, and nothing else may lie around.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path
from typing import Any

from fhvae.progress import progress_bar
from fhvae.seeds import generator
from tests.torture.bench import Bench, Stage, code_digest
from tests.torture.faults import FAULTS
from tests.torture.judge import FAILURES, Outcome, play
from tests.torture.repeats import repeat, settings
from tests.torture.table import write_page

RESULTS, PAGE = Path("experiments/results/torture.jsonl"), Path("docs/torture.md")


def planned(stages: list[Stage], seed: int) -> Iterator[tuple[str, Stage, int]]:
    """Yield cases without end: first every fault once and every stage, then every pair, again."""
    random = generator(seed, "plan")
    pairs = [(name, stage) for name in FAULTS for stage in stages if FAULTS[name].suits(stage)]
    for draw in count():
        left, met, first = [pairs[place] for place in random.permutation(len(pairs))], Counter(), []
        for name in dict.fromkeys(name for name, _ in left):
            own = [pair for pair in left if pair[0] == name]
            first.append(min(own, key=lambda pair: met[pair[1].name]))
            met[first[-1][1].name] += 1
        for name, stage in first + [pair for pair in left if pair not in first]:
            yield name, stage, draw


def named(text: str, stages: dict[str, Stage]) -> tuple[str, Stage]:
    """Read `<stage>: <fault>`."""
    name, _, fault = text.partition(": ")
    if name not in stages or fault not in FAULTS or not FAULTS[fault].suits(stages[name]):
        raise SystemExit(
            f"error: --only must be '<stage>: <fault>', got {text!r}; "
            f"stages: {', '.join(stages)}; faults: {'; '.join(FAULTS)}"
        )
    return fault, stages[name]


class Record:
    """What was found of this code, a line each; what was found of other code is no longer true."""

    def __init__(self, path: Path, code: str, seed: int) -> None:
        self.path, self.of = path, {"code": code, "seed": seed}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if any(json.loads(line)["code"] != code for line in lines):
            path.write_text("", encoding="utf-8")

    def read(self, kind: str) -> list[dict[str, Any]]:
        """Read what is known."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        lines = map(json.loads, text.splitlines())
        return [line[kind] for line in lines if kind in line and self.of.items() <= line.items()]

    def add(self, kind: str, found: Mapping[str, Any]) -> None:
        """Keep one more; others may write beside."""
        with self.path.open("ab", buffering=0) as file:
            file.write((json.dumps({**self.of, kind: found}) + "\n").encode())


def torture(bench: Bench, record: Record, options: argparse.Namespace) -> None:
    """Play what is planned and not known yet, until it is done or time is over."""
    part, parts = options.part
    plan = planned(list(bench.stages.values()), options.seed)
    cases = list(islice(plan, options.faults))[part - 1 :: parts]
    found_before = {(one["fault"], one["stage"], one["draw"]) for one in record.read("case")}
    known = {case for case in cases if (case[0], case[1].name, case[2]) in found_before}
    bar = progress_bar(None, "torture", "fault", len(cases), initial=len(known))
    over = time.monotonic() + options.seconds
    for fault, stage, draw in cases:
        if (fault, stage, draw) in known:
            continue
        if time.monotonic() > over:
            break
        found = play(bench, fault, stage, draw, options.seed)
        record.add("case", kept(found))
        if found.verdict in FAILURES:
            bar.write(f"{found.verdict}: {stage.name}: {fault}, draw {draw}: {found.told}")
        bar.update()
    bar.close()
    bench.close()


def kept(found: Outcome) -> dict[str, Any]:
    """Leave out what no page shows of a case that ended well."""
    whole = asdict(found)
    return whole if found.verdict in FAILURES else {**whole, "said": ""}


def part(text: str) -> tuple[int, int]:
    """Read `I/N`, the I-th of N parts."""
    own, _, parts = text.partition("/")
    if not 1 <= int(own) <= int(parts):
        raise argparse.ArgumentTypeError(f"must be I/N with I from 1 to N, found {text!r}")
    return int(own), int(parts)


def main() -> int:
    """Torture, and write the page; 1 if anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=1000, help="in all")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of this call, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="'STAGE: FAULT'", help="one case")
    parser.add_argument("--draw", type=int, default=0, help="of --only")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="I/N", help="every N-th of it")
    parser.add_argument("--repeats", type=int, default=0, help="under other settings; no faults")
    parser.add_argument("--default", action="store_true", help="repeats of the default corpus")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--work", type=Path, help="where to play; else a folder of the system's")
    options = parser.parse_args()
    code = code_digest()
    own, parts = options.part
    default = Path(tempfile.gettempdir()) / f"fhvae-torture-{os.getuid()}-{own}"
    work = options.work or default
    if options.only:
        bench = Bench(work, code)
        found = play(bench, *named(options.only, bench.stages), options.draw, options.seed)
        bench.close()
        print(json.dumps(asdict(found), indent=2))
        return int(found.verdict in FAILURES)
    record = Record(options.results, code, options.seed)
    if options.repeats:
        kind = "default" if options.default else "tiny"
        known = [one["setting"] for one in record.read("repeat") if one["corpus"] == kind]
        for setting in list(islice(settings(options.seed), options.repeats))[own - 1 :: parts]:
            if asdict(setting) not in known:
                found = repeat(work / "repeat", setting, kind)
                record.add("repeat", asdict(found))
                print(found, flush=True)
    else:
        torture(Bench(work, code), record, options)
    cases, repeats = record.read("case"), record.read("repeat")
    write_page(options.page, record.of, cases, repeats)
    failed = [case for case in cases if case["verdict"] in FAILURES]
    print(f"{len(cases)} faults, {len(failed)} failures")
    hashes = {(one["corpus"], one["hash"]) for one in repeats}
    return int(bool(failed) or len(hashes) > len({corpus for corpus, _ in hashes}))


if __name__ == "__main__":
    sys.exit(main())
