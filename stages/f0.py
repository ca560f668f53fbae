"""Samples -> F0 of every frame: a feature, like the log-mel frames, that knows no model."""

from pathlib import Path

import numpy as np

from fhvae.commandline import run
from fhvae.corpus.manifest import SPLITS
from fhvae.features.extraction import Clip
from fhvae.features.f0 import UNVOICED, track_clip
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import SAMPLES, PackedWriter, read_packed
from fhvae.parallel import map_in_order
from fhvae.stage import Input, Output, stage


def write_f0(stem: Path, samples: Path) -> dict[str, int | float]:
    """Track and pack the F0 of a split; count what is voiced.

    Args:
        stem: of the packed file to write, `[frame]` float64 in Hz.
        samples: stem of the packed samples.
    """
    packed = read_packed(samples, SAMPLES)
    clips = [Clip.of(samples, packed, position, frames=0) for position in range(len(packed))]
    frames, voiced, unvoiced_utterances = 0, 0, 0
    with PackedWriter(stem, "float64") as writer:
        tracks = map_in_order(track_clip, clips, f"F0 {stem.name}")
        for clip, f0 in zip(clips, tracks, strict=True):
            writer.append(clip.utterance_id, f0)
            own = int(np.count_nonzero(f0 != UNVOICED))
            frames, voiced = frames + len(f0), voiced + own
            unvoiced_utterances += own == 0
    return {
        "utterances": len(clips),
        "unvoiced_utterances": unvoiced_utterances,
        "frames": frames,
        "voiced_share": voiced / max(frames, 1),
    }


@stage
def main(corpus: Input, f0: Output, metrics: Output) -> None:
    """Run the stage."""
    with new_folder(f0) as folder:
        found = {split: write_f0(folder / split, corpus / split) for split in SPLITS}
    write_metrics(metrics, found)


if __name__ == "__main__":
    run(main)
