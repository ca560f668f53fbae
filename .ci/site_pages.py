"""Pages of the site that are made from code, so that nothing is written twice.

- params.md: values and comments of params.yaml, types and bounds of fhvae/params/, stages of
  dvc.yaml.
- cli.md: the help of `fhvae` and of each of its commands.
- tour.md: the notebook.
- api/: docstrings, by mkdocstrings, a page for each room of the library.
- metrics.md: beside each definition the value of this clone and its interval.
"""

import argparse
import dataclasses
import json
import os
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import yaml

from fhvae import cli
from fhvae.params.reading import BOUNDS
from fhvae.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
KEY = re.compile(r"^(?P<indent> *)(?P<name>\w+):(?P<rest>.*)$")
COMMENT = re.compile(r"(?:^|\s)# ?(.*)$")
CONTINUED = re.compile(r"^\s*# ?(.*)$")
WORDS = {float: "number", int: "whole number", str: "text", bool: "true or false"}
PUBLIC = ("pretrained", "recording", "transformer", "errors")  # what `import fhvae` offers


@dataclass(frozen=True)
class Param:
    """A key of params.yaml.

    Attributes:
        key: dotted.
        value: the default, as it is typed.
        kind: type and bounds, in words.
        comment: from params.yaml.
        stages: that read it.
    """

    key: str
    value: str
    kind: str
    comment: str
    stages: tuple[str, ...]


def params(root: Path = ROOT) -> list[Param]:
    """Gather what is known of every key, in the order of params.yaml."""
    text = (root / "params.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    comments, kinds, readers = comments_of(text), kinds_of(Params), stages_of(root)
    for key in kinds:  # the two protocols of recognition share their keys
        comments.setdefault(key, comments.get(key.replace(".full.", ".headline."), ""))
    return [
        Param(key, _typed(value), kinds[key], comments.get(key, ""), readers(key))
        for key, value in _leaves(values)
    ]


def comments_of(text: str) -> dict[str, str]:
    """Read the comments of params.yaml by dotted key: on its line, and alone below it."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        if key := KEY.match(line):
            depth = len(key["indent"])
            path = [*(part for part in path if part[0] < depth), (depth, key["name"])]
            name = ".".join(part for _, part in path)
            if comment := COMMENT.search(key["rest"]):
                found[name] = comment[1]
        elif path and (comment := CONTINUED.match(line)):
            name = ".".join(part for _, part in path)
            found[name] = f"{found.get(name, '')} {comment[1]}".strip()
    return found


def kinds_of(section: type, prefix: str = "") -> dict[str, str]:
    """Say the type and the bounds of every key in words."""
    hints, found = typing.get_type_hints(section), dict[str, str]()
    for field in dataclasses.fields(section):
        key, kind = prefix + field.name.rstrip("_"), hints[field.name]
        if dataclasses.is_dataclass(kind):
            found |= kinds_of(typing.cast(type, kind), f"{key}.")
            continue
        limits = (
            f"{word} {field.metadata[name]:g}"
            for word, name, _ in BOUNDS
            if field.metadata.get(name) is not None
        )
        found[key] = " ".join([_in_words(kind), ", ".join(limits)]).strip()
    return found


def _in_words(kind: Any) -> str:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inside)) if len(inside) > 1 else str(inside[0])
    if origin is tuple:
        return f"list of: {_in_words(inside[0])}"
    if origin is types.UnionType:
        return " or ".join("empty" if one is type(None) else _in_words(one) for one in inside)
    return WORDS[kind]


def stages_of(root: Path) -> typing.Callable[[str], tuple[str, ...]]:
    """Tell, of a key, the stages that read it or a section around it (dvc.yaml).

    `report` is left out: it reads every key, to print it.
    """
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    stages.pop("report", None)

    def readers(key: str) -> tuple[str, ...]:
        around = {key[: end.start()] for end in re.finditer(r"\.|$", key)}
        return tuple(
            name for name, stage in stages.items() if around & set(stage.get("params", ()))
        )

    return readers


def _leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _typed(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_typed, value)) or "[]"
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0") + ("0" if value == int(value) else "")
    if isinstance(value, bool):
        return str(value).lower()
    return "empty" if value is None else str(value)


def params_page(root: Path = ROOT) -> str:
    """Write a table for each section."""
    found, text = params(root), (root / "params.yaml").read_text(encoding="utf-8")
    comments = comments_of(text)
    lines = [
        "# Every param",
        "",
        f"The {len(found)} numbers and choices that may be argued about, with the default of "
        "`params.yaml`. Change one for a run, and nothing else:",
        "",
        "```sh",
        "dvc exp run --temp -n alpha0 -S alpha=0",
        "```",
        "",
        "A change reruns the stages named below it, and what depends on them. A value of the wrong "
        "type or beyond its bounds ends every stage before it begins, with a sentence that says "
        "which ([troubleshooting](troubleshooting.md#params)).",
    ]
    section = None
    for one in found:
        head = one.key.rpartition(".")[0]
        if head != section:
            section = head
            lines += ["", f"## {head or 'Top level'}", ""]
            lines += [f"{_sentence(comments[head])}", ""] if head in comments else []
            lines += ["| key | default | what it is |", "| --- | --- | --- |"]
        lines.append(_row(one))
    return "\n".join(lines) + "\n"


def _row(one: Param) -> str:
    name = one.key.rpartition(".")[2]
    said = [_sentence(one.comment)] if one.comment else []
    said += [f'<span class="kind">{escape(one.kind)}</span>']
    said += [f'<span class="stages">{", ".join(one.stages)}</span>'] if one.stages else []
    anchor = one.key.replace(".", "-").replace("_", "-")
    cells = (f'<a id="{anchor}"></a>`{name}`', f"`{one.value}`", "<br>".join(said))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(text: str) -> str:
    """Begin with a capital; pages of docs/ that it names become links."""
    escaped = escape(text, quote=False).replace("*", r"\*")
    linked = re.sub(r"docs/([\w/-]+\.md)", r"[\1](\1)", escaped)
    return linked[:1].upper() + linked[1:]


def cli_page() -> str:
    """Write the help of the command and of each command below it."""
    top = cli.parser()
    (commands,) = (one for one in top._actions if isinstance(one, argparse._SubParsersAction))
    lines = [
        "# The command `fhvae`",
        "",
        "On files, globs or folders of audio, of any rate, channels and length; "
        "[use.md](use.md) shows it at work. `python -m fhvae` is the same.",
        "",
        "```text",
        _help_of(top),
        "```",
    ]
    for name, parser in commands.choices.items():
        lines += ["", f"## fhvae {name}", "", "```text", _help_of(parser), "```"]
    return "\n".join(lines) + "\n"


def _help_of(parser: argparse.ArgumentParser) -> str:
    """Format as on a terminal of 100 columns, whatever the one of the build has."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "102"
    try:
        return parser.format_help().strip()
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def notebook_page(path: Path) -> str:
    """Lay out a notebook without outputs: its texts, and its code as blocks."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    fenced = {"code": "```python\n{}\n```", "markdown": "{}"}
    return (
        "\n\n".join(fenced[one["cell_type"]].format("".join(one["source"])) for one in cells) + "\n"
    )


def rooms() -> list[str]:
    """Name the folders and modules of the library, but those of `PUBLIC`."""
    found = [*(ROOT / "fhvae").iterdir()]
    folders = [path.name for path in found if (path / "__init__.py").exists()]
    modules = [path.stem for path in found if path.suffix == ".py" and path.stem[0] != "_"]
    return sorted({*folders, *modules} - set(PUBLIC))


def api_pages() -> dict[str, str]:
    """Write the pages that mkdocstrings fills."""
    top = [
        "# Python",
        "",
        "`import fhvae` imports nothing; each name is found when it is asked for. "
        "[use.md](../use.md) shows them at work.",
        "",
        *(f"::: fhvae.{name}\n" for name in PUBLIC),
    ]
    return {"api/index.md": "\n".join(top)} | {
        f"api/{room}.md": _room_page(room) for room in rooms()
    }


def _room_page(room: str) -> str:
    folder = ROOT / "fhvae" / room
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    names = [name.removesuffix(".__init__") for name in names]
    return f"# {room}\n\n" + "\n".join(f"::: {name}\n" for name in names)


def with_values(markdown: str, root: Path = ROOT) -> str:
    """Lay the values of metrics/summary.json beside the definitions in docs/metrics.md."""
    values = json.loads((root / "metrics/summary.json").read_text(encoding="utf-8"))
    beside = json.loads((root / "metrics/summary_intervals.json").read_text(encoding="utf-8"))
    lines, inside = [], False
    for line in markdown.splitlines():
        if line.startswith("| value |"):
            inside = True
            line += " here, with its interval |"
        elif inside and line and set(line) <= set("|-"):
            line += "---|"
        elif inside and line.startswith("|"):
            names = re.findall(r"`(\w+)`", line.split("|")[1])
            line += f" {'<br>'.join(_told(name, values, beside['cited']) for name in names)} |"
        else:
            inside = False
        lines.append(line)
    return "\n".join(lines) + "\n"


def _told(name: str, values: dict[str, Any], cited: dict[str, Any]) -> str:
    if name not in values:
        return "-"
    ends = [cited.get(name, {}).get(end) for end in ("low", "high")]
    within = f" [{ends[0]:g}, {ends[1]:g}]" if None not in ends else ""
    return f'<span class="value">{values[name]:g}{within}</span>'
