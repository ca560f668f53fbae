"""Numbers at the top of a module are facts, and say which; what may be argued about is a param."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for folder in ("fhvae", "stages") for path in (ROOT / folder).rglob("*.py"))


def unexplained(source: str) -> Iterator[str]:
    """Name constants with a number in them and no comment on their lines or right above."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {
        token.start[0]: token.line.lstrip().startswith("#")
        for token in tokens
        if token.type == tokenize.COMMENT and "fmt: skip" not in token.string
    }
    for statement in ast.parse(source).body:
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or value is None:
            continue
        inside = (getattr(node, "value", None) for node in ast.walk(value))
        own = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
        beside = any(line in comments for line in own) or comments.get(statement.lineno - 1)
        if any(type(one) in (int, float) for one in inside) and not beside:
            yield source.splitlines()[statement.lineno - 1]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("A = 255.0  # mu of G.711\n", []),
        ("# mu of G.711\nA = 255.0\n", []),
        ("B = 1  # byte\nA = 255.0\n", ["A = 255.0"]),
        ("A: dict = {\n    'x': (1, 2),  # bytes\n}\n", []),
        ("A = {'x': -0.5}  # fmt: skip\n", ["A = {'x': -0.5}  # fmt: skip"]),
        ("A = True\nB = 'x'\n\ndef f(x=3):\n    C = 4\n", []),
    ],
)
def test_the_comment_must_be_its_own(source, found):
    assert list(unexplained(source)) == found


def test_a_number_that_is_no_param_says_what_fact_it_is():
    silent = {str(path.relative_to(ROOT)): list(unexplained(path.read_text())) for path in MODULES}
    assert {path: lines for path, lines in silent.items() if lines} == {}
