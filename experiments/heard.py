"""The picture of README.md, and the sound behind it: one recording in another's voice.

    python -m fhvae.portable python -m experiments.heard   # -> docs/assets/heard.png, a-as-b.flac

By the model that comes with the package, of two recordings that it was not trained on.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

import fhvae
from benchmarks.sizes import ROOT
from fhvae.report.figures.drawing import new_figure

EXAMPLES = ROOT / "examples"
WORDS, VOICE = EXAMPLES / "a.flac", EXAMPLES / "b.flac"
CHANGED, PICTURE = "a-as-b.flac", "heard.png"
TITLES = ("a man says these words", "his words, her voice", "a woman says others")
SPECTRA = {"NFFT": 512, "noverlap": 432, "cmap": "magma"}  # of 32 ms each 5 ms
RANGE_DB = 65.0  # below the loudest point nothing is shown
HIGHEST_HZ = 6000
BEGIN_S, SHOWN_S = (1.05, 1.05, 0.45), 2.0  # of each: without the silence before the first word
COLORS = 64  # of the picture: a quarter of the bytes


def convert(changed: Path) -> None:
    """Write a's words in b's voice."""
    found = fhvae.load().convert(WORDS, VOICE)
    assert found is not None  # it is, for one recording that can be read
    found.write(changed)


def draw(changed: Path, picture: Path) -> None:
    """Draw the spectrograms of the two recordings, and of the change between them."""
    with new_figure(picture, 9.6, 2.5) as figure:
        axes = figure.subplots(1, len(TITLES), sharey=True)
        shown = zip(axes, (WORDS, changed, VOICE), TITLES, BEGIN_S, strict=True)
        for place, path, title, begin_s in shown:
            samples, rate = soundfile.read(path)
            first = int(begin_s * rate)
            samples = samples[first : first + int(SHOWN_S * rate)] + 1e-6  # no digital silence
            power, *_, image = place.specgram(samples, Fs=rate, **SPECTRA)
            loudest = 10 * np.log10(power.max())
            image.set_clim(loudest - RANGE_DB, loudest)
            place.set_title(title)
            place.set_ylim(0, HIGHEST_HZ)
            place.set_yticks(range(0, HIGHEST_HZ + 1, 2000), ["0", "2", "4", "6 kHz"])
            place.set_xlabel("s")
    Image.open(picture).convert("RGB").quantize(COLORS).save(picture, optimize=True)


def main() -> None:
    """Convert and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "assets")
    folder = parser.parse_args().folder
    convert(folder / CHANGED)
    draw(folder / CHANGED, folder / PICTURE)


if __name__ == "__main__":
    main()
