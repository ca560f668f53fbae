"""Every format that one stage writes and another reads: its files in a small run, and its reader.

A reader here reads as the stages do and asserts that what it was given is valid: of the right
type and shape, finite, in range, in order.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fhvae.acoustics.render import Draws
from fhvae.acoustics.summary import draws_table
from fhvae.baselines.pca import read_pca
from fhvae.cited import STAGES, cite, intervals, values
from fhvae.corpus.manifest import ALL_SPLITS, Word, word_table
from fhvae.corpus.store import Corpus, read_corpus
from fhvae.features.f0 import mean_log_f0, read_tracks
from fhvae.features.normalize import read_normalizer
from fhvae.files import shards
from fhvae.files.atomic import read_json, write_csv
from fhvae.files.metrics import read_metrics
from fhvae.files.packed import FRAMES, VECTORS, Packed, PackedWriter, read_packed
from fhvae.latents import check_within, read_latents
from fhvae.model.weights import read_model
from fhvae.orphans import DVC_STAGE
from fhvae.probes.rows import segment_rows
from fhvae.recognition.cells import COLUMNS, read_edits, write_edits
from fhvae.recognition.labels import count_edits
from fhvae.report.figures.every import DRAWN_METRICS
from fhvae.report.figures.learning_curve import DRAWN
from fhvae.report.headline import warnings_of
from fhvae.report.run_page import values as run_values
from fhvae.report.run_page import weak
from fhvae.report.run_page.facts import corpus_table, training_table
from fhvae.report.run_page.facts import warnings_of as warnings_of_training
from fhvae.report.run_page.gallery import WORDS, _inline
from fhvae.report.run_page.kept import kept_utterances, read_sound
from fhvae.report.run_page.readers import read_curve, read_summary
from fhvae.report.run_page.sounds import measured
from fhvae.report.shape import STAGES as PAGE_STAGES
from fhvae.report.shape import read_shaped
from fhvae.segments import grid_segments
from fhvae.stage import _check_lone_files, _check_unchanged, _what_dvc_writes_down
from fhvae.training.record import TrainingLog
from fhvae.trials import det_points, pairs_of
from fhvae.verification.scores import read_scores, write_scores
from fhvae.verification.vectors import packed_vectors
from stages.figures import BANDS
from stages.train import clean_utterances
from tests import probe_factory
from tests.figure_factory import CASES
from tests.latent_factory import MELS, SEGMENT_FRAMES, write_fake_run
from tests.report_factory import write_sounds
from tests.tiny import ROOT

CPU = torch.device("cpu")
FEW = {"train": 2, "dev": 2, "test": 2}  # speakers
SLOW = 0.05  # of the examples that other formats get
EACH = 2  # utterances of a speaker: many examples are read


@dataclass(frozen=True)
class Format:
    """A format between stages.

    Attributes:
        files: of the run, that are damaged one at a time.
        read: reads the run as a stage does.
        share: of the examples of other formats; less where reading takes long.
    """

    files: tuple[str, ...]
    read: Callable[[Path], object]
    share: float = 1.0


PIPELINE = {  # of two stages
    "dvc.yaml": """stages:
  first: {cmd: a, deps: [fhvae/x.py], metrics: [m.json: {cache: false}]}
  second: {cmd: b, deps: [m.json, fhvae/x.py], params: [alpha, model.z2]}
""",
    "dvc.lock": """schema: '2.0'
stages:
  first:
    cmd: a
    outs:
    - {path: m.json, hash: md5, md5: 99914b932bd37a50b983c5e7c90ae93b, size: 2}
""",
    "params.yaml": "alpha: 10\nmodel: {z1: 3, z2: 2}\n",
}


def write_run(folder: Path) -> None:
    """Write what all stages leave, with the writers of the stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe_factory, "SPEAKERS", FEW)
        patch.setattr(probe_factory, "EACH", EACH)
        write_fake_run(folder, FEW, EACH)
        probe_factory.write_coders(folder)
    shutil.copy(folder / "model-normalizer.json", folder / "fbank" / "normalizer.json")
    corpus = read_corpus(folder / "corpus")
    ids = [one.utterance_id for one in corpus.utterances]
    said = [(name, (Word(0.0, 0.1, "one"), Word(0.1, 0.2, "two"))) for name in ids]
    write_csv(folder / "corpus/words.csv", word_table(said))
    drawn = [Draws(("clean", "noise5")[place % 2], "train", one) for place, one in enumerate(ids)]
    write_csv(folder / "corpus/conditions.csv", draws_table(drawn))
    refused = [("gone", "train", "a, b.wav", "it is empty")]
    columns = ["utterance_id", "split", "path", "reason"]
    write_csv(folder / "corpus/quarantine.csv", pd.DataFrame(refused, columns=columns))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", 500)
        with PackedWriter(folder / "sharded/test", "float16", (MELS,)) as writer:
            for name, rows in read_packed(folder / "fbank/test").items():
                writer.append(name, rows)
    trials = pairs_of(ids[:6], ["x", "x", "y", "y", "z", "z"])
    write_scores(folder / "scores/mu2.cos.tsv", trials, np.linspace(-1, 1, len(trials)))
    write_edits(folder / "recognition", _edits(ids))
    shutil.copytree(ROOT / "metrics", folder / "metrics")
    shutil.copytree(ROOT / "plots", folder / "plots", ignore=shutil.ignore_patterns("*.png"))
    (folder / "pipeline/fhvae").mkdir(parents=True)
    for name, text in {**PIPELINE, "m.json": "{}", "fhvae/x.py": "x = 1\n"}.items():
        (folder / "pipeline" / name).write_text(text)
    (folder / "figures").mkdir()
    (folder / "figures/det.svg").write_text('<?xml version="1.0"?>\n<svg width="5"></svg>\n')
    write_sounds(folder / "sounds")
    lines = [json.dumps({"epoch": epoch, "dev_kl_z1": 0.5}) for epoch in range(1, 6)]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n")


def _edits(ids: list[str]) -> pd.DataFrame:
    spoken = [("aa", "s", "t"), ("iy",), ("s", "aa")]
    heard = [("aa", "t"), (), ("s", "iy", "aa", "t")]
    found = count_edits(spoken, heard)
    rows = [
        ("blstm", "fbank", "clean", "clean", repeat, name, name[:6], len(said), one.substitutions,
         one.deletions, one.insertions, " ".join(said), " ".join(own), one.operations)
        for repeat in range(2)
        for name, said, own, one in zip(ids, spoken, heard, found, strict=False)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def is_finite(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


def lie_end_to_end(offsets: np.ndarray, lengths: np.ndarray, total: int) -> bool:
    ends = np.cumsum(lengths)
    return bool((lengths >= 0).all() and (offsets == ends - lengths).all() and ends[-1] == total)


def check_packed(packed: Packed) -> None:
    """Walk over all rows; offsets lie end to end."""
    assert len(set(packed.utterance_ids)) == len(packed)
    assert all(packed.utterance_ids)
    if len(packed):
        assert lie_end_to_end(packed.offsets, packed.lengths, len(packed.rows))
    for (_, rows), length in zip(packed.items(), packed.lengths, strict=True):
        assert len(rows) == length
        assert is_finite(rows)


def manifest(folder: Path) -> Corpus:
    """The manifest."""
    found = read_corpus(folder / "corpus")
    assert len({one.utterance_id for one in found.utterances}) == len(found.utterances)
    for one in found.utterances:
        assert one.utterance_id
        assert one.speaker
        assert one.split in ALL_SPLITS
        assert one.gender in ("M", "F", "")
        assert 0 <= one.duration_s < np.inf
    return found


def labels(folder: Path) -> None:
    """Alignments, transcripts, and what was left out."""
    found = manifest(folder)
    durations = {one.utterance_id: one.duration_s for one in found.utterances}
    for name, phones in found.phones.items():
        times = [time for phone in phones for time in (phone.start_s, phone.end_s)]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= durations[name] + 0.025
        assert all(phone.phone for phone in phones)
    for name, words in found.words.items():
        assert name in durations
        assert is_finite(np.array([(word.start_s, word.end_s) for word in words]))
    assert set(found.transcripts) <= set(durations)
    assert all(all(names) for names in found.transcripts.values())
    assert all(isinstance(one.reason, str) for one in found.left_out)


def samples(folder: Path) -> None:
    """Samples, beside the manifest."""
    packed = manifest(folder).samples("train")
    check_packed(packed)
    assert packed.rows.dtype == np.int16


def conditions(folder: Path) -> None:
    """Who is heard clean."""
    assert clean_utterances(folder / "corpus")("nobody") is False


def frames(folder: Path) -> None:
    """Packed frames in one file."""
    packed = read_packed(folder / "fbank/test", FRAMES)
    check_packed(packed)
    grid_segments(packed.offsets, packed.lengths, SEGMENT_FRAMES, 2)


def sharded(folder: Path) -> None:
    """Packed frames in several files, of half precision."""
    packed = read_packed(folder / "sharded/test", FRAMES)
    check_packed(packed)
    for position in range(len(packed)):
        assert packed.place(position).offset >= 0


def normalizer(folder: Path) -> None:
    """Mean and standard deviation of the frames."""
    found = read_normalizer(folder / "fbank/normalizer.json", MELS)
    assert found.mean.shape == found.std.shape == (MELS,)
    assert is_finite(found.mean, found.std)
    assert (found.std > 0).all()


def f0(folder: Path) -> None:
    """Tracks of F0."""
    packed = read_tracks(folder / "f0/test")
    check_packed(packed)
    means = [mean_log_f0(track) for _, track in packed.items()]
    assert all(mean is None or np.isfinite(mean) for mean in means)


def ivectors(folder: Path) -> None:
    """Vectors, one row an utterance."""
    found = packed_vectors(read_packed(folder / "ivectors/test", VECTORS))
    assert found.values.shape[0] == len(found.utterance_ids)
    assert is_finite(found.values)


def latents(folder: Path) -> None:
    """Latents of a split, beside its frames."""
    found = read_latents(folder / "latents/test.safetensors")
    packed = read_packed(folder / "fbank/test", FRAMES)
    assert lie_end_to_end(found.offsets, found.lengths, len(found.starts))
    assert is_finite(found.mu1, found.mu2, found.z1_mean, found.z2_log_variance)
    assert list(found.utterance_ids) == sorted(set(found.utterance_ids))
    check_within(found, packed)
    people = [one for one in read_corpus(folder / "corpus").utterances if one.split == "test"]
    rows = segment_rows(found, packed, people)
    assert len(rows) == len(found.starts)


def pca(folder: Path) -> None:
    """PCA of segments."""
    found = read_pca(folder / "baselines/pca/pca.safetensors")
    assert found.directions.shape[0] == len(found.mean)
    assert is_finite(found.mean, found.directions)


def model(folder: Path) -> None:
    """A model folder, as stages read it and as the page tells of it."""
    found = read_model(folder / "model", CPU)
    assert all(torch.isfinite(one).all() for one in found.network.state_dict().values())
    assert is_finite(found.normalizer.mean, found.normalizer.std)
    metrics = {"train": {"sequences": 1, "segments": 2, "steps": 3, "best_epoch": 1}}
    training_table(metrics, folder / "model", 1)


def scores(folder: Path) -> None:
    """Scores of trials."""
    found = read_scores(folder / "scores/mu2.cos.tsv")
    curve = det_points(found.scores, found.is_target)
    assert is_finite(found.scores, curve.fpr, curve.fnr)


def edits(folder: Path) -> None:
    """Edits of recognized utterances."""
    table = read_edits(folder / "recognition")
    errors = table[["substitutions", "deletions", "insertions"]].sum(axis=1)
    assert (errors <= table["operations"].str.len()).all()
    assert (table["phones"] > 0).all()


def learning_curve(folder: Path) -> None:
    """The learning curve."""
    curve = read_curve(folder / "plots", DRAWN)
    assert list(curve["epoch"]) == list(range(1, len(curve) + 1))
    assert is_finite(curve["dev_lower_bound"].to_numpy())


def bands(folder: Path) -> None:
    """Bands of the DET plot."""
    from fhvae.files.columns import read_csv

    table = read_csv(folder / "plots/det_bands.csv", BANDS, "verify")
    numbers = table[["fpr", "fnr_low", "fnr_high"]].to_numpy(float)
    assert ((numbers >= 0) & (numbers <= 1)).all()


def metrics(folder: Path) -> None:
    """Metrics, as the stage summary reads them."""
    found = {stage: read_metrics(folder / f"metrics/{stage}.json") for stage in STAGES}
    cited = cite(found)
    assert all(type(value) in (int, float) for value in values(cited).values())
    assert is_finite(np.array([float(value) for value in values(cited).values()]))
    json.dumps(intervals(cited, found), allow_nan=False).encode()


def summary(folder: Path) -> None:
    """The values that one cites, as the page reads them."""
    found = read_summary(folder / "metrics", {})
    assert is_finite(np.array(list(found.values.values()), float))


def page(folder: Path) -> None:
    """All metrics, as the page lays them out."""
    found = read_shaped(folder / "metrics")
    cited, learning = read_summary(folder / "metrics", found), read_curve(folder / "plots")
    differences = weak.differences(found)
    tables = [
        weak.differences_table(differences, ("worse", "level", "better", "no verdict"), "all"),
        weak.changed_table(found["convert"]),
        weak.thin_table(found["verify"]),
        weak.absent_table(found),
        corpus_table(found["download"]),
        *run_values.summary_tables(cited),
        run_values.others_table(found),
    ]
    said = [run_values.headline(cited), *warnings_of(found), *warnings_of_training(found["train"])]
    for words in WORDS.values():
        said.append(words.alternative(found, learning))
        tables += words.tables(found, learning)
    assert all(isinstance(one, str) for one in said)
    assert all(len(row) == len(table.header) for table in tables for row in table.rows)


def figures(folder: Path) -> None:
    """What is drawn of metrics; a title may hold any."""
    found = read_shaped(folder / "metrics", DRAWN_METRICS)
    drawn = replace(CASES["rich"], metrics=found)
    for name in ("det", "matrix", "mismatch", "probe"):
        drawn.figures()[name](folder / f"{name}.png")


def sounds(folder: Path) -> None:
    """Sounds with their tables."""
    for one in kept_utterances(folder / "sounds"):
        for path in one.files.values():
            samples, rate = read_sound(path)
            assert samples.ndim == 1
            assert len(samples)
            assert is_finite(samples)
            assert rate == 16_000
            method = path.stem.rpartition("-")[2]
            assert measured(one.rows.get(method, {})).isprintable()


def svg(folder: Path) -> None:
    """A figure for the page."""
    assert "<svg role=" in _inline(folder / "figures/det.svg", "words")


def log(folder: Path) -> None:
    """The log of a training, which a resumed one goes on with."""
    path = folder / "log.jsonl"
    before = path.read_bytes()
    try:
        TrainingLog(folder, 3)
        left = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert all(int(one["epoch"]) <= 3 for one in left)
    finally:
        path.write_bytes(before)


def notes(folder: Path) -> None:
    """Any JSON object: what a run is of, where a part came from."""
    assert isinstance(read_json(folder / "metrics/probe.json"), dict)


def pipeline(folder: Path) -> None:
    """What DVC has written down, with the pipeline and its params, as a stage begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "pipeline")
        patch.setenv(DVC_STAGE, "second")
        before = _what_dvc_writes_down()
        _check_lone_files()
        _check_unchanged(before)


LABELS = ("phones", "words", "transcripts", "quarantine")
FORMATS = {
    "manifest": Format(("corpus/manifest.csv",), manifest),
    "labels": Format(tuple(f"corpus/{name}.csv" for name in LABELS), labels),
    "samples": Format(("corpus/train.csv", "corpus/train.npy", "corpus/manifest.csv"), samples),
    "conditions": Format(("corpus/conditions.csv",), conditions),
    "frames": Format(("fbank/test.npy", "fbank/test.csv"), frames),
    "sharded": Format(
        tuple(f"sharded/test{end}" for end in (".npy", ".1.npy", ".2.npy", ".csv")), sharded, SLOW
    ),
    "normalizer": Format(("fbank/normalizer.json",), normalizer),
    "f0": Format(("f0/test.npy", "f0/test.csv"), f0),
    "ivectors": Format(("ivectors/test.npy", "ivectors/test.csv"), ivectors),
    "latents": Format(("latents/test.safetensors", "fbank/test.csv"), latents, SLOW),
    "pca": Format(("baselines/pca/pca.safetensors",), pca),
    "model": Format(("model/config.json", "model/model.safetensors"), model, SLOW),
    "scores": Format(("scores/mu2.cos.tsv",), scores),
    "edits": Format(("recognition/utterances.csv",), edits, SLOW),
    "learning_curve": Format(("plots/learning_curve.csv",), learning_curve),
    "bands": Format(("plots/det_bands.csv",), bands, SLOW),
    "metrics": Format(tuple(f"metrics/{stage}.json" for stage in STAGES), metrics, SLOW),
    "summary": Format(("metrics/summary.json", "metrics/summary_intervals.json"), summary),
    "page": Format(tuple(f"metrics/{stage}.json" for stage in PAGE_STAGES), page, 0.2),
    "figures": Format(tuple(f"metrics/{stage}.json" for stage in DRAWN_METRICS), figures, 0.01),
    "sounds": Format(
        ("sounds/conversion.csv", "sounds/denoising.csv", "sounds/convert-1-source.flac"),
        sounds,
        SLOW,
    ),
    "svg": Format(("figures/det.svg",), svg),
    "log": Format(("log.jsonl",), log),
    "pipeline": Format(tuple(f"pipeline/{name}" for name in PIPELINE), pipeline, 0.2),
    "notes": Format(("metrics/probe.json",), notes),
}
