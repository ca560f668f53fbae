"""A made-up corpus whose truth is known: speaker = pitch and spectral tilt, phone = spectral peak.

A voice is a row of harmonics. Each phone lifts the harmonics near its own frequency, and
soft noise keeps every mel band alive. Speakers, pitches and peaks are spaced so widely that
a model of a few cells can tell them apart.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE_HZ = 16_000
PHONE_PEAK_HZ = {"aa": 700.0, "er": 1250.0, "eh": 1900.0, "iy": 2800.0, "sh": 4200.0}
PEAK_WIDTH_HZ = 250.0
NOISE = 0.003


def write_tone_corpus(
    folder: Path,
    speakers: dict[str, int] | None = None,
    utterances: int = 3,
    seconds: float = 1.2,
    seed: int = 0,
) -> Path:
    """Write manifest.csv, phones.csv and wav files; return the folder.

    Args:
        folder: made if needed.
        speakers: number per split; by default train 4, dev 2, test 3. A split named ""
            leaves the column empty.
        utterances: per speaker.
        seconds: shortest utterance; the longest is a fifth longer.
        seed: equal arguments, equal files.
    """
    counts = {"train": 4, "dev": 2, "test": 3} if speakers is None else speakers
    rows, phones, number = [], [], 0
    for split, count in counts.items():
        for _ in range(count):
            for take in range(utterances):
                random = np.random.default_rng([seed, number, take])
                utterance_id = f"spk{number:02d}-{take}"
                spans = _draw_phones(seconds * random.uniform(1.0, 1.2), random)
                samples = _sing(spans, number, random)
                path = f"wav/{utterance_id}.wav"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / path, samples, RATE_HZ, subtype="PCM_16")
                text = " ".join(name for _, _, name in spans)
                duration_s = len(samples) / RATE_HZ
                gender = "MF"[number % 2]
                rows.append(
                    (utterance_id, path, f"spk{number:02d}", gender, text, split, duration_s)
                )
                phones += [
                    (utterance_id, start / RATE_HZ, end / RATE_HZ, name)
                    for start, end, name in spans
                ]
            number += 1
    columns = ["utterance_id", "path", "speaker", "gender", "text", "split", "duration_s"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "manifest.csv", index=False)
    columns = ["utterance_id", "start_s", "end_s", "phone"]
    pd.DataFrame(phones, columns=columns).to_csv(folder / "phones.csv", index=False)
    return folder


def speaker_pitch_hz(number: int) -> float:
    """Pitch of speaker `number`: even numbers (M) near 100 Hz, odd ones (F) near 200 Hz."""
    return (95.0, 190.0)[number % 2] * 1.07 ** (number // 2 % 6)


def _draw_phones(seconds: float, random: np.random.Generator) -> list[tuple[int, int, str]]:
    """Fill the utterance with phones of 80 to 200 ms; no phone twice in a row."""
    total, position, spans, last = int(seconds * RATE_HZ), 0, [], ""
    while position < total:
        name = str(random.choice([phone for phone in PHONE_PEAK_HZ if phone != last]))
        end = position + int(random.uniform(0.08, 0.2) * RATE_HZ)
        if total - end < 0.08 * RATE_HZ:
            end = total
        spans.append((position, end, name))
        position, last = end, name
    return spans


def _sing(
    spans: list[tuple[int, int, str]], number: int, random: np.random.Generator
) -> np.ndarray:
    """Turn phones into samples `[sample]` int16."""
    total = spans[-1][1]
    time_s = np.arange(total) / RATE_HZ
    harmonics_hz = speaker_pitch_hz(number) * np.arange(1, int(7000 / speaker_pitch_hz(number)))
    tilt = (harmonics_hz / 500.0) ** -(0.4 + 0.25 * (number % 5))
    waves = np.sin(2 * np.pi * harmonics_hz[:, None] * time_s + harmonics_hz[:, None])
    samples = np.empty(total)
    for start, end, name in spans:
        distance = (harmonics_hz - PHONE_PEAK_HZ[name]) / PEAK_WIDTH_HZ
        gains = np.minimum(tilt, 2.0) * (0.05 + np.exp(-0.5 * distance**2))
        samples[start:end] = gains @ waves[:, start:end]
    samples = 0.4 * samples / np.abs(samples).max() * random.uniform(0.8, 1.0)
    samples += NOISE * random.standard_normal(total)
    found: np.ndarray = np.round(samples * 32767).astype(np.int16)
    return found
