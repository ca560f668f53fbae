"""params.yaml with anything in it: params as they must be, or one short sentence.

`FHVAE_FUZZ=10000 python -m pytest tests/fuzz` tries as many, `FHVAE_FUZZ_SEED` others.
"""

import copy
import dataclasses
import math
import os
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import ParseError, parse_yaml
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from fhvae.errors import LONGEST, ParamsError
from fhvae.params.reading import MOST_WHOLE, from_mapping, read_yaml
from fhvae.params.whole import Params, load_params
from tests.tiny import ROOT

pytestmark = pytest.mark.timeout(6 * 3600)  # of the long run
EXAMPLES = int(os.environ.get("FHVAE_FUZZ", "60"))
LINES = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
VALUES = yaml.safe_load("\n".join(LINES))

LAUGHS = "{a: &a [x, x, x, x, x, x, x, x, x], b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], " + (
    "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b], d: [*c, *c, *c, *c, *c, *c, *c, *c, *c]}"
)
NASTY = [
    *("1:30", "010", "0o10", "0x10", "0b1", "1_000", "1e3", "1e-3", "1.5e400", ".inf", "-.inf"),
    *(".nan", "yes", "no", "on", "off", "y", "~", "null", "true", "2001-01-01", "2001-99-99"),
    *("9" * 400, "9" * 5000, "-" + "9" * 400, "0x" + "f" * 5000, "1." + "0" * 400, str(2**63)),
    *("[" * 400 + "]" * 400, "[" * 10_000, "{a: " * 60 + "1" + "}" * 60, "&a [*a]", "&a {a: *a}"),
    *(
        "*a",
        "<<: *a",
        "!!python/name:os.system",
        "!!binary x",
        "!!set {a}",
        "!!omap [a: 1]",
        "!x y",
    ),
    *(
        "? [a, b]\n: c",
        "'\\0'",
        '"\\0\\x1b[2J"',
        '"\\u202e"',
        "x" * 140_000,
        "|\n  a\n  b",
        "%YAML",
    ),
    *(
        "!!int x",
        "!!float []",
        "!!timestamp 1",
        "=",
        "<<",
        "-",
        "- -",
        "",
        "#",
        "\t",
        "\x00",
        "\ufeff",
    ),
    LAUGHS,
]
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=30))
numbers = st.one_of(st.integers(), st.floats(), st.integers(-5, 5), st.just(10**400))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, st.dates(), st.binary(max_size=9)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=False, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
seeded = seed(int(os.environ.get("FHVAE_FUZZ_SEED", "0")))


def check_sentence(error: ParamsError) -> None:
    assert str(error).isprintable()
    assert 0 < len(str(error)) <= LONGEST


def check_sound(found: Any) -> None:
    """Every number is finite, and can be counted with unless it is a seed."""
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        for one in value if isinstance(value, tuple) else [value]:
            if dataclasses.is_dataclass(one):
                check_sound(one)
            elif isinstance(one, float):
                assert math.isfinite(one)
            elif isinstance(one, int) and field.name != "seed":
                assert abs(one) <= MOST_WHOLE
            else:
                assert one is None or isinstance(one, str | int)


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """Spoil some lines of params.yaml: other values, lines gone, doubled, moved, cut.

    Mostly of a part of it, which is read ten times as fast, and then lacks a key.
    """
    start = draw(st.integers(0, len(LINES) - 20))
    lines = LINES[start : start + 20] if draw(st.integers(0, 9)) else list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key, colon, _ = lines[place].partition(":")
        match draw(st.sampled_from(["value"] * 4 + ["key", "gone", "twice", "indent", "line"])):
            case "value":
                lines[place] = f"{key}{colon} {draw(texts)}"
            case "key":
                lines[place] = f"{draw(texts)}: {lines[place].partition(':')[2]}"
            case "gone":
                del lines[place]
            case "twice":
                lines.insert(draw(st.integers(0, len(lines))), lines[place])
            case "indent":
                lines[place] = " " * draw(st.integers(0, 5)) + lines[place].strip()
            case "line":
                lines.insert(place, draw(texts))
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.binary(max_size=3)) + content[place + 1 :]
    return content


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("fuzz") / "params.yaml"


@seeded
@fuzzed
@given(content=spoiled_files())
def test_a_file_gives_params_or_a_sentence_and_dvc_reads_the_same(path, content):
    path.write_bytes(content)
    try:
        found = load_params(path)
    except ParamsError as error:
        check_sentence(error)
        return
    check_sound(found)
    assert parse_yaml(content.decode(), str(path)) == read_yaml(path)


@seeded
@fuzzed
@given(data=st.data())
def test_values_give_params_or_a_sentence(data):
    values = copy.deepcopy(VALUES)
    for _ in range(data.draw(st.integers(1, 3))):
        section: Any = values
        while True:
            key = data.draw(st.sampled_from(sorted(section, key=str)))
            inner = section[key]
            if not isinstance(inner, dict) or not inner or data.draw(st.integers(0, 9)) == 0:
                break
            section = inner
        section[key] = data.draw(plain)
    try:
        check_sound(from_mapping(Params, values, source="params.yaml"))
    except ParamsError as error:
        check_sentence(error)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("key", ["alpha", "seed", "corpus", "conditions", "path"])
def test_a_nasty_value_gives_params_or_a_sentence(path, key, text):
    lines = [
        f"{line.partition(':')[0]}: {text}" if line.strip().startswith(f"{key}:") else line
        for line in LINES
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        check_sound(load_params(path))
    except ParamsError as error:
        check_sentence(error)
    else:
        assert parse_yaml(path.read_text(encoding="utf-8"), "x") == read_yaml(path)


@seeded
@fuzzed
@given(text=st.text())
@example("1:30")
@example("yes")
@example("010")
def test_a_text_means_to_us_what_it_means_to_dvc(path, text):
    path.write_text(f"key: {text}\n", encoding="utf-8", errors="surrogatepass")
    try:
        ours = read_yaml(path)
    except ParamsError as error:
        check_sentence(error)
        return
    try:
        theirs = parse_yaml(path.read_text(encoding="utf-8"), "x")
    except ParseError:
        pytest.fail("DVC reads it not")
    assert ours == theirs or ours != ours or str(ours) == str(theirs)
