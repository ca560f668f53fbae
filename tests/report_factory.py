"""A made-up run with all that the stage report reads, and names that try to break the page."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.corpus.manifest import Recording, Utterance
from fhvae.corpus.store import write_corpus
from fhvae.listening.summary import write_flac
from fhvae.report.figures.every import draw_every
from tests.figure_factory import CASES
from tests.probe_factory import write_network
from tests.tiny import ROOT

RATE_HZ = 16_000
SECONDS = 0.5  # of every sound
HOSTILE = "<script>document.title='broken'</script><img src=http://x.invalid/>$\\frac{$"
SAID = 'He said "a < b", <i>so</i> & left.'
TONES_HZ = {"source": 500, "fhvae": 1000, "target": 2000, "equalizer": 4000}
NOISY = ("noisy", "fhvae", "clean", "noisereduce")


def write_run(folder: Path) -> dict[str, Path]:
    """Write a run; give the paths of the stage by option, but that of the report."""
    write_speech(folder / "corpus")
    write_network(folder / "model", seed=1)
    shutil.copytree(ROOT / "metrics", folder / "metrics")
    (folder / "plots").mkdir()
    shutil.copy(ROOT / "plots/learning_curve.csv", folder / "plots")
    draw_every(CASES["rich"], folder / "figures", folder / "figures")
    write_sounds(folder / "sounds")
    names = ("corpus", "model", "metrics", "plots", "figures", "sounds")
    return {name: folder / name for name in names}


def write_speech(folder: Path) -> None:
    """Write a corpus of which one speaker has a hostile name."""
    speakers = {"train": ("s1", "s2"), "dev": ("s3", "s4"), "test": ("s5", "s5", HOSTILE)}
    samples = np.zeros(RATE_HZ // 10, np.int16)
    write_corpus(
        folder,
        [
            Recording(
                Utterance(f"{split}{n}", "", one, "", SAID, split, len(samples) / RATE_HZ),
                samples,
                (),
            )
            for split, both in speakers.items()
            for n, one in enumerate(both)
        ],
    )


def tone(hz: float) -> np.ndarray:
    """Make a tone, `[sample]` int16."""
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    return np.round(8000 * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


def write_sounds(folder: Path) -> None:
    """Write what the stage convert leaves, of one conversion and one denoising."""
    folder.mkdir()
    who = {"utterance_id": "test0", "source": "s5", "target": HOSTILE}
    rows = [{**who, "method": name, "lsd": "1.25", "stoi": ""} for name in TONES_HZ]
    pd.DataFrame(rows).to_csv(folder / "conversion.csv", index=False)
    rows = [{"domain": "noise5", **who, "method": name, "si_sdr": "-3.5"} for name in NOISY]
    pd.DataFrame(rows).to_csv(folder / "denoising.csv", index=False)
    for name, hz in TONES_HZ.items():
        write_flac(folder / f"convert-1-{name}.flac", tone(hz))
    for place, name in enumerate(NOISY):
        write_flac(folder / f"noise5-1-{name}.flac", tone(300 + 100 * place))
