"""The sounds that the stage convert kept: whose they are, and how each file is read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable
from fhvae.params.domain_names import by_noise

COLUMNS = ("utterance_id", "source", "target", "method")  # of the tables of sounds
CONVERSION = "convert"  # how files of conversions begin; those of denoisings by their domain
FILE = re.compile(r"(?P<kind>.+)-(?P<number>\d+)-(?P<method>[a-z_]+)\.flac")


@dataclass(frozen=True)
class Kept:
    """An utterance of which the stage convert kept the sound: its files and rows, by method."""

    kind: str
    files: Mapping[str, Path]
    rows: Mapping[str, Mapping[str, str]]

    @property
    def any_row(self) -> Mapping[str, str]:
        """One of its rows: utterance and speakers are the same in all."""
        return next(iter(self.rows.values()))

    @property
    def title(self) -> str:
        """What was done to whom."""
        return self._words.format(**self._names)

    @property
    def heading(self) -> Markup:
        """The same, with each name isolated from the direction that others are written in."""
        isolated = {
            part: Markup("<bdi>{}</bdi>").format(name) for part, name in self._names.items()
        }
        return Markup(self._words).format(**isolated)

    @property
    def _words(self) -> str:
        if self.kind == CONVERSION:
            return "{who} with the voice of {target}"
        return "{who} in noise at {level} dB"

    @property
    def _names(self) -> dict[str, str]:
        row = self.any_row
        level = self.kind.removeprefix("noise")
        return {"who": row["utterance_id"], "target": row["target"], "level": level}


def kept_utterances(folder: Path) -> Iterator[Kept]:
    """Find the utterances whose sound was kept: conversions, then denoisings, least noise first.

    Files are numbered in the order of the table of their kind: of conversions the first ones, of
    denoisings those that come first by their ids.

    Raises:
        ArtifactError: a table is missing or broken, or a file has a number beyond it.
    """
    files: dict[str, dict[int, dict[str, Path]]] = {}
    for path in sorted(folder.glob("*.flac")):
        if found := FILE.fullmatch(path.name):
            numbered = files.setdefault(found["kind"], {}).setdefault(int(found["number"]), {})
            numbered[found["method"]] = path
    noisy = sorted((kind for kind in files if kind != CONVERSION), key=by_noise)
    for kind in [one for one in (CONVERSION, *noisy) if one in files]:
        table = _rows(folder, kind)
        ids = dict.fromkeys((row["utterance_id"], row["source"], row["target"]) for row in table)
        chosen = list(ids) if kind == CONVERSION else _first(list(ids), len(files[kind]))
        for number, own in sorted(files[kind].items()):
            if not 1 <= number <= len(chosen):
                raise ArtifactError(
                    f"{folder}: files of {kind} must be numbered from 1 to {len(chosen)}, the "
                    f"utterances of their table, got {number}; rerun the stage convert"
                )
            who = chosen[number - 1]
            rows = {
                row["method"]: row
                for row in table
                if (row["utterance_id"], row["source"], row["target"]) == who
            }
            yield Kept(kind, own, rows)


def _rows(folder: Path, kind: str) -> list[dict[str, str]]:
    path = folder / ("conversion.csv" if kind == CONVERSION else "denoising.csv")
    check_readable(path, "convert")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # of pandas, and of bytes that are no text
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{path} must be a table, {reason}; rerun the stage convert") from error
    needed = (*COLUMNS, *(("domain",) if kind != CONVERSION else ()))
    if missing := [name for name in needed if name not in table]:
        raise ArtifactError(
            f"{path} must have the column {missing[0]}, it has not; rerun the stage convert"
        )
    if kind != CONVERSION:
        table = table[table["domain"] == kind]
    rows: list[dict[str, str]] = table.to_dict("records")
    return rows


def _first(who: list[tuple[str, str, str]], count: int) -> list[tuple[str, str, str]]:
    least = sorted(who)[:count]
    return [one for one in who if one in least]


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """Read a sound, `[sample]` from -1 to 1, and its rate in Hz.

    Raises:
        ArtifactError: the file is missing, no audio, or empty.
    """
    import soundfile

    check_readable(path, "convert")
    try:
        samples, rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise ArtifactError(
            f"{path} must be a FLAC file, {error.error_string.rstrip('.')}; rerun the stage convert"
        ) from error
    if len(samples) == 0:
        raise ArtifactError(f"{path} must hold sound, it has no sample; rerun the stage convert")
    return samples, rate
