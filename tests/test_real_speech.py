"""Recorded speech with phones marked by hand: eight TIMIT speakers, if the folder is there.

The folder is not part of the repository; set FHVAE_TIMIT_SAMPLE to another place.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fhvae.artifacts import read_json, read_packed
from fhvae.corpus.store import phone_at, read_corpus
from fhvae.features.fbank import frame_time_s
from tests.tiny import ROOT, run_stage, set_params

SAMPLE = Path(
    os.environ.get("FHVAE_TIMIT_SAMPLE") or ROOT.parent / "shared" / "data" / "timit_sample"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs recorded speech in {SAMPLE.name}"),
]
HOP_MS = 10.0
HIGH_BANDS = slice(60, 80)  # above about 4 kHz, where s and sh are loud and vowels are not


@pytest.fixture(scope="module")
def frames_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timit")
    shutil.copy(ROOT / "params.yaml", folder)
    set_params(folder / "params.yaml", {"corpus.name": "manifest", "corpus.path": str(SAMPLE)})
    run_stage(folder, "download", "corpus")
    run_stage(folder, "fbank", "corpus", "fbank")
    return folder


def test_every_utterance_speaker_and_phone_arrives(frames_folder):
    corpus = read_corpus(frames_folder / "corpus")
    assert len(corpus.utterances) == 80
    assert len({utterance.speaker for utterance in corpus.utterances}) == 8
    assert sum(len(phones) for phones in corpus.phones.values()) == 2993
    counts = read_json(frames_folder / "download.json")
    assert sum(split["utterances"] for split in counts.values()) == 80


def loudness_of_sibilants(folder: Path, lag: int) -> float:
    """Measure how much louder the high bands are where s, sh or z is marked `lag` frames later."""
    corpus = read_corpus(folder / "corpus")
    inside, outside = [], []
    for split in corpus.splits:
        for utterance_id, frames in read_packed(folder / "fbank" / split).items():
            high = frames[:, HIGH_BANDS].mean(axis=1)
            for frame, value in enumerate(high):
                phone = phone_at(corpus.phones[utterance_id], frame_time_s(frame + lag, HOP_MS))
                (inside if phone in ("s", "sh", "z") else outside).append(value)
    return float(np.mean(inside) - np.mean(outside))


def test_frames_and_hand_labels_are_aligned(frames_folder):
    """The fit of labels to spectra is best where the times are taken as they are."""
    fits = {lag: loudness_of_sibilants(frames_folder, lag) for lag in (-6, -3, -1, 0, 1, 3, 6)}
    assert abs(max(fits, key=fits.__getitem__)) <= 1, fits
    assert fits[0] > 1.0  # standard deviations of the normalized frames
