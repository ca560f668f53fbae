"""Learn i-vectors from the train split and infer those of every split: the paper's baseline."""

import shutil
from dataclasses import dataclass
from typing import Any

from fhvae.baselines.ivector.extraction import clips_of, write_speech
from fhvae.baselines.ivector.extractor import (
    Extractor,
    best_rank,
    dev_errors,
    learn_mixture,
    learn_subspaces,
    learning_metrics,
    write_extractor,
)
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
    metrics: dict[str, Any] = {}
    with new_folder(path) as folder:
        speech = folder / "speech"
        for split in SPLITS:
            clips = clips_of(corpus_path / split, read_packed(fbank / split).utterance_ids)
            found = write_speech(speech / split, clips, params.ivector, params.fbank)
            metrics[split] = found.metrics()
        of_dev = [corpus.speaker_of[name] for name in read_packed(speech / "dev").utterance_ids]
        mixture = learn_mixture(speech / "train", params.ivector, params.seed)
        ubm, statistics = mixture.fitted.ubm, mixture.statistics(speech / "train")
        learned = learn_subspaces(ubm, statistics, params.ivector, params.seed)
        errors = dev_errors(learned, mixture.statistics(speech / "dev"), of_dev)
        extractor = Extractor(mixture.normalizer, ubm, learned[best_rank(errors)].model)
        for split in SPLITS:
            extractor.write(folder / split, speech / split)
        shutil.rmtree(speech)
        write_extractor(folder / "extractor.safetensors", extractor)
    write_metrics(metrics_path, metrics | learning_metrics(mixture, learned, errors))


if __name__ == "__main__":
    run(main)
