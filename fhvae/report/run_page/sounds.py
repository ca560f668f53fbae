"""Sounds of converted and denoised speech for the page, each with its spectrogram."""

import base64
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.corpus.store import Corpus
from fhvae.params.domain_names import by_noise

MOST_LETTERS = 8_000_000  # of all sounds with their pictures: the page stays below 15 MB
WINDOW, HOP = 256, 160  # samples of a spectrogram: 16 and 10 ms
RANGE_DB = 70.0  # below the loudest point of a spectrogram nothing is shown
COLORS = 40  # of a spectrogram: more cannot be told apart, and compress worse
COLOR_MAP = "magma"
TINY = 1e-12  # a guard: of digital silence
CONVERSION = "convert"  # how files of conversions begin; those of denoisings by their domain
FILE = re.compile(r"(?P<kind>.+)-(?P<number>\d+)-(?P<method>[a-z_]+)\.flac")
# What is played first, in this order; the rest are controls.
MAIN: Mapping[str, str] = {
    "source": "source",
    "noisy": "noisy",
    "fhvae": "by FHVAE",
    "target": "target",
    "clean": "clean",
}
CONTROLS: Mapping[str, str] = {
    "fhvae_own": "by FHVAE, towards clean speech of the same speaker",
    "pitch": "pitch alone",
    "equalizer": "pitch and a fixed equalizer",
    "world": "the same by WORLD",
    "griffin_lim": "decoded spectra alone (Griffin-Lim)",
    "noisereduce": "spectral gating",
}
# What was measured of one utterance: name, unit, and digits.
MEASURES: Mapping[str, tuple[str, str, int]] = {
    "lsd": ("LSD", " dB", 1),
    "mcd": ("MCD", " dB", 1),
    "si_sdr": ("SI-SDR", " dB", 1),
    "stoi": ("STOI", "", 2),
    "naturalness": ("predicted naturalness", "", 1),
}


@dataclass(frozen=True)
class Sound:
    """One sound to click.

    Attributes:
        label: what it is.
        audio, spectrogram: FLAC and PNG as `data:` URIs.
        duration_s: of it.
        measured: what was measured of it, in words; "" where nothing was.
    """

    label: str
    audio: str
    spectrogram: str
    duration_s: float
    measured: str


@dataclass(frozen=True)
class Example:
    """All sounds of one utterance.

    Attributes:
        title: what was done to whom.
        text: what is said, or "".
        main, controls: what one hears first, and what it is compared with.
    """

    title: str
    text: str
    main: list[Sound]
    controls: list[Sound]


@dataclass(frozen=True)
class Album:
    """What is played, and the names of files that found no room in the page."""

    examples: list[Example]
    left_out: list[str]


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
        who = self.any_row
        if self.kind == CONVERSION:
            return f"{who['utterance_id']} with the voice of {who['target']}"
        return f"{who['utterance_id']} in noise at {self.kind.removeprefix('noise')} dB"


def album(folder: Path, corpus: Corpus) -> Album:
    """Gather the sounds that the stage convert kept; controls yield where there is no room.

    Args:
        folder: as the stage convert writes it.
        corpus: says what is said.
    """
    kept = list(kept_utterances(folder))
    wanted = [
        (place, method)
        for names in (MAIN, CONTROLS)
        for place, one in enumerate(kept)
        for method in names
        if method in one.files
    ]
    room, left_out = MOST_LETTERS, []
    heard: list[dict[str, Sound]] = [{} for _ in kept]
    for place, method in wanted:
        sound = _sound(kept[place], method)
        room -= len(sound.audio) + len(sound.spectrogram)
        if room >= 0:
            heard[place][method] = sound
        else:
            left_out.append(kept[place].files[method].name)
    texts = {one.utterance_id: one.text for one in corpus.utterances}
    examples = [
        Example(
            one.title,
            texts.get(one.any_row["utterance_id"], ""),
            *([own[name] for name in names if name in own] for names in (MAIN, CONTROLS)),
        )
        for one, own in zip(kept, heard, strict=True)
        if own
    ]
    return Album(examples, left_out)


def kept_utterances(folder: Path) -> Iterator[Kept]:
    """Find the utterances whose sound was kept: conversions, then denoisings, least noise first.

    Files are numbered in the order of the table of their kind: of conversions the first ones, of
    denoisings those that come first by their ids.
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
            who = chosen[number - 1]
            rows = {
                row["method"]: row
                for row in table
                if (row["utterance_id"], row["source"], row["target"]) == who
            }
            yield Kept(kind, own, rows)


def _rows(folder: Path, kind: str) -> list[dict[str, str]]:
    name = "conversion" if kind == CONVERSION else "denoising"
    table = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    if kind != CONVERSION:
        table = table[table["domain"] == kind]
    rows: list[dict[str, str]] = table.to_dict("records")
    return rows


def _first(who: list[tuple[str, str, str]], count: int) -> list[tuple[str, str, str]]:
    least = sorted(who)[:count]
    return [one for one in who if one in least]


def _sound(kept: Kept, method: str) -> Sound:
    import soundfile

    path = kept.files[method]
    samples, rate = soundfile.read(path, dtype="float32")
    row = kept.rows.get(method, {})
    measured = [
        f"{name} {float(row[key]):.{digits}f}{unit}"
        for key, (name, unit, digits) in MEASURES.items()
        if row.get(key)
    ]
    return Sound(
        {**MAIN, **CONTROLS}[method],
        _uri("audio/flac", path.read_bytes()),
        _uri("image/png", spectrogram(samples, rate)),
        len(samples) / rate,
        ", ".join(measured),
    )


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def spectrogram(samples: np.ndarray, rate_hz: int) -> bytes:
    """Draw the power of `[sample]` in dB as a PNG: a column each 10 ms, 0 Hz to half the rate.

    A picture of few colors that it lists takes a third of the room of one in full color.
    """
    from matplotlib import colormaps
    from PIL import Image
    from scipy.signal import spectrogram as power_of

    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    _, _, power = power_of(padded, rate_hz, "hann", WINDOW, WINDOW - HOP)
    level = 10 * np.log10(np.maximum(power, TINY))
    share = (level - level.max() + RANGE_DB) / RANGE_DB
    chosen = np.clip(COLORS * share, 0, COLORS - 1).astype(np.uint8)
    colors = colormaps[COLOR_MAP].resampled(COLORS)(np.arange(COLORS))[:, :3]
    image = Image.fromarray(np.ascontiguousarray(chosen[::-1]))  # 0 Hz at the bottom
    image.putpalette(np.rint(255 * colors).astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
