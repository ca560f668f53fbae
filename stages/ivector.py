"""Learn i-vectors from the train split and infer those of every split: the paper's baseline."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.baselines.ivector.choice import (
    Judge,
    Tried,
    best,
    best_by_detector,
    best_supervised,
    choice_metrics,
    try_front_end,
)
from fhvae.baselines.ivector.extraction import clips_of, write_speech
from fhvae.baselines.ivector.extractor import write_extractor
from fhvae.commandline import run
from fhvae.corpus.manifest import SPLITS
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.files.atomic import new_folder, write_metrics
from fhvae.files.packed import FRAMES, read_packed
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.run import Seeded
from fhvae.params.verification import VerificationParams
from fhvae.stage import Input, Output, stage
from fhvae.trials import Vectors, cosine_eer, pairs_of
from fhvae.verification.backends import DevVectors, TrainVectors, supervised_dev_error


@dataclass(frozen=True, kw_only=True)
class Params(Seeded):
    """What the stage reads of params.yaml."""

    fbank: FbankParams
    ivector: IvectorParams
    verification: VerificationParams


def judge_on_dev(corpus: Corpus, speech: Path, params: VerificationParams) -> Judge:
    """Say how i-vectors are judged: all pairs of dev, back-ends fitted on train."""
    ids = {split: sorted(read_packed(speech / split).utterance_ids) for split in ("train", "dev")}
    who = {split: [corpus.speaker_of[name] for name in names] for split, names in ids.items()}

    def judge(train: np.ndarray, dev: np.ndarray) -> tuple[float | None, float | None]:
        by_cosine = cosine_eer(dev, who["dev"])
        if by_cosine is None:
            return None, None
        learned = TrainVectors(Vectors(tuple(ids["train"]), train), who["train"])
        trials = pairs_of(ids["dev"], who["dev"])
        heard = DevVectors(Vectors(tuple(ids["dev"]), dev), trials)
        return by_cosine, supervised_dev_error(learned, heard, params)

    return judge


@stage
def main(corpus: Input, fbank: Input, ivectors: Output, metrics: Output) -> None:
    """Run the stage."""
    params = read_params(Params)
    spoken = read_corpus(corpus)
    counts: dict[str, dict[str, Any]] = {}
    tried: list[Tried] = []
    with new_folder(ivectors) as folder:
        speech = {
            front: folder / "speech" / str(place)
            for place, front in enumerate(params.ivector.front_ends)
        }
        for front, own in speech.items():
            for split in SPLITS:
                ids = read_packed(fbank / split, FRAMES).utterance_ids
                clips = clips_of(corpus / split, ids)
                found = write_speech(own / split, clips, front, params.ivector, params.fbank)
                counts.setdefault(front.detector, {})[split] = found.metrics()
            judge = judge_on_dev(spoken, own, params.verification)
            tried += try_front_end(own, front, judge, params.ivector, params.seed)
        kept = {**best_by_detector(tried), "supervised": best_supervised(tried)}
        for name, one in kept.items():
            for split in SPLITS:
                one.extractor.write(folder / name / split, speech[one.front] / split)
            write_extractor(folder / name / "extractor.safetensors", one.extractor)
        shutil.copytree(folder / best(tried).front.detector, folder, dirs_exist_ok=True)
        shutil.rmtree(folder / "speech")
    write_metrics(metrics, {"speech": counts, **choice_metrics(tried)})


if __name__ == "__main__":
    run(main)
