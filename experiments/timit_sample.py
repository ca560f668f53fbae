"""Make the folder of hand labels of the runs from the sample of TIMIT that NLTK distributes.

    python -m experiments.timit_sample /path/to/corpora/timit

The folder is NLTK's package `timit`, unpacked: dr1-fvmh0/sa1.wav .phn .txt and so on. The eight
speakers of dialect regions 1 to 4, all ten sentences of each, go into manifest.csv and
phones.csv there.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from fhvae.corpus.decoder import read_audio
from fhvae.corpus.manifest import COLUMNS, PHONE_COLUMNS, SAMPLE_RATE_HZ
from fhvae.files.atomic import new_file

REGIONS = "dr[1-4]-*"


def list_sample(folder: Path) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Read the labels of the sample: rows of manifest.csv and of phones.csv."""
    utterances: list[Sequence[str]] = []
    phones: list[Sequence[str]] = []
    for recording in sorted(folder.glob(f"{REGIONS}/*.wav")):
        speaker = recording.parent.name.partition("-")[2]
        name = f"{speaker}_{recording.stem}"
        duration_s = f"{len(read_audio(recording, name)) / SAMPLE_RATE_HZ:.4f}"
        _, _, text = recording.with_suffix(".txt").read_text().split(maxsplit=2)
        path, gender = recording.relative_to(folder).as_posix(), speaker[0].upper()
        utterances.append((name, path, speaker, gender, text.strip(), "", duration_s))
        for line in recording.with_suffix(".phn").read_text().splitlines():
            start, end, phone = line.split()
            times = (f"{int(sample) / SAMPLE_RATE_HZ:.6f}" for sample in (start, end))
            phones.append((name, *times, phone))
    return utterances, phones


def main() -> None:
    """Write the two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with dr1-fvmh0 and so on")
    folder = parser.parse_args().folder
    utterances, phones = list_sample(folder)
    if not utterances:
        parser.error(f"{folder} must hold the sample of NLTK, there is no {REGIONS}/*.wav")
    tables = {"manifest.csv": (COLUMNS, utterances), "phones.csv": (PHONE_COLUMNS, phones)}
    for name, (columns, rows) in tables.items():
        with new_file(folder / name) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])


if __name__ == "__main__":
    main()
