"""Hold the code part of every `deps:` in dvc.yaml to what the stage imports.

    python .ci/stage_deps.py            # names what is missing and what is useless
    python .ci/stage_deps.py --write    # mends dvc.yaml

A stage depends on its script, on every module that it imports, directly or not, at the top or
inside a function, on the packages around them, and on the tables that they read beside them. A
folder is named as a whole where all its files are of that kind. What is left out on purpose
stands in `LEFT_OUT`. Exit code 0 if dvc.yaml says just that, 1 if not.
"""

import ast
import re
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CODE = ("fhvae", "stages")
# What cannot change a number, nor can what only it imports. Each is proven so in
# tests/test_left_out.py; a stage stays fresh when they change.
LEFT_OUT: Mapping[str, str] = {
    "fhvae.errors": "classes without a body",
    "fhvae.progress": "what goes through it comes out as it was",
    "fhvae.commandline": "runs what it is given, in the world as it is",
    "fhvae.stage": "hands over the paths as they were typed, and adds digests to outputs",
    "fhvae.params.whole": "checks params.yaml and gives nothing back",
}
# Of one stage in dvc.yaml: what comes before its list of dependencies, and the list.
DEPS = r"^  {stage}:.*\n(?:    .*\n)*?    deps:.*\n((?:      - .*\n)+)"


class Code:
    """The modules below a folder, and what they import."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [path for top in CODE for path in sorted((root / top).rglob("*.py"))]
        self.files = {_module_name(path.relative_to(root)): path for path in paths}
        self.trees = {name: ast.parse(path.read_bytes()) for name, path in self.files.items()}

    def files_behind(self, starts: Collection[str]) -> set[str]:
        """Follow imports to all files that modules depend on, relative to the root."""
        found: set[str] = set()
        waiting = list(starts)
        while waiting:
            module = waiting.pop()
            if module in found or module in LEFT_OUT:
                continue
            found.add(module)
            waiting += [*self._imports(module), *_parents(module)]
        files = [file for module in found for file in (self.files[module], *self._tables(module))]
        return {file.relative_to(self.root).as_posix() for file in files}

    def _imports(self, module: str) -> set[str]:
        names: set[str] = set()
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.ImportFrom):
                package = self._package(module, node)
                names.update(f"{package}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
        return {found for name in names if (found := self._holder(name))}

    def _package(self, module: str, node: ast.ImportFrom) -> str:
        """Name what `from ... import` takes from; dots count upwards from the module's package."""
        if node.level == 0:
            return node.module or ""
        inside = module.split(".") + ["_"] * (self.files[module].name == "__init__.py")
        return ".".join([*inside[: -node.level], *filter(None, [node.module])])

    def _holder(self, name: str) -> str:
        """Cut a dotted name down to its module: fhvae.seeds.generator -> fhvae.seeds."""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        return name

    def _tables(self, module: str) -> Iterator[Path]:
        """Find the files beside a module that it names, such as "phones.csv"."""
        folder = self.files[module].parent
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value
                if re.fullmatch(r"\w+\.\w+", name) and (folder / name).is_file():
                    yield folder / name

    def folded(self, files: Collection[str]) -> list[str]:
        """Name folders as wholes where every file below is among the files, sorted."""
        wholes: list[str] = []
        for folder in sorted({one for file in files for one in Path(file).parents if one.name}):
            whole = set(self._everything(folder)) <= set(files)
            if whole and not _covered(folder.as_posix(), wholes):
                wholes.append(folder.as_posix())
        return sorted([*wholes, *(file for file in files if not _covered(file, wholes))])

    def _everything(self, folder: Path) -> Iterator[str]:
        for path in (self.root / folder).rglob("*"):
            own = path.relative_to(self.root)
            hidden = any(part.startswith((".", "__pycache__")) for part in own.parts)
            if path.is_file() and not hidden:
                yield own.as_posix()


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _covered(path: str, wholes: Sequence[str]) -> bool:
    return any(Path(path).is_relative_to(whole) for whole in wholes)


def started(command: str, variables: Mapping[str, Any], code: Code) -> set[str]:
    """Find the modules that a command of dvc.yaml starts: python -m stages.train."""
    for name, value in variables.items():
        command = command.replace(f"${{{name}}}", str(value))
    words = re.findall(rf"\b(?:{'|'.join(CODE)})(?:\.\w+)+", command)
    return {word for word in words if word in code.files}


def is_code(dep: str) -> bool:
    """Tell code from data among the dependencies of a stage."""
    return dep.split("/")[0] in CODE


def wanted_deps(root: Path) -> dict[str, list[str]]:
    """Say, by stage, which code dvc.yaml must name: the script first."""
    pipeline = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    variables = {name: value for one in pipeline.get("vars", []) for name, value in one.items()}
    code, wanted = Code(root), {}
    for stage, entry in pipeline["stages"].items():
        files = code.files_behind(started(entry["cmd"], variables, code))
        script = f"stages/{stage}.py"
        wanted[stage] = [script, *code.folded(files - {script})]
    return wanted


def mended(text: str, wanted: Mapping[str, Sequence[str]]) -> str:
    """Put the wanted code into the text of dvc.yaml; data, comments and layout stay."""
    for stage, deps in wanted.items():
        found = re.search(DEPS.format(stage=stage), text, re.MULTILINE)
        if found is None:
            raise ValueError(f"dvc.yaml: the deps of stage {stage} must be a list, a line each")
        lines = {line.split()[1]: line for line in found[1].splitlines(keepends=True)}
        data = [line for dep, line in lines.items() if not is_code(dep)]
        code = [lines.get(dep, f"      - {dep}\n") for dep in deps]
        text = text[: found.start(1)] + "".join([*code, *data]) + text[found.end(1) :]
    return text


def differences(root: Path) -> list[str]:
    """Name each dependency on code that is missing from dvc.yaml or useless there."""
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    found = []
    for stage, wanted in wanted_deps(root).items():
        listed = [dep for dep in stages[stage]["deps"] if is_code(dep)]
        found += [f"{stage}: {dep} is missing" for dep in wanted if dep not in listed]
        found += [f"{stage}: {dep} is useless" for dep in listed if dep not in wanted]
    return found


def main() -> int:
    """Compare or mend."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="mend dvc.yaml")
    root = Path(__file__).resolve().parents[1]
    path = root / "dvc.yaml"
    if parser.parse_args().write:
        text = mended(path.read_text(encoding="utf-8"), wanted_deps(root))
        path.write_text(text, encoding="utf-8")
        return 0
    found = differences(root)
    for line in [*found, "`make deps` mends dvc.yaml"] if found else []:
        print(line)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
