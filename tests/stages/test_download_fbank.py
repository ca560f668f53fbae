"""The stages download and fbank as a user runs them: good folders, and every kind of bad one."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides

from fhvae.corpus.manifest import Recording, Utterance
from fhvae.corpus.store import read_corpus, write_corpus
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import read_normalizer
from fhvae.files.packed import read_packed
from fhvae.files.sums import SUMS
from fhvae.params.fbank import FbankParams
from fhvae.params.reading import from_mapping
from tests.stages.stage_runner import written
from tests.tones import write_tone_corpus

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    "download": "--corpus data/corpus --metrics metrics/download.json",
    "fbank": "--corpus data/corpus --fbank data/fbank --metrics metrics/fbank.json",
}


def set_params(folder, **changes):
    """Write params.yaml with dotted keys (`fbank__mels=7`) changed."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["corpus"] |= {"name": "manifest", "path": "tones"}
    values["segments"]["frames"] = 20
    for key, value in changes.items():
        section, name = key.split("__")
        values[section][name] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    return values


def run(folder, stage, workers="1"):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FHVAE_WORKERS": workers}
    environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", f"stages.{stage}", *OPTIONS[stage].split()]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def run_here(monkeypatch, capfd):
    """Run a stage as `python -m` does, but in this process: imports are paid once."""

    def run_script(folder, stage):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [stage, *OPTIONS[stage].split()])
        code = 0
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__")
        except SystemExit as ended:
            code = ended.code
        return subprocess.CompletedProcess(stage, code, *capfd.readouterr())

    return run_script


def assert_refused(done, folder, output, message):
    """Exit code 2, one sentence, no traceback, nothing left behind."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr + done.stdout
    parent = (folder / output).parent
    left = [path.name for path in parent.iterdir()] if parent.exists() else []
    assert [name for name in left if Path(output).name in name] == []
    assert list((folder / "metrics").glob("*")) == []


# --- download -------------------------------------------------------------------------


@pytest.fixture
def tones(tmp_path):
    """A working folder with params.yaml and the corpus `tones`: spk05 has two utterances."""
    set_params(tmp_path)
    write_tone_corpus(
        tmp_path / "tones", {"train": 2, "dev": 2, "test": 2}, utterances=2, seconds=0.3
    )
    for name in ("manifest.csv", "phones.csv"):
        table = pd.read_csv(tmp_path / "tones" / name, dtype=str)
        seconds = table["utterance_id"].str.endswith("-1")
        last = table["utterance_id"] == "spk05-1"
        table[~seconds | last].to_csv(tmp_path / "tones" / name, index=False)
    return tmp_path


def edit(folder, row, name="manifest.csv", **cells):
    path = folder / "tones" / name
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column, cell in cells.items():
        table.loc[row, column] = cell
    table.to_csv(path, index=False)


def spoil_table(folder):
    (folder / "tones/manifest.csv").write_text("utterance_id,path\na,b\n")


def spoil_row(folder):
    with (folder / "tones/manifest.csv").open("a") as file:
        file.write("spk09-0,wav/a.wav,spk09,F,Hello, world,train,1.0\n")


def spoil_audio(folder):
    (folder / "tones/wav/spk03-0.wav").write_bytes(b"no audio")


def cut_audio(folder):
    path = folder / "tones/wav/spk03-0.wav"
    path.write_bytes(path.read_bytes()[:-500])


def widen_audio(folder):
    path = folder / "tones/wav/spk03-0.wav"
    samples, rate_hz = soundfile.read(path)
    soundfile.write(path, np.stack([samples, -samples], axis=1), rate_hz)


def copy_audio(folder):
    samples, rate_hz = soundfile.read(folder / "tones/wav/spk00-0.wav")
    soundfile.write(folder / "tones/wav/spk05-0.wav", samples, rate_hz)
    edit(folder, 5, duration_s=str(len(samples) / rate_hz))
    (folder / "tones/phones.csv").unlink()


def late_phone(folder):
    """Within the tolerance of duration_s, so that only the decoded samples tell."""
    table = pd.read_csv(folder / "tones/phones.csv")
    last = table.index[table.utterance_id == "spk00-0"][-1]
    edit(folder, last, name="phones.csv", end_s=str(table.end_s[last] + 0.06))


BAD_FOLDERS = {
    "no-target-trial": (
        lambda at: edit(at, 6, utterance_id="a", split="dev", speaker="spk03", gender="F"),
        "manifest.csv: split test must have a speaker with 2 utterances, for a target trial",
    ),
    "no-manifest": (lambda at: (at / "tones/manifest.csv").unlink(), "manifest.csv must exist"),
    "no-folder": (lambda at: set_params(at, corpus__path="gone"), "gone/manifest.csv must exist"),
    "no-column": (spoil_table, "column speaker must be there once"),
    "comma-in-text": (spoil_row, "row 9: must have 7 cells like the header, got 8"),
    "twice-an-id": (lambda at: edit(at, 1, utterance_id="spk00-0"), "spk00-0 is also in row 2"),
    "unknown-split": (lambda at: edit(at, 0, split="tr"), "must be train, dev, test or empty"),
    "path-outside": (lambda at: edit(at, 0, path="../a.wav"), "must stay inside "),
    "no-file": (lambda at: edit(at, 0, path="wav/x.wav"), "'wav/x.wav' is not there"),
    "leaking-speaker": (
        lambda at: edit(at, 2, speaker="spk00"),
        "speakers of train and dev must be disjoint, spk00",
    ),
    "one-speaker": (lambda at: edit(at, 1, split="dev"), "split train must have at least 2"),
    "unknown-phones": (
        lambda at: edit(at, 0, name="phones.csv", utterance_id="x"),
        "phones.csv row 2: utterance_id must be one of the manifest",
    ),
    "late-phone": (lambda at: edit(at, 0, name="phones.csv", end_s="7"), "phones.csv: utterance"),
    "wrong-duration": (lambda at: edit(at, 3, duration_s="2"), "duration_s of spk03-0 must be"),
    "no-audio": (spoil_audio, "utterance spk03-0: "),
    "cut-audio": (cut_audio, "must be whole, its header promises"),
    "phone-after-the-audio": (late_phone, "the recording lasts 0.3"),
    "two-channels": (widen_audio, "its 2 channels differ"),
    "leaking-audio": (copy_audio, "spk00-0 (train) and spk05-0 (test) hold the same samples"),
    "no-timit": (
        lambda at: set_params(at, corpus__name="timit"),
        "tones must hold TIMIT, at most 3 folders down",
    ),
    "no-path": (lambda at: set_params(at, corpus__path=None), "corpus.path must name a folder"),
    "path-without-a-name": (
        lambda at: set_params(at, corpus__name="espeak"),
        "corpus.path must be empty for corpus.name espeak",
    ),
    "unknown-corpus": (lambda at: set_params(at, corpus__name="x"), "corpus.name must be one of"),
}


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_download_refuses_and_leaves_nothing(tones, run_here, name):
    spoil, message = BAD_FOLDERS[name]
    spoil(tones)
    assert_refused(run_here(tones, "download"), tones, "data/corpus", message)


@pytest.mark.slow
def test_a_worker_process_refuses_alike(tones):
    spoil_audio(tones)
    done = run(tones, "download", workers="2")
    assert_refused(done, tones, "data/corpus", "utterance spk03-0: ")


def test_a_bad_number_of_workers_is_refused(tones):
    done = run(tones, "download", workers="0")
    assert_refused(done, tones, "data/corpus", "FHVAE_WORKERS must be a whole number")


def test_download_leaves_out_what_is_quarantined(tones, run_here, caplog):
    write_tone_corpus(tones / "tones", {"train": 3, "dev": 2, "test": 2}, utterances=2, seconds=0.3)
    set_params(tones, corpus__bad_audio="quarantine")
    (tones / "tones/wav/spk03-0.wav").write_bytes(b"no audio")
    done = run_here(tones, "download")
    assert done.returncode == 0, done.stderr
    assert "left out: utterance spk03-0: " in caplog.text
    left = pd.read_csv(tones / "data/corpus/quarantine.csv")
    assert left["utterance_id"].tolist() == ["spk03-0"]
    metrics = json.loads((tones / "metrics/download.json").read_text())
    assert metrics["dev"]["quarantined"] == 1
    assert metrics["dev"]["utterances"] == 3
    assert "quarantined" not in metrics["train"]


def test_download_copies_the_corpus_and_counts_it(tones):
    done = run(tones, "download")
    assert done.returncode == 0, done.stderr
    corpus = read_corpus(tones / "data/corpus")
    table = pd.read_csv(tones / "tones/manifest.csv").set_index("utterance_id")
    assert {item.utterance_id for item in corpus.utterances} == set(table.index)
    phones = pd.read_csv(tones / "tones/phones.csv")
    metrics = json.loads((tones / "metrics/download.json").read_text())
    assert list(metrics) == ["dev", "test", "train"]
    assert corpus.transcripts["spk00-0"] == tuple(table.text["spk00-0"].split())
    for split, rows in table.groupby("split"):
        for name, samples in corpus.samples(split).items():
            expected, _ = soundfile.read(tones / "tones" / rows.path[name], dtype="int16")
            np.testing.assert_array_equal(samples, expected)
        number = 3 if split == "test" else 2
        assert metrics[split] == {
            "speakers": 2,
            "utterances": number,
            "hours": pytest.approx(rows.duration_s.sum() / 3600, abs=1e-6),
            "phones": int(phones.utterance_id.isin(rows.index).sum()),
            "transcripts": number,
            "genders": {"F": 1, "M": 1},
        }


@pytest.mark.parametrize(
    "name", ["my corpus", "a,b", "a=b", "[a]{b}(c)", "größe", "#1;&!~", 'a"b', "a's", "123", "null"]
)
def test_any_path_can_be_said_on_the_command_line(tones, run_here, monkeypatch, name):
    """In quotes that reach DVC, as docs/corpora.md says: -S "corpus.path='...'"."""
    monkeypatch.chdir(tones)
    (tones / "tones").rename(tones / name)
    quoted = name.replace("'", "\\'")
    (override,) = to_path_overrides([f"corpus.path='{quoted}'"]).items()
    apply_overrides(*override)
    done = run_here(tones, "download")
    assert done.returncode == 0, done.stderr
    assert len(read_corpus(tones / "data/corpus").utterances) == 7


@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_download_tells_of_narrow_recordings_among_others(tones, run_here, caplog, rate_hz):
    path = tones / "tones/wav/spk01-0.wav"
    samples, _ = soundfile.read(path)
    resampled = samples[::2] if rate_hz == 8_000 else np.repeat(samples, 3)
    soundfile.write(path, resampled, rate_hz)
    done = run_here(tones, "download")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tones / "metrics/download.json").read_text())
    if rate_hz == 8_000:
        assert "several rates: 1 of 8000 Hz, 6 of 16000 Hz; those below 16000 Hz" in caplog.text
        assert metrics["rates_hz"] == {
            "train": {"16000": 1, "8000": 1},
            "dev": {"16000": 2},
            "test": {"16000": 3},
        }
    else:  # all of the band is there
        assert "several rates" not in caplog.text
        assert "rates_hz" not in metrics


# --- fbank ----------------------------------------------------------------------------


def write_noise_corpus(folder, samples_of):
    """A local corpus of noise; `samples_of` maps utterance ids like train-a-1 to lengths."""
    random = np.random.default_rng(0)

    def recordings():
        for name, length in samples_of.items():
            split, speaker, _ = name.split("-")
            utterance = Utterance(name, "", f"{split}-{speaker}", "", "", split, 0.0)
            samples = random.integers(-900, 900, length).astype(np.int16)
            yield Recording(utterance, samples)

    write_corpus(folder / "data/corpus", recordings())


LENGTHS = {  # 20 frames are 3040 to 3199 samples
    "train-b-1": 4000,
    "train-b-2": 3039,
    "train-a-1": 3040,
    "dev-a-1": 5000,
    "dev-b-1": 3300,
    "test-a-1": 8000,
    "test-b-1": 3500,
    "test-b-2": 160,
    "test-b-3": 4000,
}


def test_fbank_drops_short_utterances_by_name_and_normalizes_by_train(tmp_path, run_here):
    values = set_params(tmp_path, fbank__mels=13, segments__frames=20)
    write_noise_corpus(tmp_path, LENGTHS)
    done = run_here(tmp_path, "fbank")
    assert done.returncode == 0, done.stderr
    fbank = tmp_path / "data/fbank"
    dropped = pd.read_csv(fbank / "dropped.csv").to_numpy().tolist()
    assert dropped == [["train-b-2", "train", 19], ["test-b-2", "test", 2]]
    metrics = json.loads((tmp_path / "metrics/fbank.json").read_text())
    assert metrics["train"] == {
        "utterances": 2,
        "frames": 20 + 26,
        "hours": pytest.approx(0.46 / 3600, abs=1e-6),
        "dropped": 1,
        "floor_frames": 0,
        "silent_utterances": 0,
    }
    assert metrics["dev"]["dropped"] == 0
    train = read_packed(fbank / "train")
    assert train.utterance_ids == ("train-a-1", "train-b-1")
    np.testing.assert_allclose(train.rows.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.rows.std(axis=0), 1, atol=1e-5)
    assert sorted(path.name for path in fbank.iterdir()) == sorted(
        [f"{split}.{kind}" for split in ("train", "dev", "test") for kind in ("npy", "csv")]
        + ["dropped.csv", "normalizer.json", SUMS]
    )
    params = from_mapping(FbankParams, values["fbank"], "params.yaml")
    samples = dict(read_corpus(tmp_path / "data/corpus").samples("test").items())["test-a-1"]
    frames = dict(read_packed(fbank / "test").items())["test-a-1"]
    restored = read_normalizer(fbank / "normalizer.json").undo(frames)
    np.testing.assert_allclose(restored, log_mel(np.array(samples), params), atol=1e-5)


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(tmp_path):
    for workers in ("1", "2"):
        folder = tmp_path / workers
        folder.mkdir()
        set_params(folder, corpus__path=str(tmp_path / "tones"))
        write_tone_corpus(tmp_path / "tones", utterances=2, seconds=0.4)
        for stage in ("download", "fbank"):
            done = run(folder, stage, workers)
            assert done.returncode == 0, done.stderr
    assert written(tmp_path / "1") == written(tmp_path / "2")


def without_short_train(folder):
    write_noise_corpus(folder, {**LENGTHS, "train-a-1": 3039})


def without_long_dev(folder):
    write_noise_corpus(folder, {**LENGTHS, "dev-a-1": 2000, "dev-b-1": 2500})


def without_second_test(folder):
    write_noise_corpus(folder, {**LENGTHS, "test-b-3": 3039})


def with_silent_train(folder):
    write_noise_corpus(folder, LENGTHS)
    rows = np.load(folder / "data/corpus/train.npy")
    np.save(folder / "data/corpus/train.npy", np.zeros_like(rows))


def with_params(**changes):
    def prepare(folder):
        set_params(folder, **changes)
        write_noise_corpus(folder, LENGTHS)

    return prepare


def cut_samples(folder):
    write_noise_corpus(folder, LENGTHS)
    path = folder / "data/corpus/train.npy"
    path.write_bytes(path.read_bytes()[:-100])


BAD_CORPORA = {
    "no-corpus": (
        lambda at: None,
        "data/corpus must hold a local corpus; run the stages download and conditions",
    ),
    "cut-samples": (cut_samples, "train.npy must have 20286 bytes"),
    "one-long-train-speaker": (
        without_short_train,
        "without utterances under 20 frames: split train must have at least 2 speakers, found 1",
    ),
    "short-dev": (
        without_long_dev,
        "split dev must have an utterance of at least segments.frames=20 frames, "
        "the longest of its 2 has 16",
    ),
    "one-long-utterance-each": (without_second_test, "test must have a speaker with 2 utterances"),
    "silent-train": (with_silent_train, "band 0 of 80 is -20.0000 in all"),
    "many-mels": (
        with_params(fbank__mels=250),
        "fbank.mels must leave no mel band empty",
    ),
    "short-fft": (with_params(fbank__fft_size=256), "fbank.fft_size must be even and at least"),
    "odd-hop": (with_params(fbank__hop_ms=9.99), "fbank.hop_ms must be a whole number of samples"),
}


@pytest.mark.parametrize("name", BAD_CORPORA)
def test_fbank_refuses_and_leaves_nothing(tmp_path, run_here, name):
    prepare, message = BAD_CORPORA[name]
    set_params(tmp_path)
    prepare(tmp_path)
    assert_refused(run_here(tmp_path, "fbank"), tmp_path, "data/fbank", message)
