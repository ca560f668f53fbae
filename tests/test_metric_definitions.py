"""docs/metrics.md defines every value of every stage, and no value that there is not."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/metrics.md").read_text()
STAGES = sorted(
    {path.stem for path in ROOT.glob("metrics/*.json")} - {"summary", "summary_intervals"}
)
# Of corpora and protocols that the committed run is not.
ELSEWHERE = {
    *("voice_*", "nearer_*", "naturalness", "phone_edits", "word_edits", "arithmetic"),
    *("diverged", "silent"),
}


def definitions() -> list[tuple[str, str]]:
    """Read (stage, value) from the table, either with stars."""
    table = PAGE.partition("\n| stage | value | what it is |\n")[2].partition("\n\n")[0]
    found = []
    for line in table.splitlines()[1:]:
        stages, values, _ = line.strip("|").split(" | ", 2)
        for stage in stages.strip().split(", "):
            found += [
                (stage.replace("all", "*"), value) for value in re.findall(r"`([^`]+)`", values)
            ]
    return found


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def defines(value: str, key: str) -> bool:
    plain = re.sub(r"_(low|high)$", "", key)
    return fnmatch(plain, value) or fnmatch(plain, f"*.{value}")


def keys(stage: str) -> list[str]:
    return list(leaves(json.loads((ROOT / f"metrics/{stage}.json").read_text())))


@pytest.mark.parametrize("stage", STAGES)
def test_every_value_of_a_stage_is_defined(stage):
    own = [value for name, value in definitions() if fnmatch(stage, name)]
    silent = {key for key in keys(stage) if not any(defines(value, key) for value in own)}
    assert sorted(silent) == []


def test_every_definition_is_of_a_value_that_there_is():
    useless = [
        (stage, value)
        for stage, value in definitions()
        if value not in ELSEWHERE
        and not any(
            defines(value, key) for one in STAGES if fnmatch(one, stage) for key in keys(one)
        )
    ]
    assert useless == []


def test_a_value_is_found_by_the_end_of_its_key():
    assert defines("eer", "mu2.cos.eer_low")
    assert defines("absent.*", "absent.conditions.same_text")
    assert not defines("eer", "mu2.cos.dev_eer")
    assert not defines("eer", "eer.mu2")
