"""A made-up folder of recorded noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE_HZ = 16_000


def write_noise_folder(folder: Path, sounding: dict[str, float], seconds: float = 1.0) -> Path:
    """Write manifest.csv and a FLAC per noise.

    Args:
        folder: made here.
        sounding: per noise_id the share of its time that is white noise; the rest, at the
            end, is digital silence. Its class is the id up to the first hyphen.
        seconds: length of each.
    """
    folder.mkdir(parents=True)
    length = int(seconds * RATE_HZ)
    for place, (name, share) in enumerate(sounding.items()):
        noise = 0.1 * np.random.default_rng(place).standard_normal(length)
        noise[int(share * length) :] = 0.0
        soundfile.write(folder / f"{name}.flac", noise, RATE_HZ)
    rows = [(name, f"{name}.flac", name.split("-")[0]) for name in sounding]
    table = pd.DataFrame(rows, columns=["noise_id", "path", "class"])
    table.to_csv(folder / "manifest.csv", index=False)
    return folder
