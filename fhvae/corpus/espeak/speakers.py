"""Made-up speakers: a seeded draw of vocal tract, voice source and habits, as a voice variant.

Each speaker has a number, and every draw is keyed by it, so that more speakers leave the others
as they are. The numbers of train, dev, test and background voices come from separate ranges.

The middle voice of either sex and the scale of the spread are params. How attributes spread beside
one another, and the bounds that keep a voice human, stand in the lines that draw them: they make
the corpus what it is.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.errors import ParamsError
from fhvae.params.corpus import EspeakParams
from fhvae.seeds import generator

# Numbers of speakers have four digits; each part of the corpus has a range of its own.
FIRST_INDEX = {"train": 0, "dev": 4000, "test": 6000, "noise": 9000}
LAST_INDEX = 9999  # four digits
FORMANTS = range(8)  # 0 is the voicing bar below the first; 8 is accepted, but never heard
TONE_HZ = (600, 1200, 2000, 3000)  # where the spectral tilt is set
TONE_GAIN = (170, 135, 110, 110)  # the library's own spectral tilt


@dataclass(frozen=True)
class Speaker:
    """One made-up speaker.

    Attributes:
        speaker: id, gender in lower case and number, such as "f0003".
        index: the number alone, the key of every draw about this speaker.
        gender: "F" or "M".
        accent: espeak-ng voice file, such as "gmw/en-US".
        variant: lines of an espeak-ng voice variant.
    """

    speaker: str
    index: int
    gender: str
    accent: str
    variant: str


def draw_speakers(part: str, count: int, params: EspeakParams, seed: int) -> list[Speaker]:
    """Draw the first speakers of a part of the corpus, women and men in turn.

    Args:
        part: "train", "dev", "test" or "noise".
        count: number of speakers.
        params: the middle woman and man, how far voices spread around them, and accents, of which
            one is drawn per speaker.
        seed: of the run.

    Raises:
        ParamsError: `part` has room for fewer speakers.
    """
    later = [first for first in FIRST_INDEX.values() if first > FIRST_INDEX[part]]
    room = min(later, default=LAST_INDEX + 1) - FIRST_INDEX[part]
    if count > room:
        raise ParamsError(f"corpus.espeak.{part}_speakers must be at most {room}, got {count}")
    if not params.accents:
        raise ParamsError("corpus.espeak.accents must name at least one voice, got an empty list")
    first = FIRST_INDEX[part]
    return [draw_speaker(first + place, params, seed) for place in range(count)]


def draw_speaker(index: int, params: EspeakParams, seed: int) -> Speaker:
    """Draw speaker number `index`; even numbers are women."""
    gender = "M" if index % 2 else "F"
    return Speaker(
        speaker=f"{gender.lower()}{index:04d}",
        index=index,
        gender=gender,
        accent=params.accents[generator(seed, "accent", index).integers(len(params.accents))],
        variant=_variant(gender, params, generator(seed, "speaker", index)),
    )


def _variant(gender: str, params: EspeakParams, random: np.random.Generator) -> str:
    """Write the lines of a voice variant; percentages are of the library's voice."""
    scale, is_female = params.speaker_scale, gender == "F"
    tract = params.female_formants if is_female else params.male_formants
    median_hz = params.female_pitch_hz if is_female else params.male_pitch_hz
    lines = [
        *_formant_lines(tract, scale, random),
        *_source_lines(median_hz, scale, random),
        f"voicing {_percent(95, 10 * scale, 70, 120, random)}",
        f"consonants {_percent(100, 10 * scale, 70, 130, random)} "
        f"{_percent(100, 10 * scale, 70, 130, random)}",
        f"speed {_percent(100, 6 * scale, 85, 115, random)}",
    ]
    return "\n".join(lines) + "\n"


def _formant_lines(mean: float, scale: float, random: np.random.Generator) -> list[str]:
    """Scale all formants by one tract factor, each with a deviation of its own."""
    tract = float(np.clip(random.normal(mean, 0.045 * scale), 0.86, 1.30))
    lines = []
    for number in FORMANTS:
        # The voicing bar follows the tract length half as far as the formants do.
        factor = 1 + (tract - 1) / 2 if number == 0 else tract
        frequency = round(100 * factor * (1 + random.normal(0, 0.025 * scale)))
        height = _percent(100, 10 * scale, 65, 135, random)
        width = _percent(105, 12 * scale, 75, 150, random)
        lines.append(f"formant {number} {frequency} {height} {width}")
    return lines


def _source_lines(median_hz: float, scale: float, random: np.random.Generator) -> list[str]:
    """Draw pitch, its irregularity, breath noise and spectral tilt."""
    base = median_hz * np.exp(random.normal(0, 0.13 * scale))
    top = base * random.uniform(1.25, 1.6)
    breath = [max(0, round(level + random.normal(0, scale))) for level in (0, 2, 3, 3, 3, 3, 3, 2)]
    tilt = random.normal(0, 20 * scale)
    gains = [
        int(np.clip(gain + tilt * (place - 1.5) / 1.5, 40, 250))
        for place, gain in enumerate(TONE_GAIN)
    ]
    tone = " ".join(f"{hz} {gain}" for hz, gain in zip(TONE_HZ, gains, strict=True))
    return [
        f"pitch {round(base)} {round(top)}",
        f"flutter {random.integers(1, 9)}",
        f"roughness {random.integers(0, 4)}",
        "breath " + " ".join(str(level) for level in breath),
        f"tone {tone}",
    ]


def _percent(
    mean: float, std: float, least: float, most: float, random: np.random.Generator
) -> int:
    return round(float(np.clip(random.normal(mean, std), least, most)))
