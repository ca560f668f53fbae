"""The stage convert, whole, on made-up voices: what it measures, keeps and leaves out."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from fhvae.corpus.manifest import Phone, Recording, Utterance
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.listening import judges, verdicts
from fhvae.listening.conversions import plan_conversions, spoken
from fhvae.model.network import FHVAE
from fhvae.model.weights import write_model
from fhvae.params.listening import ListeningParams
from fhvae.params.segments import SegmentsParams
from stages.convert import main as convert
from stages.fbank import main as fbank
from tests.params_factory import MELS, fbank_params, model_params
from tests.stages.stage_runner import each_number_of_workers, inside, run_stage, written
from tests.tones import RATE_HZ, _sing

SPEAKERS, TAKES = {"train": 3, "dev": 2, "test": 6}, 4
SEGMENTS = SegmentsParams(frames=5, train_shift=2, shift=4)
ORDERS = (("aa", "sh", "iy"), ("er", "aa", "eh"), ("iy", "eh", "aa"), ("sh", "er", "iy"))

SMALL = {
    "fbank.mels": MELS,
    "segments.frames": SEGMENTS.frames,
    "corpus.name": "espeak",
    "domains.test": ["noise5", "noise0", "telephone"],
    "domains.test_noises": ["pink"],
    "listening.rounds": 1,
    "listening.denoised": 1,
    "listening.references": 2,
    "listening.examples": 1,
}


def recordings():
    """Speakers who read at their own pace; test speakers all read the first text."""
    for number, (split, place) in enumerate(
        (split, place) for split, count in SPEAKERS.items() for place in range(count)
    ):
        for take in range(TAKES):
            shared = split == "test" and take == 0
            phones = ORDERS[take]
            length = int((0.13 + 0.01 * place) * RATE_HZ)
            spans = [(k * length, (k + 1) * length, name) for k, name in enumerate(phones)]
            text = "the same for all" if shared else f"{split} {place} {take}"
            speaker = f"{split}{place}"
            utterance = Utterance(
                f"{speaker}_{take}", "", speaker, "FM"[place % 2], text, split, 0.0
            )
            times = tuple(Phone(a / RATE_HZ, b / RATE_HZ, name) for a, b, name in spans)
            samples = _sing(spans, number, np.random.default_rng([number, take]))
            yield Recording(utterance, samples, times)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Corpus, frames and a model that knows nothing."""
    folder = tmp_path_factory.mktemp("convert")
    write_corpus(folder / "corpus", recordings())
    run_stage(fbank, inside(folder, "corpus"), folder / "out", ["fbank"], SMALL)
    torch.manual_seed(0)
    network = FHVAE(MELS, SEGMENTS.frames, model_params())
    write_normalizer(folder / "n.json", Normalizer(np.full(MELS, -3.0), np.full(MELS, 2.0)))
    parts = network.state_dict(), network.params, SEGMENTS, fbank_params(), folder / "n.json"
    write_model(folder / "model", *parts, clean_mu2=np.array([0.5, -0.25]))
    return {**inside(folder, "corpus", "model"), "fbank": folder / "out/fbank"}


@pytest.fixture(autouse=True)
def without_the_extra(monkeypatch):
    """What is installed decides nothing here."""
    monkeypatch.setattr(judges, "PACKAGES", dict.fromkeys(judges.PACKAGES, ("no_such_judge",)))


def run(given, out, workers="1", **changes):
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return run_stage(convert, given, out, ["sounds"], SMALL | changes, workers)


@pytest.fixture
def ran(given, tmp_path):
    return run(given, tmp_path / "out"), tmp_path / "out"


def test_every_method_is_measured_and_what_is_not_there_is_absent(ran):
    metrics, _ = ran
    found = metrics["conversion"]
    methods = {"source", "pitch", "equalizer", "world", "griffin_lim", "fhvae"}
    assert set(found) == methods | {"utterances", "speakers", "difference"}
    assert (found["utterances"], found["speakers"]) == (6, 6)
    assert set(found["difference"]) == {f"fhvae-{name}" for name in methods - {"fhvae"}}
    for method in methods:
        measures = {"lsd", "mcd", "f0", "voicing", "stoi"}
        bounds = {f"{name}_{end}" for name in measures for end in ("low", "high")}
        missing = {"f0_low", "f0_high"} if method == "griffin_lim" else set()  # not always voiced
        assert set(found[method]) | missing == measures | bounds, method
    assert set(metrics["denoising"]) == {"noise5", "noise0"}
    for found in metrics["denoising"].values():
        assert set(found["noisy"]) >= {"si_sdr", "lsd", "mcd", "stoi"}
        assert set(found["difference"]) == {"fhvae-noisy", "fhvae-noisereduce", "fhvae-fhvae_own"}
    assert {"judges", "conversion.si_sdr"} == set(metrics["absent"])


def test_the_noise_is_of_the_ratio_that_its_domain_names(ran):
    """Pink noise is unlike the speech, and that has no pause: SI-SDR is the ratio."""
    metrics, _ = ran
    ratios = [metrics["denoising"][name]["noisy"]["si_sdr"] for name in ("noise5", "noise0")]
    assert ratios == pytest.approx([5.0, 0.0], abs=0.6)


def test_pitch_comes_nearer_to_that_of_the_target(ran):
    """Men sing an octave below women; a tone of three phones is at times heard an octave off."""
    found = ran[0]["conversion"]
    assert found["pitch"]["f0"] < 0.8 * found["source"]["f0"]
    assert found["fhvae"]["f0"] < 0.8 * found["source"]["f0"]


def test_sounds_are_kept_and_tables_hold_every_row(ran):
    _, out = ran
    kept = [name for name in written(out / "sounds") if name.endswith(".flac")]
    assert kept == sorted(
        [f"convert-1-{name}.flac" for name in ("equalizer", "fhvae", "griffin_lim", "pitch")]
        + [f"convert-1-{name}.flac" for name in ("source", "target", "world")]
        + [
            f"noise{ratio}-1-{name}.flac"
            for ratio in (5, 0)
            for name in ("noisy", "clean", "fhvae", "fhvae_own", "noisereduce")
        ]
    )
    rows = pd.read_csv(out / "sounds/conversion.csv")
    assert len(rows) == 6 * 6
    own = rows[rows.method == "source"].iloc[0]
    assert own.utterance_id.startswith(own.source)
    source, _ = soundfile.read(out / "sounds/convert-1-source.flac", dtype="int16")
    assert source.std() > 100


@each_number_of_workers
def test_the_same_again(given, ran, tmp_path, workers):
    run(given, tmp_path / "again", workers)
    assert written(tmp_path / "again") == written(ran[1])


def test_recorded_speech_is_judged(given, tmp_path, monkeypatch):
    """By judges that are there: of one that hears the loudest sample, naturalness is the peak."""
    monkeypatch.setitem(judges.PACKAGES, "naturalness", ("json",))
    monkeypatch.setattr(verdicts, "_judge", lambda name: lambda signal: np.abs(signal).max())
    metrics = run(given, tmp_path / "out", corpus__name="manifest", corpus__path="x")
    assert 0 < metrics["conversion"]["fhvae"]["naturalness"] < 2
    assert 0 < metrics["denoising"]["noise0"]["clean"]["naturalness"] < 2
    assert "naturalness" in metrics["denoising"]["noise0"]["difference"]["fhvae-noisy"]
    assert "judges" not in metrics["absent"]
    assert {"phones", "words", "voice_resemblyzer", "voice_dvector"} < set(metrics["absent"])


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"domains__test": ["telephone"]}, "denoising", "domains.test names none"),
        ({"listening__rounds": 99}, "conversion", "lower listening.rounds"),
    ],
)
def test_what_cannot_be_done_is_absent_with_a_reason(given, tmp_path, changes, name, reason):
    metrics = run(given, tmp_path / "out", **changes)
    assert reason in metrics["absent"][name]
    assert name not in metrics
    assert not (tmp_path / f"out/sounds/{name}.csv").exists()


def test_without_times_of_phones_readings_are_not_compared(given, tmp_path):
    corpus = tmp_path / "corpus"
    write_corpus(corpus, (dataclasses.replace(one, phones=()) for one in recordings()))
    metrics = run({**given, "corpus": corpus}, tmp_path / "out")
    assert "one text with the same phones" in metrics["absent"]["conversion.readings"]
    assert set(metrics["conversion"]["fhvae"]) == {"stoi", "stoi_low", "stoi_high"}


def test_a_conversion_hears_no_text_that_it_is_to_say(given):
    corpus = read_corpus(given["corpus"])
    params = ListeningParams(rounds=1, references=2, enrolled=3, denoised=1, examples=0)
    planned = plan_conversions(corpus, spoken(corpus, given["fbank"], 10.0), params, seed=3)
    assert len(planned) == 6
    for one in planned:
        source, target = one.pair.source, one.pair.target
        assert one.source.utterance_id == f"{source}_0"
        assert one.text == "the same for all"
        assert one.reading is not None
        assert one.reading.clip.utterance_id == f"{target}_0"
        assert [clip.utterance_id for clip in one.references] == [f"{target}_1", f"{target}_2"]
        assert [clip.utterance_id for clip in one.others] == [f"{target}_3"]
        assert [clip.utterance_id for clip in one.own] == [f"{source}_{k}" for k in (1, 2, 3)]
        place = int(source[-1]), int(target[-1])
        assert one.reading.spans[1] == pytest.approx(
            [(0.13 + 0.01 * who) * k for who in place for k in (1, 2)], abs=1e-4
        )
    assert json.dumps([vars(one.pair) for one in planned])
