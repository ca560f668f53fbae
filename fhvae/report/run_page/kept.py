"""The sounds that the stage convert kept: whose they are, and how each file is read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable
from fhvae.files.columns import NAME, Column, read_csv
from fhvae.params.domain_names import by_noise

# What was measured of one utterance: name, unit, and digits.
MEASURES: Mapping[str, tuple[str, str, int]] = {
    "lsd": ("LSD", " dB", 1),
    "mcd": ("MCD", " dB", 1),
    "si_sdr": ("SI-SDR", " dB", 1),
    "stoi": ("STOI", "", 2),
    "naturalness": ("predicted naturalness", "", 1),
}
COLUMNS = {  # of the tables of sounds
    **dict.fromkeys(("utterance_id", "source", "target", "method"), NAME),
    **dict.fromkeys(MEASURES, Column(float, empty=True, optional=True)),
}
CONVERSION = "convert"  # how files of conversions begin; those of denoisings by their domain
FLAC = "FLAC", 1  # format and channels, as the stage convert writes them
MOST_SAMPLES = 3600 * SAMPLE_RATE_HZ  # an hour: more is a broken header (fhvae/corpus/audio.py)
FILE = re.compile(r"(?P<kind>.+)-(?P<number>\d+)-(?P<method>[a-z_]+)\.flac")


@dataclass(frozen=True)
class Kept:
    """An utterance of which the stage convert kept the sound: its files and rows, by method."""

    kind: str
    files: Mapping[str, Path]
    rows: Mapping[str, Mapping[str, Any]]

    @property
    def any_row(self) -> Mapping[str, Any]:
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


def _rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    if kind == CONVERSION:
        table = read_csv(folder / "conversion.csv", COLUMNS, "convert")
    else:
        table = read_csv(folder / "denoising.csv", {**COLUMNS, "domain": NAME}, "convert")
        table = table[table["domain"] == kind]
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def _first(who: list[tuple[str, str, str]], count: int) -> list[tuple[str, str, str]]:
    least = sorted(who)[:count]
    return [one for one in who if one in least]


def read_sound(path: Path) -> tuple[np.ndarray, int]:
    """Read a sound, `[sample]` from -1 to 1, and its rate in Hz.

    Raises:
        ArtifactError: the file is missing, of another kind, empty, or without some of its samples:
            libsndfile reads past a damaged block in silence.
    """
    import soundfile

    check_readable(path, "convert")
    try:
        with soundfile.SoundFile(path) as file:
            facts = file.format, file.channels, file.samplerate, file.frames
            if facts[:3] == (*FLAC, SAMPLE_RATE_HZ) and 0 < file.frames <= MOST_SAMPLES:
                found = file.read(dtype="float32")
                if len(found) == file.frames:
                    return found, file.samplerate
                raise ArtifactError(
                    f"{path} must be whole, it promises {file.frames} samples and holds "
                    f"{len(found)}; rerun the stage convert"
                )
    except soundfile.LibsndfileError as error:
        raise ArtifactError(
            f"{path} must be a FLAC file, {error.error_string.rstrip('.')}; rerun the stage convert"
        ) from error
    form, channels, rate_hz, samples = facts
    raise ArtifactError(
        f"{path} must be a FLAC file of one channel at {SAMPLE_RATE_HZ} Hz with sound, found "
        f"{form} of {channels} at {rate_hz} Hz with {samples} samples; rerun the stage convert"
    )
