"""Recordings -> log-mel frames, normalized by train statistics."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.commandline import run
from fhvae.corpus.manifest import check_splits
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.errors import CorpusError
from fhvae.features.extraction import Selection, select_clips
from fhvae.features.fbank import check_fbank
from fhvae.features.normalize import read_normalizer
from fhvae.features.pieces import extract, fingerprint
from fhvae.features.silence import count_silence
from fhvae.files.atomic import move_folder, unfinished_work, write_metrics
from fhvae.files.locks import held
from fhvae.files.packed import FRAMES, read_packed
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.segments import SegmentsParams
from fhvae.stage import Input, Output, stage

MS_PER_HOUR = 3_600_000  # metrics count in hours


@dataclass(frozen=True, kw_only=True)
class Params:
    """What the stage reads of params.yaml."""

    fbank: FbankParams
    segments: SegmentsParams


@stage
def main(corpus: Input, fbank: Output, metrics: Output) -> None:
    """Compute, normalize and pack the frames of every split."""
    params = read_params(Params)
    check_fbank(params.fbank)
    selections = select_splits(read_corpus(corpus), params.fbank.hop_ms, params.segments.frames)
    write_fbank(fbank, selections, params.fbank)
    normalizer = read_normalizer(fbank / "normalizer.json")
    counts = {item.split: summarize(item, params.fbank.hop_ms) for item in selections}
    for split, found in counts.items():
        frames = read_packed(fbank / split, FRAMES)
        found |= count_silence(split, frames, normalizer, params.fbank)
    write_metrics(metrics, counts)


def select_splits(corpus: Corpus, hop_ms: float, segment_frames: int) -> list[Selection]:
    """Drop utterances shorter than one segment; every split must stay usable without them."""
    for split in corpus.splits:
        corpus.samples(split)  # those of the manifest, or an error
    selections = [
        select_clips(corpus.folder / split, hop_ms, segment_frames) for split in corpus.splits
    ]
    kept = {clip.utterance_id for item in selections for clip in item.kept}
    utterances = [item for item in corpus.utterances if item.utterance_id in kept]
    check_splits(utterances, f"{corpus.folder} without utterances under {segment_frames} frames")
    return selections


def write_fbank(folder: Path, selections: Sequence[Selection], params: FbankParams) -> None:
    """Write `<split>.npy/.csv`, normalizer.json and dropped.csv, or nothing.

    Unfinished work stays in `checkpoints/fbank-<fingerprint>/`, which DVC does not know:
    the next run of the same params on the same samples goes on from there, and one that is
    started meanwhile waits.
    """
    work = unfinished_work() / f"fbank-{fingerprint(selections, params)}"
    with held(work.with_name(f"{work.name}.lock"), f"another run of fbank that works in {work}"):
        try:
            finished = extract(work, selections, params)
        except CorpusError:  # going on would end here again
            shutil.rmtree(work)
            raise
        move_folder(finished, folder)
        shutil.rmtree(work)


def summarize(selection: Selection, hop_ms: float) -> dict[str, Any]:
    """Count what a split holds now and what was dropped."""
    return {
        "utterances": len(selection.kept),
        "frames": selection.frames,
        "hours": selection.frames * hop_ms / MS_PER_HOUR,
        "dropped": len(selection.dropped),
    }


if __name__ == "__main__":
    run(main)
