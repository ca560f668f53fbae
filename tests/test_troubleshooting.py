"""Each sentence of docs/troubleshooting.md is one that the code says: it is raised here.

`<...>` on the page stands for what changes. A sentence that nobody raises here, or that comes out
with other words, fails.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

import fhvae
from fhvae.commandline import run
from fhvae.corpus import decoder
from fhvae.corpus.catalogue import decode
from fhvae.corpus.decoder import end_decoders
from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import Utterance
from fhvae.corpus.recipes.folder import read_tables
from fhvae.fetch.download import fetch
from fhvae.fetch.remote import RemoteFile
from fhvae.files.packed import read_packed
from fhvae.files.sums import write_sums
from fhvae.parallel import _told_of_kills, _Workers
from fhvae.params.whole import load_params
from fhvae.recognition.train import Attempt, learn
from fhvae.stage import Input, Output, stage
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.loop import Trainer
from tests.fhvae.recognition.conftest import write_lesson
from tests.training_factory import MELS, make_sequences, make_setting

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
SENTENCES = re.findall(r"^```text\n(.*)\n```$", PAGE, re.MULTILINE)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FHVAE_WORKERS", "1")


def with_param(key: str, value: object) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    section, _, name = key.rpartition(".")
    (values[section] if section else values)[name] = value
    Path("params.yaml").write_text(yaml.safe_dump(values))
    load_params(Path("params.yaml"))


@stage
def empty(made: Output) -> None:
    made.mkdir(parents=True)


@stage
def read(fbank: Input) -> None:
    pass


def output_beyond_a_link() -> None:
    Path("disk").mkdir()
    Path("data").symlink_to("disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_STAGE", "download")
        patch.setattr("sys.argv", ["stage", "--made", "data/corpus"])
        empty()


def text_for_audio() -> None:
    Path("notes.wav").write_text("no sound")
    fhvae.load().embed("notes.wav")


def silence() -> None:
    soundfile.write("silence.wav", np.zeros(16000), 16000)
    fhvae.load().embed("silence.wav")


def fatal_audio() -> None:
    """Have a decoder killed while it reads."""
    soundfile.write("a.wav", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    with pytest.MonkeyPatch.context() as patch:
        start = "import os, signal; print('{}', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        patch.setattr(decoder, "START", start)
        end_decoders()
        fhvae.load().embed("a.wav")


def no_manifest() -> None:
    Path("corpus").mkdir()
    read_tables(Path("corpus"), load_params(ROOT / "params.yaml").corpus)


def no_audio() -> None:
    Path("texts").mkdir()
    fhvae.audio_files("texts")


def wrong_duration() -> None:
    soundfile.write("a.wav", 0.1 * np.random.default_rng(0).normal(size=4800), 16000)
    told = Utterance("ann-1", "a.wav", "ann", "", "", "train", 0.9)
    listing = Listing("manifest.csv", (told,), {"ann-1": Source(Path("a.wav"))}, {}, {})
    list(decode(listing, "refuse"))


def forbidden_download() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FHVAE_OFFLINE", "1")
        wanted = RemoteFile("dev.tar.gz", ("https://corpus.invalid/dev.tar.gz",))
        Path("corpora").mkdir()
        fetch(wanted, Path("corpora"))


def no_memory() -> None:
    raise MemoryError("cannot allocate 9 GiB")


class TerminatedWorkerError(Exception):
    """As loky calls it."""


def killed_worker() -> None:
    def window() -> Iterator[None]:
        raise TerminatedWorkerError("The exit codes of the workers are {SIGKILL(-9)}")
        yield

    list(_told_of_kills(window(), _Workers({"backend": "loky"}, lambda: 2)))


def changed_input() -> None:
    Path("data/fbank").mkdir(parents=True)
    write_sums(Path("data/fbank"))
    Path("data/fbank/train.npy").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["stage", "--fbank", "data/fbank"])
        read()


def edited_meanwhile() -> None:
    Path("dvc.yaml").write_text("stages: {train: {params: [alpha]}}")
    Path("params.yaml").write_text("alpha: 10")

    @stage
    def edit(made: Output) -> None:
        made.mkdir(parents=True)
        Path("params.yaml").write_text("alpha: 3")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_STAGE", "train")
        patch.setattr("sys.argv", ["stage", "--made", "models/fhvae"])
        edit()


def no_array() -> None:
    Path("train.npy").write_bytes(b"no array")
    read_packed(Path("train"))


def damaged_checkpoint() -> None:
    checkpoint = Checkpoint({"name": "run"}, Path("checkpoints"))
    checkpoint.save({"step": 1})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes() + b"more")
    checkpoint.load(torch.device("cpu"))


def divergence() -> None:
    dev = make_sequences(utterances=6, speakers=2, seed=2).load(torch.device("cpu"))
    sequences = make_sequences(utterances=9, speakers=3, seed=1)
    checkpoint = Checkpoint({"name": "run"}, Path("checkpoints"))
    setting = make_setting(learning_rate=1e30)
    Trainer(setting, sequences, dev, checkpoint, decibel=torch.full((MELS,), 0.1)).run()


def diverged_recognizer() -> None:
    lesson = write_lesson(Path("lesson"), "phones")
    wild = Attempt(layers=1, learning_rate=1e30, repeat=0)
    budget = load_params(ROOT / "params.yaml").recognition.headline
    learn(lesson.source, lesson.side, lesson.labels, budget, wild, seed=0)


RAISED: dict[str, Callable[[], object]] = {
    "unknown key": lambda: with_param("training.lerning_rate", 0.001),
    "must be a whole number": lambda: with_param("training.batch", 0),
    "run from the top": lambda: load_params(),
    "corpus.path must be empty": lambda: with_param("corpus.path", "/data/corpus"),
    "DVC keeps no output": output_beyond_a_link,
    "must be an audio file": text_for_audio,
    "must hold sound": silence,
    "must be audio that can be decoded": fatal_audio,
    "manifest.csv must exist": no_manifest,
    "must hold audio files": no_audio,
    "duration_s of": wrong_duration,
    "FHVAE_OFFLINE forbids": forbidden_download,
    "memory must suffice": no_memory,
    "worker processes must live": killed_worker,
    "must be as its stage left it": changed_input,
    "must stay while": edited_meanwhile,
    "training diverged": divergence,
    "a recognizer diverged": diverged_recognizer,
    "must hold a model": lambda: fhvae.load("models"),
    "must begin with the header": no_array,
    "must be as it was written": damaged_checkpoint,
    "must exist; rerun the stage that writes it": lambda: read_packed(Path("data/fbank/train")),
}
WARNED = "arithmetic of this processor"


def pattern(sentence: str) -> str:
    return r".+".join(map(re.escape, re.split(r"<[^>]+>", sentence)))


def said(raising: Callable[[], object], capsys) -> str:
    """Run it as a stage; give the sentence that it ends with."""
    with pytest.raises(SystemExit) as ended:
        run(lambda: raising() and None)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    return next(line for line in lines if line.startswith("error: ")).removeprefix("error: ")


def test_each_sentence_is_raised_here_and_the_other_way_round():
    told = [sentence for sentence in SENTENCES if WARNED not in sentence]
    owners = [[part for part in RAISED if part in sentence] for sentence in told]
    assert [len(parts) for parts in owners] == [1] * len(told), owners
    assert sorted(parts[0] for parts in owners) == sorted(RAISED)
    assert len(SENTENCES) == len(told) + 1


@pytest.mark.parametrize("part", RAISED)
def test_the_code_says_what_the_page_says(part, capsys):
    sentence = next(one for one in SENTENCES if part in one)
    assert re.fullmatch(pattern(sentence), said(RAISED[part], capsys))


def test_the_warning_of_arithmetic_is_that_of_the_page(monkeypatch, caplog):
    monkeypatch.delenv("FHVAE_PORTABLE", raising=False)
    monkeypatch.setenv("FHVAE_FAST", "1")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    run(lambda: None)
    sentence = next(one for one in SENTENCES if WARNED in one)
    assert re.fullmatch(pattern(sentence), caplog.messages[0])
