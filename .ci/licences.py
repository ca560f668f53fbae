"""Write the licences of all installed packages into docs/licences.md.

    make sbom             # or: python .ci/licences.py PYTHON, where pip-licenses is installed

PYTHON is the interpreter of the environment that is listed. What is said of a licence is what its
package says of itself.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/licences.md"
TABLE = re.compile(r"(?<=<!-- licences -->\n).*?(?=<!-- end -->)", re.DOTALL)
# What two packages forget to say, read in what they install.
SAID_ELSEWHERE = {
    "espeakng-loader": "GPL-3.0-or-later (the espeak-ng inside)",
    "pyworld-prebuilt": "MIT",
}
NOT_OURS = ("pip", "wheel")  # of the environment


def installed(python: str) -> list[dict[str, str]]:
    """Ask pip-licenses what is installed: Name, Version, License."""
    command = [
        "pip-licenses",
        f"--python={python}",
        "--format=json",
        "--from=mixed",
        "--with-system",
    ]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[dict[str, str]] = json.loads(answer.stdout)
    return [one for one in found if one["Name"].lower() not in NOT_OURS]


def table(packages: list[dict[str, str]]) -> str:
    """Lay packages out, sorted by name."""
    rows = sorted((normal(one["Name"]), one["Version"], _licence(one)) for one in packages)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *lines]) + "\n"


def normal(name: str) -> str:
    """Write the name of a package as an index does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(package: dict[str, str]) -> str:
    """Take the first line of a licence: some packages give all of it."""
    said = SAID_ELSEWHERE.get(normal(package["Name"]), package["License"])
    first = said.strip().split("\n")[0].replace("|", "/")
    return first if len(first) <= 80 else f"{first[:77]}..."


def main() -> None:
    """Renew the table."""
    found = table(installed(sys.argv[1]))
    PAGE.write_text(TABLE.sub(lambda _: found, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
