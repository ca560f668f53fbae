"""From a folder of recordings to a model folder, with what the stages are made of."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fhvae.corpus.store import Corpus, read_corpus, write_corpus
from fhvae.device import choose_device
from fhvae.errors import ArtifactError
from fhvae.features.extraction import select_clips
from fhvae.features.pieces import extract, fingerprint
from fhvae.files.atomic import file_digest, read_json, remove_leftovers, write_json
from fhvae.files.locks import held
from fhvae.files.packed import FRAMES, packed_files, read_packed
from fhvae.files.sums import differences, write_sums
from fhvae.inference import infer_latents, mean_mu2
from fhvae.model.card import Origin
from fhvae.model.weights import (
    NORMALIZER,
    Calibration,
    TrainedModel,
    with_weights,
    write_model,
)
from fhvae.own.place import check_place, working_folder
from fhvae.own.recordings import in_utf8, own_recordings
from fhvae.own.settings import Settings
from fhvae.training.batches import open_sequences
from fhvae.training.checkpoint import Checkpoint, course_of_run, labels_digest
from fhvae.training.learner import set_precision
from fhvae.training.loop import Setting, Trainer
from fhvae.training.record import TrainedRun
from fhvae.training.start import read_start
from fhvae.trials import cosine_eer
from fhvae.verification.calibration import calibrate

LISTED = "listed.json"  # what the corpus in the working folder was made of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        run: the best epoch and the curve.
        utterances: by split.
        left_out: recordings that could not be used; with those that are shorter than a segment.
        knows_speakers: whether there is an EER.
        eer_mu2: of all pairs by cosine, by split, where speakers are known.
        calibration: fitted on dev; None where it cannot be.
    """

    run: TrainedRun
    utterances: Mapping[str, int]
    left_out: int
    knows_speakers: bool
    eer_mu2: Mapping[str, float]
    calibration: Calibration | None


def train_on(folder: Path, out: Path, settings: Settings) -> Outcome:
    """Train on a folder of recordings and write the model; a run that was killed goes on.

    Raises:
        CorpusError: the folder holds too little, or nothing that can be used.
        ArtifactError: `out` or the folder in which the work is done is another's.
        TrainingError: the training diverged, or its checkpoint cannot be written.
    """
    check_place(folder, out)
    lock = out.with_name(f".{out.name}.lock")
    with held(lock, f"another process that trains {out}"):
        remove_leftovers(out.parent, out.name)
        with working_folder(out) as work:
            return _train_in(work, folder, out, settings)


def _train_in(work: Path, folder: Path, out: Path, settings: Settings) -> Outcome:
    device = choose_device()
    set_precision(settings.training.precision, device)
    corpus, knows_speakers = _local_corpus(work, folder, settings)
    frames = _frames(work, corpus, settings)
    checkpoint = _checkpoint(work, frames, corpus, settings, device)
    with checkpoint.held():
        trained = _train(frames, corpus, settings, checkpoint, device)
        parts = (settings.model, settings.segments, settings.fbank)
        model = with_weights(trained.weights, *parts, device)
        outcome = _outcome(model, frames, corpus, trained, knows_speakers)
        origin = Origin(in_utf8(folder.resolve().name), settings.alpha, settings.seed)
        clean = mean_mu2(model, read_packed(frames / "train", FRAMES), lambda _: True)
        normalizer = frames / NORMALIZER
        check_place(folder, out)  # again: somebody may have put files there meanwhile
        write_model(out, trained.weights, *parts, normalizer, origin, clean, outcome.calibration)
    return outcome


def _local_corpus(work: Path, folder: Path, settings: Settings) -> tuple[Corpus, bool]:
    """Decode the recordings, unless an earlier run did and none has changed since."""
    own = own_recordings(folder, settings.splits, settings.piece_s)
    listed = {
        "files": {ascii(str(path.absolute())): _facts(path) for path in own.files},
        "splits": asdict(settings.splits),
        "piece_s": settings.piece_s,
        "knows_speakers": own.knows_speakers,
    }
    if _listed(work / LISTED) == listed and _is_whole(work / "corpus"):
        log.info("going on with the recordings in %s", work)
        return read_corpus(work / "corpus", own.splits), own.knows_speakers
    (work / LISTED).unlink(missing_ok=True)  # before what it tells of
    for old in ("corpus", "fbank"):
        shutil.rmtree(work / old, ignore_errors=True)
    write_corpus(work / "corpus", own.recordings, own.splits)
    write_sums(work / "corpus")
    corpus = read_corpus(work / "corpus", own.splits)
    write_json(work / LISTED, listed)
    return corpus, own.knows_speakers


def _listed(path: Path) -> dict[str, Any] | None:
    """Read what an earlier run decoded; None where that is not known."""
    try:
        return read_json(path)
    except ArtifactError:
        return None


def _facts(path: Path) -> list[int]:
    """Note size in bytes and time of the last change; nothing of a link that leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _is_whole(corpus: Path) -> bool:
    """Tell whether what an earlier run decoded is still as it left it."""
    wrong = next(differences(corpus), None)
    if wrong is not None:
        log.warning("%s is broken (%s), the recordings are read again", corpus, wrong)
    return wrong is None


def _frames(work: Path, corpus: Corpus, settings: Settings) -> Path:
    """Compute normalized frames, where an earlier run did not; name their folder."""
    selections = [
        select_clips(corpus.folder / split, settings.fbank.hop_ms, settings.segments.frames)
        for split in corpus.splits
    ]
    path_of = {one.utterance_id: one.path for one in corpus.utterances}
    for clip in (clip for item in selections for clip in item.dropped):
        log.warning("left out: %s: it is shorter than a segment", path_of[clip.utterance_id])
    decided = fingerprint(selections, settings.fbank)
    return extract(work / "fbank" / decided, selections, settings.fbank)


def _checkpoint(
    work: Path, frames: Path, corpus: Corpus, settings: Settings, device: torch.device
) -> Checkpoint:
    """Name the run after all that decides its course."""
    digests = [
        file_digest(file) for split in ("train", "dev") for file in packed_files(frames / split)
    ]
    digests.append(labels_digest(sorted(corpus.speaker_of)))
    start = read_start(settings.training.from_, settings.model, settings.segments, settings.fbank)
    course = course_of_run(
        settings.alpha,
        settings.seed,
        settings.segments,
        settings.model,
        settings.training,
        digests,
        device,
        start.digest,
    )
    return Checkpoint(course, work)


def _train(
    frames: Path, corpus: Corpus, settings: Settings, checkpoint: Checkpoint, device: torch.device
) -> TrainedRun:
    sequences, dev = (
        open_sequences(
            [read_packed(frames / split, FRAMES)], corpus.speaker_of, settings.training.sequence
        )
        for split in ("train", "dev")
    )
    sections = (settings.segments, settings.model, settings.training)
    start = read_start(settings.training.from_, settings.model, settings.segments, settings.fbank)
    return Trainer(
        Setting(settings.alpha, settings.seed, *sections),
        sequences,
        dev.load(device),
        checkpoint,
        monitor=cosine_eer,
        start=start.weights,
    ).run()


def _outcome(
    model: TrainedModel, frames: Path, corpus: Corpus, trained: TrainedRun, knows_speakers: bool
) -> Outcome:
    """Look at what was not trained on."""
    packed = {split: read_packed(frames / split, FRAMES) for split in corpus.splits}
    eers: dict[str, float] = {}
    calibration = None
    for split in [name for name in packed if name != "train" and knows_speakers]:
        latents = infer_latents(model, packed[split], model.segments.shift)
        speakers = [corpus.speaker_of[name] for name in latents.utterance_ids]
        found = cosine_eer(latents.mu2, speakers)
        if found is not None:
            eers[split] = found
        if split == "dev":
            calibration = calibrate(latents.mu2, speakers)
    counts = {split: len(one.utterance_ids) for split, one in packed.items()}
    dropped = len(corpus.utterances) - sum(counts.values())
    left_out = dropped + len(corpus.left_out)
    return Outcome(trained, counts, left_out, knows_speakers, eers, calibration)
