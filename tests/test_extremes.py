"""What is extreme but legal: a right result or one sentence, as docs/extremes.md says.

Each row of the page is a case here, and each case a row of the page.
"""

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import fhvae
from fhvae.corpus.catalogue import without_copies
from fhvae.corpus.manifest import Recording, Utterance
from fhvae.errors import FhvaeError
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.files.atomic import read_json
from fhvae.intervals import ratio_interval
from fhvae.latents import read_latents
from fhvae.params.whole import load_params
from fhvae.probes.questions import Plan
from fhvae.probes.run import run_probes, summarize
from fhvae.probes.tasks import check_task
from fhvae.trials import Vectors, det_points, eer, pairs_of
from fhvae.verification.error_rates import (
    cllr,
    fit_calibration,
    minimum_cllr,
    minimum_detection_cost,
)
from stages.train import main as train
from tests.fhvae.probes.test_run import random_task
from tests.fhvae.verification.test_evaluate import codes, evaluate_vector, evaluation_of
from tests.latent_factory import MELS, write_fake_run
from tests.probe_factory import PROBES
from tests.stages.stage_runner import inside, run_stage
from tests.tiny import ROOT
from tests.tones import RATE_HZ, write_tone_corpus
from tests.whole_run import run_whole

PAGE = (ROOT / "docs/extremes.md").read_text(encoding="utf-8")
FEW = {"train": 3, "dev": 2, "test": 3}
CASES: dict[str, Callable[[Path], Any]] = {}


def case(what: str) -> Callable[[Callable[[Path], Any]], Callable[[Path], Any]]:
    """Name the row of the page that a function makes true."""

    def take(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
        CASES[what] = function
        return function

    return take


# The training, on made-up frames: 8 speakers of 3 utterances, 29 frames each.


SMALL = {
    **{"fbank.mels": MELS, "segments.frames": 5, "segments.shift": 3},
    **{"model.z1": 2, "model.z2": 4, "model.cells": 6, "training.batch": 8},
    **{"training.epoch_steps": 4, "training.max_epochs": 2},
}


def trained(out: Path, speakers: int = 4, each: int = 3, **changes: object) -> dict[str, Any]:
    """Train a small model: a file of weights, and a curve of finite numbers."""
    wanted = {name.replace("__", "."): value for name, value in changes.items()}
    write_fake_run(out, {"train": speakers, "dev": 2, "test": 2}, each=each, segments=6)
    return trained_on(out, wanted)


def trained_on(out: Path, wanted: dict[str, object]) -> dict[str, Any]:
    write_normalizer(out / "fbank/normalizer.json", Normalizer(np.zeros(MELS), np.ones(MELS)))
    given = inside(out, "corpus", "fbank", "domains")
    metrics = run_stage(train, given, out / "out", ("model", "plots"), SMALL | wanted)
    curve = pd.read_csv(out / "out/plots/learning_curve.csv")
    assert np.isfinite(curve.drop(columns=["collapsed"]).to_numpy(float)).all()
    assert (out / "out/model/model.safetensors").exists()
    return metrics


def training(what: str, **changes: object) -> None:
    case(what)(lambda out: trained(out, **changes))


training("`alpha` 0", alpha=0)
training("`alpha` 1e-30", alpha=1e-30)
training("`alpha` 1e6", alpha=1e6)
training("`alpha` 1e300", alpha=1e300)
training("`seed` 2^63", seed=2**63)
training("`seed` of 400 digits", seed=10**399)
training("`z1` 1 and `z2` 1, one cell", model__z1=1, model__z2=1, model__cells=1)
training("`training.batch` 1", training__batch=1)
training("`training.batch` beyond all segments", training__batch=1000)
training("`training.learning_rate` 100", training__learning_rate=100)
training("`model.z2_std` 1e-6", model__z2_std=1e-6)
training("`model.z2_std` 1e6", model__z2_std=1e6)
training("`model.z1_std` 1e-200", model__z1_std=1e-200)
training("a segment as long as an utterance: one segment each", segments__frames=25)
training("train of one speaker", speakers=1)
training("train of one utterance", speakers=1, each=1)


@case("train of equal utterances")
def _(out: Path) -> None:
    write_fake_run(out, {"train": 4, "dev": 2, "test": 2}, each=3, segments=6)
    path = out / "fbank/train.npy"
    frames = np.load(path)
    frames[:] = np.tile(frames[: len(frames) // 12], (12, 1))
    np.save(path, frames)
    trained_on(out, {})


training("`training.skip_nearest` beyond all sequences", training__skip_nearest=1000)


# The stages, on recordings.


def wave_corpus(folder: Path, wave: Callable[[np.ndarray], np.ndarray], **sizes: Any) -> Path:
    """Write the made-up corpus, its sound replaced: `wave` gives floats at times in s."""
    write_tone_corpus(folder, FEW, seconds=0.7, **sizes)
    for place, path in enumerate(sorted(folder.glob("wav/*.wav"))):
        samples, _ = soundfile.read(path)
        time_s = (np.arange(len(samples)) + place) / RATE_HZ  # no two are the same samples
        made = np.clip(wave(time_s), -1, 1 - 1 / 32768)
        soundfile.write(path, made, RATE_HZ, subtype="PCM_16")
    return folder


def heard(out: Path, wave: Callable[[np.ndarray], np.ndarray]) -> None:
    """Run to the latents: every utterance has some, and their reader takes finite numbers alone."""
    run = run_whole(out / "run", wave_corpus(out / "corpus", wave), "latents")
    for split, count in FEW.items():
        latents = read_latents(run / f"data/latents/{split}.safetensors")
        assert len(latents.mu2) == 3 * count


@case("recordings of square waves at full scale (clipped)")
def _(out: Path) -> None:
    heard(
        out, lambda time_s: np.sign(np.sin(2 * np.pi * 150 * time_s) + 0.3 * np.sin(900 * time_s))
    )


@case("recordings of one tone and nothing else")
def _(out: Path) -> None:
    heard(out, lambda time_s: 0.5 * np.sin(2 * np.pi * 440 * time_s))


@case("recordings of a constant (DC)")
def _(out: Path) -> None:
    heard(out, lambda time_s: np.full(len(time_s), 0.25))


@case("recordings of digital silence")
def _(out: Path) -> None:
    heard(out, lambda time_s: np.zeros(len(time_s)))


@case("recordings of silence but for one click")
def _(out: Path) -> None:
    heard(out, lambda time_s: np.where(np.arange(len(time_s)) == len(time_s) // 2, 0.9, 0.0))


@case("utterances of 0.2 s beside one of 30 s")
def _(out: Path) -> None:
    corpus = write_tone_corpus(out / "corpus", FEW, seconds=0.2)
    random = np.random.default_rng(0)
    long = 0.1 * random.normal(size=30 * RATE_HZ)
    soundfile.write(corpus / "wav/spk00-0.wav", long, RATE_HZ, subtype="PCM_16")
    table = pd.read_csv(corpus / "manifest.csv")
    table.loc[table["utterance_id"] == "spk00-0", "duration_s"] = 30.0
    table.to_csv(corpus / "manifest.csv", index=False)
    phones = pd.read_csv(corpus / "phones.csv")
    phones[phones["utterance_id"] != "spk00-0"].to_csv(corpus / "phones.csv", index=False)
    run = run_whole(out / "run", corpus, "latents")
    assert read_json(run / "metrics/latents.json")["train"]["utterances"] == 9


def sized(out: Path, counts: dict[str, int], utterances: int, last: str, **changes: Any) -> Path:
    corpus = write_tone_corpus(out / "corpus", counts, utterances, seconds=0.7)
    return run_whole(out / "run", corpus, last, **changes)


@case("one speaker in test")
def _(out: Path) -> None:
    sized(out, {**FEW, "test": 1}, 3, "download")


@case("one utterance of each speaker in test")
def _(out: Path) -> None:
    sized(out, FEW, 1, "download")


def with_priors(std: float) -> None:
    """Give all three priors one standard deviation, and evaluate mu2 of what comes of it."""

    @case(f"`z1_std`, `z2_std` and `mu2_std` {std:g}, to the EER")
    def _(out: Path) -> None:
        stds = {f"model__{name}_std": std for name in ("z1", "z2", "mu2")}
        run = sized(out, {**FEW, "train": 4}, 3, "verify", **stds)
        assert 0 <= read_json(run / "metrics/verify.json")["mu2"]["cos"]["eer"] <= 1


with_priors(1e-6)
with_priors(1e6)


@case("segments longer than every utterance")
def _(out: Path) -> None:
    sized(out, FEW, 2, "fbank", segments__frames=1000)


@case("segments longer than most utterances")
def _(out: Path) -> None:
    run = sized(out, FEW, 3, "latents", segments__frames=74, training__batch=8)
    kept = read_json(run / "metrics/latents.json")["train"]["utterances"]
    dropped = pd.read_csv(run / "data/fbank/dropped.csv")
    assert 0 < kept < 9
    assert kept + (dropped["split"] == "train").sum() == 9


@case("10,000 equal recordings of one speaker")
def _(out: Path) -> None:
    corpus = write_tone_corpus(out / "corpus", FEW, seconds=0.3)
    table = pd.read_csv(corpus / "manifest.csv")
    first = corpus / table["path"][0]
    for number in range(10_000):
        shutil.copy(first, corpus / f"wav/same{number}.wav")
    equal = pd.concat([table[:1]] * 10_000, ignore_index=True)
    equal["utterance_id"] = [f"same{number}" for number in range(10_000)]
    equal["path"] = "wav/" + equal["utterance_id"] + ".wav"
    pd.concat([table, equal]).to_csv(corpus / "manifest.csv", index=False)
    told: list[str] = []
    log = logging.getLogger("fhvae.corpus.catalogue")
    log.addFilter(keep := lambda record: told.append(record.getMessage()) or True)
    try:
        run = run_whole(out / "run", corpus, "download")
    finally:
        log.removeFilter(keep)
    assert read_json(run / "metrics/download.json")["train"]["utterances"] == 10_009
    assert told[0].endswith("; one of them adds nothing")
    assert told[1:] == ["10000 recordings hold the samples of another, the first was named"]


@case("equal recordings of two speakers")
def _(out: Path) -> None:
    samples = np.ones(20, np.int16)
    equal = (
        Recording(Utterance(f"u{n}", "", f"s{n % 2}", "", "", "train", 0.0), samples)
        for n in range(10)
    )
    list(without_copies(equal, "manifest.csv"))


# Verification, on vectors.

SAME = np.array([True, False, False, True])


@case("all scores equal")
def _(out: Path) -> None:
    curve = det_points(np.full(4, 0.3), SAME)
    assert eer(np.full(4, 0.3), SAME) == 0.5
    assert minimum_detection_cost(curve, 0.01) == 1
    assert minimum_cllr(curve) == pytest.approx(1)
    flat = fit_calibration(np.full(4, 0.3), SAME)
    assert (flat.slope, cllr(flat.apply(np.full(4, 0.3)), SAME)) == (0, 1)


@case("all mu2 equal")
def _(out: Path) -> None:
    task = codes("random")
    flat = {
        split: Vectors(own.utterance_ids, np.full_like(own.values, 0.1))
        for split, own in vars(task).items()
        if split != "name"
    }
    found = evaluate_vector(replace(task, **flat), evaluation_of(), out)
    assert found.metrics["cos"]["eer"] == 0.5
    assert "vary within a speaker" in found.absent["mu2.lda"]


@case("two utterances of one speaker, nothing else")
def _(out: Path) -> None:
    trials = pairs_of(["a", "b"], ["x", "x"])
    assert len(trials) == 1


@case("trials without impostors")
def _(out: Path) -> None:
    eer(np.array([0.1, 0.2]), np.array([True, True]))


@case("no utterance at all to compare")
def _(out: Path) -> None:
    eer(np.array([]), np.array([], bool))


@case("one non-target and one target trial, well apart")
def _(out: Path) -> None:
    assert eer(np.array([0.1, 0.9]), np.array([False, True])) == 0


@case("a rate of one speaker")
def _(out: Path) -> None:
    found = ratio_interval(np.array([3.0]), np.array([4.0]))
    assert (found.value, found.low, found.high) == (0.75, None, None)


# Probes, on codes.


@case("codes that never change, for probes")
def _(out: Path) -> None:
    task = random_task(1, signal=0.0)
    flat = {
        part: replace(getattr(task, part), inputs={"z1": np.full((150, 4), 0.1, np.float32)})
        for part in ("fit", "choose", "score")
    }
    task = replace(task, **flat)
    found = run_probes([task], PROBES, 0, {"phone": ["z1"]})
    metrics = summarize(Plan([task], {"phone": {}}, {}), found)["phone"]["z1"]
    for one in (metrics, metrics["mlp"]):
        assert one["accuracy"] == pytest.approx(1 / 3)
        assert one["information"] == pytest.approx(0, abs=0.01)


@case("one class for a probe")
def _(out: Path) -> None:
    task = random_task(1, signal=0.0)
    one = replace(task.fit, labels=np.array(["aa"] * 150))
    check_task(replace(task, fit=one, choose=one, score=one))


# Recordings for the command `fhvae` and `fhvae.load()`.


def converted(wave: Callable[[np.ndarray], np.ndarray]) -> None:
    """Embed, convert and denoise with the shipped model: numbers, within full scale."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    sound, other = wave(time_s), 0.3 * np.sign(np.sin(2 * np.pi * 120 * time_s))
    model = fhvae.load()
    assert np.isfinite(model.embed(sound, RATE_HZ)).all()
    for a, b in ((sound, other), (other, sound), (sound, sound)):
        made = model.convert(a, b, RATE_HZ).samples
        assert np.isfinite(made).all()
        assert np.abs(made).max() <= 1
    assert np.isfinite(model.denoise(sound, RATE_HZ).samples).all()


@case("a tone, converted")
def _(out: Path) -> None:
    converted(lambda time_s: 0.5 * np.sin(2 * np.pi * 200 * time_s))


@case("a constant (DC), converted")
def _(out: Path) -> None:
    converted(lambda time_s: np.full(len(time_s), 0.5))


@case("a click, converted")
def _(out: Path) -> None:
    converted(lambda time_s: np.where(np.arange(len(time_s)) == 8000, 1.0, 0.0))


@case("a clipped square wave, converted")
def _(out: Path) -> None:
    converted(lambda time_s: np.sign(np.sin(2 * np.pi * 150 * time_s)))


@case("one step of int16, converted")
def _(out: Path) -> None:
    converted(lambda time_s: np.sign(np.sin(2 * np.pi * 150 * time_s)) / 32768)


@case("digital silence, converted")
def _(out: Path) -> None:
    converted(lambda time_s: np.zeros(len(time_s)))


@case("a latent moved by 1e30")
def _(out: Path) -> None:
    sound = 0.3 * np.sign(np.sin(2 * np.pi * 120 * np.arange(RATE_HZ // 4) / RATE_HZ))
    (made,) = fhvae.load().traverse(sound, 0, [1e30], rate=RATE_HZ)
    assert np.isfinite(made.samples).all()


# Params as a file.


def read_with(out: Path, key: str, text: str) -> Any:
    lines = (ROOT / "params.yaml").read_text().splitlines()
    (place,) = [n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:")]
    lines[place] = f"{lines[place].partition(':')[0]}: {text}"
    (out / "params.yaml").write_text("\n".join(lines))
    return load_params(out / "params.yaml")


@case("a latent moved by NaN")
def _(out: Path) -> None:
    fhvae.load().traverse(0.1 * np.ones(RATE_HZ // 4), 0, [np.nan], rate=RATE_HZ)


@case("`alpha: 1e-3`, without a point")
def _(out: Path) -> None:
    assert read_with(out, "alpha", "1e-3").alpha == 0.001


@case("`max_epochs: 1:30`, which is 90 in YAML 1.1")
def _(out: Path) -> None:
    read_with(out, "max_epochs", "1:30")


@case("`max_epochs: 010`, which is 8 in YAML 1.1")
def _(out: Path) -> None:
    assert read_with(out, "max_epochs", "010").training.max_epochs == 10


@case("`alpha` of 400 digits")
def _(out: Path) -> None:
    read_with(out, "alpha", "9" * 400)


# What the page says of each.

ROW = re.compile(r"\| (?P<what>.+?) \| (?P<outcome>.+) \|")
ROWS = {row["what"]: row["outcome"] for line in PAGE.splitlines() if (row := ROW.match(line))}
ROWS = {what: outcome for what, outcome in ROWS.items() if what != "extreme" and set(what) != {"-"}}


def pattern(sentence: str) -> str:
    """Make of a sentence of the page, `<...>` for what changes, what the message must match."""
    return ".*".join(re.escape(part) for part in re.split(r"<[^>]*>", sentence))


def test_the_page_and_the_cases_are_the_same():
    assert list(ROWS) == list(CASES)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("what", list(ROWS))
def test_what_is_extreme_ends_as_the_page_says(what, tmp_path):
    refused = re.search(r"refused: `(.+)`", ROWS[what])
    if refused is None:
        CASES[what](tmp_path)
        return
    with pytest.raises(FhvaeError, match=rf"^{pattern(refused[1])}$"):
        CASES[what](tmp_path)
