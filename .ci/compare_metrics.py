"""Compare metrics/*.json of the working tree with the committed ones, within tolerances.

On any x86-64 machine with AVX2 `make reproduce` gives the committed metrics bit for bit
(docs/portability.md), and CI asks for that with `--exact`. Another architecture rounds sums in
another order, and thousands of training steps carry the last bit into the second decimal: with
AVX2 in place of AVX-512 one run of the default moved fractions by up to 0.019, minDCF by 0.034
and nats by 2.4 %. Twice that is allowed without `--exact`:

    counts, names, flags   equal
    fractions in [0, 1]    within 0.04 (EER, accuracy, their intervals)
    ROUGH                  within 0.1 (a few trials, or a second training on top, decide them)
    other numbers          within 5 % of the committed one (nats per segment)
    NOT_JUDGED             listed only: what early stopping and the dev split choose, and ratios
                           of small differences

Figures that say of themselves that they are of one processor alone (`arithmetic`, from
FHVAE_FAST=1 or a stage started by hand) are refused with and without `--exact`.

Exit code 0 if all agree, 1 if not, 2 if a file cannot be read.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

FRACTION_TOLERANCE = 0.04
ROUGH_TOLERANCE = 0.1
RELATIVE_TOLERANCE = 0.05
NOT_JUDGED = (
    "train.best_epoch",
    "train.steps",
    "train.segments",
    "train.passes",
    "latents.*.active_z?",
    "probe.*penalty",
    "probe.*.epochs",
    "verify.*.backend",
    "verify.*.best.*",
    "verify.*.dimensions",
    "verify.*.n_err_eer",
    "verify.*.speakers_err_eer",
    "verify.*.rule_of_30",
    "verify.difference.*.better",
    "recognize*.gap*",
    "recognize*.absent.*",
    "ivector.chosen.*",
    "ivector.by_detector.*",
    "summary*",  # copies of values that are judged where they come from
)
ROUGH = (
    "*.mindcf*",
    "*.actdcf*",
    "*.cllr*",
    "recognize*",
    "probe.*.mlp.*",
    "probe.snr.*",
)
ABSENT = "absent"
EXIT_UNREADABLE = 2
OF_ONE_PROCESSOR = "arithmetic"  # fhvae/portable.py


@dataclass(frozen=True)
class Difference:
    """One metric whose value is not the committed one."""

    key: str
    committed: Any
    found: Any
    agrees: bool

    def __str__(self) -> str:
        """Show the metric on one line."""
        verdict = "ok " if self.agrees else "BAD"
        return f"  {verdict} {self.key}: {self.committed} -> {self.found}"


def flatten(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Walk over (dotted key, value) of nested metrics."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flatten(inner, f"{key}.{name}")
    else:
        yield key, value


def agree(key: str, committed: Any, found: Any) -> bool:
    """Say whether two values of one metric count as the same result."""
    if any(fnmatchcase(key, pattern) for pattern in NOT_JUDGED):
        return ABSENT not in (committed, found)
    if not isinstance(committed, float) or not isinstance(found, float):
        return type(committed) is type(found) and bool(committed == found)
    if 0 <= committed <= 1 and 0 <= found <= 1:
        rough = any(fnmatchcase(key, pattern) for pattern in ROUGH)
        tolerance = ROUGH_TOLERANCE if rough else FRACTION_TOLERANCE
        return abs(found - committed) <= tolerance
    return abs(found - committed) <= RELATIVE_TOLERANCE * abs(committed)


def compare(
    committed: Mapping[str, Any], found: Mapping[str, Any], exact: bool = False
) -> list[Difference]:
    """List the metrics that differ; both arguments map a file's stem to its metrics."""
    before = dict(item for stem, value in committed.items() for item in flatten(value, stem))
    after = dict(item for stem, value in found.items() for item in flatten(value, stem))
    differences = []
    for key in sorted(before | after):
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old != new or type(old) is not type(new):
            differences.append(Difference(key, old, new, not exact and agree(key, old, new)))
    return differences


def of_one_processor(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Find the files whose figures only the processor that made them need give, and why."""
    return {
        stem: str(value[OF_ONE_PROCESSOR])
        for stem, value in sorted(metrics.items())
        if OF_ONE_PROCESSOR in value
    }


def committed_metrics(base: str) -> dict[str, Any]:
    """Read metrics/*.json as they stand in the commit `base`."""
    names = _git("ls-tree", "--name-only", base, "metrics/").split()
    return {
        Path(name).stem: _parsed(_git("show", f"{base}:{name}"), f"{name} of {base}")
        for name in names
        if name.endswith(".json")
    }


def metrics_here() -> dict[str, Any]:
    """Read metrics/*.json of the working tree."""
    return {
        path.stem: _parsed(path.read_text(encoding="utf-8", errors="replace"), str(path))
        for path in Path("metrics").glob("*.json")
    }


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _end(f"{name} must be metrics as JSON, it is not; rerun its stage or check it out again")
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=False, capture_output=True)
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        _end(f"git {' '.join(arguments)} must answer, it says: {said}")
    return done.stdout.decode(errors="replace")


def _end(sentence: str) -> NoReturn:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(EXIT_UNREADABLE)


def main() -> int:
    """Print what differs and return the exit code."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", default="HEAD", help="the commit to compare with")
    parser.add_argument("--exact", action="store_true", help="no tolerance")
    options = parser.parse_args()
    committed = committed_metrics(options.base)
    if not committed:
        print(f"error: {options.base} must hold metrics/*.json, found none; commit the metrics")
        return 1
    found = metrics_here()
    refused = of_one_processor(committed) | of_one_processor(found)
    for stem, kind in refused.items():
        print(f"  BAD {stem}: arithmetic {kind}; run dvc repro --force without FHVAE_FAST")
    differences = compare(committed, found, options.exact)
    wrong = [difference for difference in differences if not difference.agrees]
    for difference in differences:
        print(difference)
    print(
        f"metrics against {options.base}: {len(committed)} files, "
        f"{len(differences)} values differ, {len(wrong)} of them too much"
    )
    if wrong:
        print("If the change is meant, commit dvc.lock and metrics/ with it.")
    return 1 if wrong or refused else 0


if __name__ == "__main__":
    sys.exit(main())
