"""Smaller copies are parts of larger ones, and only train is smaller."""

import pandas as pd

from experiments.fewer_speakers import main

SPLITS = {"train": 7, "dev": 2, "test": 3}


def speakers_of(path, split):
    manifest = pd.read_csv(path / "manifest.csv", dtype=str)
    return set(manifest.speaker[manifest.split == split])


def test_copies_are_nested_and_keep_dev_and_test(tmp_path):
    folder = tmp_path / "corpus"
    (folder / "flac").mkdir(parents=True)
    (folder / "flac" / "train00.flac").write_text("sound")
    rows = [
        (f"{split}{speaker}{take}", f"flac/{split}{speaker}{take}.flac", f"{split}{speaker}", split)
        for split, count in SPLITS.items()
        for speaker in range(count)
        for take in range(2)
    ]
    columns = ["utterance_id", "path", "speaker", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "manifest.csv", index=False)
    before = (folder / "manifest.csv").read_text()
    main([str(folder), "2", "5"])
    main([str(folder), "2"])
    assert (folder / "manifest.csv").read_text() == before
    small, large = tmp_path / "corpus-2", tmp_path / "corpus-5"
    assert len(speakers_of(small, "train")) == 2
    assert len(speakers_of(large, "train")) == 5
    assert speakers_of(small, "train") < speakers_of(large, "train")
    assert {split: len(speakers_of(small, split)) for split in ("dev", "test")} == {
        "dev": 2,
        "test": 3,
    }
    assert (small / "flac" / "train00.flac").read_text() == "sound"
