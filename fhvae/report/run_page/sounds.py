"""Sounds of converted and denoised speech for the page, each with its spectrogram."""

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from fhvae.corpus.store import Corpus
from fhvae.report.run_page.kept import MEASURES, Kept, kept_utterances, read_sound

MOST_LETTERS = 8_000_000  # of all sounds with their pictures: the page stays below 15 MB
WINDOW, HOP = 256, 160  # samples of a spectrogram: 16 and 10 ms
RANGE_DB = 70.0  # below the loudest point of a spectrogram nothing is shown
COLORS = 40  # of a spectrogram: more cannot be told apart, and compress worse
COLOR_MAP = "magma"
TINY = 1e-12  # a guard: of digital silence
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
        title: what was done to whom, as text.
        heading: the same, each name in a direction of its own: some are written leftwards.
        text: what is said, or "".
        main, controls: what one hears first, and what it is compared with.
    """

    title: str
    heading: Markup
    text: str
    main: list[Sound]
    controls: list[Sound]


@dataclass(frozen=True)
class Album:
    """What is played, and the names of files that found no room in the page."""

    examples: list[Example]
    left_out: list[str]


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
            one.heading,
            texts.get(one.any_row["utterance_id"], ""),
            *([own[name] for name in names if name in own] for names in (MAIN, CONTROLS)),
        )
        for one, own in zip(kept, heard, strict=True)
        if own
    ]
    return Album(examples, left_out)


def _sound(kept: Kept, method: str) -> Sound:
    path = kept.files[method]
    samples, rate = read_sound(path)
    return Sound(
        {**MAIN, **CONTROLS}[method],
        _uri("audio/flac", path.read_bytes()),
        _uri("image/png", spectrogram(samples, rate)),
        len(samples) / rate,
        measured(kept.rows.get(method, {})),
    )


def measured(row: Mapping[str, Any]) -> str:
    """Write what was measured of a sound, of a row of its table."""
    return ", ".join(
        f"{name} {row[key]:.{digits}f}{unit}"
        for key, (name, unit, digits) in MEASURES.items()
        if math.isfinite(row.get(key, math.nan))
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
