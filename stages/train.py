"""Train the FHVAE: normalized frames -> weights, learning curve."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from fhvae.commandline import run
from fhvae.corpus.store import read_corpus
from fhvae.device import choose_device
from fhvae.features.normalize import read_normalizer
from fhvae.files.atomic import file_digest, write_csv, write_metrics
from fhvae.files.columns import NAME, UNIQUE, read_columns
from fhvae.files.packed import frames_of, packed_files, read_packed
from fhvae.inference import mean_mu2
from fhvae.model.card import Origin
from fhvae.model.weights import NORMALIZER, with_weights, write_model
from fhvae.params.asked import read_params
from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams, learned_domains
from fhvae.params.fbank import FbankParams
from fhvae.params.model import ModelParams
from fhvae.params.run import Discriminative
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.stage import Input, Output, Shared, stage
from fhvae.training.augment import decibel_of
from fhvae.training.batches import open_sequences
from fhvae.training.checkpoint import Checkpoint, course_of_run, labels_digest
from fhvae.training.learner import set_precision
from fhvae.training.loop import Setting, Trainer
from fhvae.training.start import read_start
from fhvae.training.world import World, joined_world
from fhvae.trials import cosine_eer

CONDITIONS = "conditions.csv"  # of a corpus that is not clean throughout


@dataclass(frozen=True, kw_only=True)
class Params(Discriminative):
    """What the stage reads of params.yaml."""

    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams


@dataclass(frozen=True)
class Files:
    """Where the stage reads and writes."""

    corpus: Path
    fbank: Path
    domains: Path
    model: Path
    metrics: Path
    plots: Path


def train(files: Files, params: Params, device: torch.device, world: World) -> None:
    """Train in all processes; that of rank 0 writes."""
    speakers = read_corpus(files.corpus).speaker_of
    copies = learned_domains(params.domains) if params.training.domains == "all" else ()
    stems = {  # dev stays clean, so that the bounds of all runs compare
        "train": [files.fbank / "train", *(files.domains / name / "train" for name in copies)],
        "dev": [files.fbank / "dev"],
    }
    frames = frames_of(params.fbank.mels)
    sequences, dev = (
        open_sequences(
            [read_packed(stem, frames) for stem in own], speakers, params.training.sequence
        )
        for own in stems.values()
    )
    del speakers
    setting = Setting(params.alpha, params.seed, params.segments, params.model, params.training)
    read = [file for own in stems.values() for stem in own for file in packed_files(stem)]
    digests = world.from_first([file_digest(file) for file in read] if world.writes else [])
    digests += [labels_digest(data.speakers) for data in (sequences, dev)]
    parts = (params.model, params.segments, params.fbank)
    start = read_start(params.training.from_, *parts)
    course = course_of_run(**vars(setting), data_digests=digests, device=device, start=start.digest)
    checkpoint = Checkpoint(course)
    normalizer = files.fbank / NORMALIZER
    with checkpoint.held() if world.writes else nullcontext():
        trained = Trainer(
            setting,
            sequences,
            dev.load(device),
            checkpoint,
            monitor=cosine_eer,
            world=world,
            decibel=decibel_of(read_normalizer(normalizer, params.fbank.mels), params.fbank.power),
            start=start.weights,
        ).run()
        if not world.writes:
            return
        model = with_weights(trained.weights, *parts, device)
        heard_clean = clean_utterances(files.corpus)
        clean = mean_mu2(model, read_packed(files.fbank / "train", frames), heard_clean)
        origin = Origin(corpus=params.corpus.name, alpha=params.alpha, seed=params.seed)
        write_model(files.model, trained.weights, *parts, normalizer, origin, clean)
        curve = pd.DataFrame([record.row() for record in trained.curve])
        write_csv(files.plots / "learning_curve.csv", curve.round(6))
        write_metrics(files.metrics, trained.metrics(params.training.batch, len(sequences)))
        checkpoint.clear()


def clean_utterances(corpus: Path) -> Callable[[str], bool]:
    """Tell which utterances are heard as they were recorded: all of a corpus in one condition."""
    if not (corpus / CONDITIONS).exists():
        return lambda utterance_id: True
    columns = {"domain": NAME, "utterance_id": UNIQUE}
    domains, names = read_columns(corpus / CONDITIONS, columns, "conditions").values()
    clean = {name for name, domain in zip(names, domains, strict=True) if domain == "clean"}
    return lambda utterance_id: utterance_id in clean


@stage
def main(
    corpus: Input, fbank: Input, domains: Input, model: Output, metrics: Output, plots: Shared
) -> None:
    """Run the stage."""
    files = Files(corpus, fbank, domains, model, metrics, plots)
    params = read_params(Params)
    device = choose_device()
    set_precision(params.training.precision, device)
    with joined_world(device) as world:
        if world.writes:
            logging.info("training on %s", device.type)
        train(files, params, device, world)


if __name__ == "__main__":
    run(main)
