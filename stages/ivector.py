"""Learn i-vectors from the train split and infer those of every split: the paper's baseline."""

import shutil
from dataclasses import dataclass
from typing import Any

from fhvae.baselines.ivector.choice import (
    Tried,
    best,
    best_by_detector,
    choice_metrics,
    try_front_end,
)
from fhvae.baselines.ivector.extraction import clips_of, write_speech
from fhvae.baselines.ivector.extractor import write_extractor
from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import read_corpus
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import read_packed
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.run import Seeded


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    fbank: FbankParams
    ivector: IvectorParams


def main() -> None:
    """Run the stage."""
    corpus_path, fbank, path, metrics_path = parse_paths(
        __doc__, "corpus", "fbank", "ivectors", "metrics"
    )
    params = read_params(Params)
    corpus = read_corpus(corpus_path)
    counts: dict[str, dict[str, Any]] = {}
    tried: list[Tried] = []
    with new_folder(path) as folder:
        speech = {
            front: folder / "speech" / str(place)
            for place, front in enumerate(params.ivector.front_ends)
        }
        for front, own in speech.items():
            for split in SPLITS:
                clips = clips_of(corpus_path / split, read_packed(fbank / split).utterance_ids)
                found = write_speech(own / split, clips, front, params.ivector, params.fbank)
                counts.setdefault(front.detector, {})[split] = found.metrics()
            of_dev = [corpus.speaker_of[name] for name in read_packed(own / "dev").utterance_ids]
            tried += try_front_end(own, front, of_dev, params.ivector, params.seed)
        for detector, one in best_by_detector(tried).items():
            for split in SPLITS:
                one.extractor.write(folder / detector / split, speech[one.front] / split)
            write_extractor(folder / detector / "extractor.safetensors", one.extractor)
        shutil.copytree(folder / best(tried).front.detector, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / "speech")
    write_metrics(metrics_path, {"speech": counts, **choice_metrics(tried)})


if __name__ == "__main__":
    run(main)
