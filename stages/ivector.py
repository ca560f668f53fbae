"""Learn i-vectors from the train split and infer those of every split: the paper's baseline."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.baselines.ivector.extraction import SpeechCounts, clips_of, write_speech
from fhvae.baselines.ivector.extractor import (
    Extractor,
    Mixture,
    best_rank,
    learn_mixture,
    learn_subspaces,
    write_extractor,
)
from fhvae.baselines.ivector.total_variability import Trained, ivectors
from fhvae.commandline import parse_paths, run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.run import Seeded
from fhvae.trials import cosine_eer

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    fbank: FbankParams
    ivector: IvectorParams


def speech_metrics(split: str, counts: SpeechCounts) -> dict[str, Any]:
    """Count the frames of a split; say which utterances were taken whole."""
    if counts.without_speech:
        log.warning(
            "%s: too little speech found in %d of %d utterances, all their frames are taken: %s",
            split,
            len(counts.without_speech),
            counts.utterances,
            ", ".join(counts.without_speech),
        )
    return {
        "utterances": counts.utterances,
        "frames": counts.frames,
        "speech_frames": counts.speech_frames,
        "speech_share": counts.speech_frames / counts.frames,
        "without_speech": len(counts.without_speech),
    }


def dev_errors(learned: list[Trained], mixture: Mixture, stem: Path, corpus: Corpus) -> list[Any]:
    """Compute the cosine EER on dev of each subspace; None where dev has no answer."""
    of_dev = [corpus.speaker_of[utterance_id] for utterance_id in read_packed(stem).utterance_ids]
    statistics = mixture.statistics(stem)
    return [cosine_eer(ivectors(one.model, statistics), of_dev) for one in learned]


def learning_metrics(mixture: Mixture, learned: list[Trained], errors: list[Any]) -> dict[str, Any]:
    """Lay out sizes and the course of the likelihoods, in nats per frame above the UBM."""
    ranks: dict[str, Any] = {}
    for one, error in zip(learned, errors, strict=True):
        steps = [f"iteration_{step:02d}" for step in range(1, len(one.log_likelihoods) - 1)]
        names = ["start", *steps, "minimum_divergence"]
        found = {"gain_over_ubm": dict(zip(names, one.log_likelihoods, strict=True))}
        ranks[str(one.model.rank)] = found | ({} if error is None else {"dev_eer": error})
    return {
        "gaussians": len(mixture.fitted.ubm.weights),
        "ubm_frames": mixture.fitted.frames,
        "ubm_iterations": mixture.fitted.iterations,
        "ubm_converged": mixture.fitted.converged,
        "rank": learned[best_rank(errors)].model.rank,
        "ranks": ranks,
    }


def write_ivectors(path: Path, stem: Path, extractor: Extractor) -> None:
    """Infer the i-vectors of packed speech frames and pack them, one row per utterance."""
    values = extractor.extract(stem)
    with PackedWriter(path, "float32", values.shape[1:]) as writer:
        for utterance_id, row in zip(read_packed(stem).utterance_ids, values, strict=True):
            writer.append(utterance_id, row[None])


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
            counts = write_speech(speech / split, clips, params.ivector, params.fbank)
            metrics[split] = speech_metrics(split, counts)
        mixture = learn_mixture(speech / "train", params.ivector, params.seed)
        ubm, statistics = mixture.fitted.ubm, mixture.statistics(speech / "train")
        learned = learn_subspaces(ubm, statistics, params.ivector, params.seed)
        errors = dev_errors(learned, mixture, speech / "dev", corpus)
        extractor = Extractor(mixture.normalizer, ubm, learned[best_rank(errors)].model)
        for split in SPLITS:
            write_ivectors(folder / split, speech / split, extractor)
        shutil.rmtree(speech)
        write_extractor(folder / "extractor.safetensors", extractor)
    write_metrics(metrics_path, metrics | learning_metrics(mixture, learned, errors))


if __name__ == "__main__":
    run(main)
