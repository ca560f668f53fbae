"""Copies of a recorded corpus that teach fewer speakers: how many does it take?

    python -m experiments.fewer_speakers DIR 9 18 36      # -> DIR-9, DIR-18, DIR-36

DIR has manifest.csv with its splits. A copy has the same dev and test, and of train the first so
many of one drawn order of speakers, so that a smaller copy is part of a larger one. Recordings are
hard links, a copy costs no disk; phones and other tables, which name all utterances, are left out.
"""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fhvae.files.atomic import new_file
from fhvae.seeds import generator

MANIFEST = "manifest.csv"


def with_speakers(manifest: pd.DataFrame, count: int) -> pd.DataFrame:
    """Leave so many of train's speakers in a manifest, whose cells are text."""
    train = manifest.split == "train"
    speakers = sorted(set(manifest.speaker[train]))
    order = generator(0, "fewer speakers").permutation(len(speakers))
    kept = {speakers[place] for place in order[:count]}
    return manifest[~train | manifest.speaker.isin(kept)]


def copy(folder: Path, count: int) -> Path:
    """Make the copy beside `folder`; of one that is there, its manifest. Give its path."""
    made = folder.with_name(f"{folder.name}-{count}")
    if not made.exists():
        made.mkdir()
        for recordings in filter(Path.is_dir, folder.iterdir()):
            shutil.copytree(recordings, made / recordings.name, copy_function=os.link)
    manifest = pd.read_csv(folder / MANIFEST, dtype=str, keep_default_na=False)
    with new_file(made / MANIFEST) as partial:
        with_speakers(manifest, count).to_csv(partial, index=False)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the copies that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with manifest.csv")
    parser.add_argument("speakers", type=int, nargs="+", help="of train, in each copy")
    options = parser.parse_args(arguments)
    for count in options.speakers:
        print(copy(options.folder.resolve(), count))


if __name__ == "__main__":
    main()
