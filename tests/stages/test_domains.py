"""The stage domains, whole: its files, its counts, its refusals."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fhvae.files.packed import read_packed
from fhvae.files.sums import SUMS
from tests.fhvae.acoustics.made_up_sounds import write_noise_folder
from tests.stages.stage_runner import PARAMS, written
from tests.tones import write_tone_corpus

OPTIONS = {
    "download": "--corpus corpus --metrics download.json",
    "fbank": "--corpus corpus --fbank fbank --metrics fbank.json",
    "domains": "--corpus corpus --fbank fbank --train for_train --topline for_topline "
    "--test for_test --metrics m.json",
}
SPEAKERS = {"train": 4, "dev": 2, "test": 3}


def run(folder, stage, workers="1", **domains):
    """Run a stage as `python -m` does, in this process; domains are keys of that section."""
    values = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    values["corpus"] |= {"name": "manifest", "path": str(folder / "tones")}
    values["fbank"]["mels"] = 13
    values["domains"] |= domains
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FHVAE_WORKERS", workers)
        # whole paths: worker processes live on from test to test, in the folder of the first
        options = [
            part if part.startswith("--") else str(folder / part) for part in OPTIONS[stage].split()
        ]
        patch.setattr(sys, "argv", [stage, *options])
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__")
        except SystemExit as ended:
            return ended.code
    return 0


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Corpus and frames; one test utterance is too short for a segment, so it has no frames."""
    folder = tmp_path_factory.mktemp("prepared")
    write_tone_corpus(folder / "tones", SPEAKERS, utterances=2, seconds=0.4)
    manifest = pd.read_csv(folder / "tones/manifest.csv")
    shorten(folder / "tones", manifest, manifest.utterance_id.iloc[-1])
    assert run(folder, "download") == 0
    assert run(folder, "fbank") == 0
    return folder


def shorten(corpus, manifest, name):
    import soundfile

    row = manifest.index[manifest.utterance_id == name][0]
    path = corpus / manifest.path[row]
    samples, rate_hz = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples[:1600], rate_hz)
    manifest.loc[row, "duration_s"] = 0.1
    manifest.to_csv(corpus / "manifest.csv", index=False)
    (corpus / "phones.csv").unlink()


@pytest.fixture
def here(prepared, tmp_path):
    """A copy without digests: readers must see damage for themselves."""
    return Path(shutil.copytree(prepared, tmp_path / "here", ignore=lambda *_: [SUMS]))


def outputs(folder):
    return {
        name: files
        for name, files in written(folder).items()
        if name.startswith(("for_train", "for_topline", "for_test", "m.json"))
        and not name.endswith(SUMS)
    }


def test_copies_have_the_utterances_and_lengths_of_the_frames(here):
    assert run(here, "domains") == 0
    expected = {
        "for_train/noise10/train",
        "for_train/noise10/dev",
        "for_topline/noise10/train",
        "for_topline/noise10/dev",
        *(
            f"for_test/{name}/test"
            for name in ("noise20", "noise10", "noise5", "noise0", "telephone", "room")
        ),
    }
    found = {name.removesuffix(".npy") for name in outputs(here) if name.endswith(".npy")}
    assert found == expected
    for stem in expected:
        copies, originals = read_packed(here / stem), read_packed(here / "fbank" / Path(stem).name)
        assert copies.utterance_ids == originals.utterance_ids
        assert copies.lengths.tolist() == originals.lengths.tolist()
        assert copies.rows.shape == originals.rows.shape
        assert np.isfinite(copies.rows).all()
        assert np.abs(copies.rows - originals.rows).mean() > 0.1


def test_metrics_and_draws_tell_what_was_made(here):
    assert run(here, "domains") == 0
    metrics = json.loads((here / "m.json").read_text())
    assert set(metrics) == {"noise20", "noise10", "noise5", "noise0", "telephone", "room"}
    assert set(metrics["noise10"]) == {"train", "dev", "topline_train", "topline_dev", "test"}
    assert metrics["noise10"]["train"]["utterances"] == 8
    assert metrics["noise5"]["test"]["utterances"] == 5
    assert sum(metrics["noise5"]["test"]["noises"].values()) == 5
    assert metrics["noise5"]["test"]["snr_db"]["mean"] == pytest.approx(5, abs=0.01)
    assert set(metrics["telephone"]["test"]) == {"utterances", "lowered"}
    assert 0.3 < metrics["room"]["test"]["rt60_s"] < 0.7
    draws = {
        name: pd.read_csv(here / name / "draws.csv", keep_default_na=False)
        for name in ("for_train", "for_topline", "for_test")
    }
    assert set(draws["for_train"].noise) <= {"white", "speech_shaped"}
    assert set(draws["for_test"].noise) <= {"pink", "babble", ""}
    assert set(draws["for_topline"].noise) == {"pink", "babble"}
    assert len(draws["for_topline"]) == 8 + 4
    assert len(draws["for_train"]) == 8 + 4
    assert len(draws["for_test"]) == 6 * 5


def test_the_noise_of_train_and_dev_copies_of_babble_is_of_others(here):
    assert run(here, "domains", train_noises=["babble"], test_noises=["white"]) == 0
    draws = pd.read_csv(here / "for_train/draws.csv")
    speakers = pd.read_csv(here / "corpus/manifest.csv").set_index("utterance_id")
    for name, sources in zip(draws.utterance_id, draws.sources, strict=True):
        heard = speakers.loc[sources.split()]
        assert set(heard.split) == {"train"}
        assert speakers.speaker[name] not in set(heard.speaker)
        assert len(heard) == (3 if speakers.split[name] == "train" else 4)
    metrics = json.loads((here / "m.json").read_text())
    assert metrics["noise10"]["train"]["babble_voices"] == 3


def test_noise_from_a_folder(here):
    write_noise_folder(here / "noises", {"rain-0": 1.0, "wind-0": 0.8, "bark-0": 0.1})
    assert run(here, "domains", test_noises=["folder"], noise_path="noises") == 0
    metrics = json.loads((here / "m.json").read_text())
    assert metrics["noise_recordings"] == {"kept": 2, "left_out": 1}
    assert set(metrics["noise0"]["test"]["noises"]) <= {"folder/rain", "folder/wind"}
    assert metrics["noise0"]["test"]["snr_db"]["mean"] == pytest.approx(0, abs=0.01)


def test_no_domain_leaves_empty_tables(here):
    assert run(here, "domains", train=[], topline=[], test=[]) == 0
    assert set(outputs(here)) == {
        *(f"for_{part}/draws.csv" for part in ("train", "topline", "test")),
        "m.json",
    }
    assert (here / "for_train/draws.csv").read_text().startswith("domain,split,utterance_id,")
    assert json.loads((here / "m.json").read_text()) == {}


def test_a_second_run_writes_the_same_bytes_and_another_list_leaves_the_rest(here):
    assert run(here, "domains") == 0
    first = outputs(here)
    assert run(here, "domains") == 0
    assert outputs(here) == first
    assert run(here, "domains", test=["noise0", "room"]) == 0
    fewer = outputs(here)
    for name in fewer.keys() - {"for_test/draws.csv", "m.json"}:
        assert fewer[name] == first[name]
    assert {name.split("/")[1] for name in fewer if name.endswith(".npy")} == {
        "noise10",  # of train
        "noise0",
        "room",
    }


@pytest.mark.slow
def test_the_number_of_workers_changes_no_byte(here):
    assert run(here, "domains") == 0
    alone = outputs(here)
    assert run(here, "domains", workers="2") == 0
    assert outputs(here) == alone


def no_corpus(folder):
    shutil.rmtree(folder / "corpus")


def no_frames(folder):
    (folder / "fbank/dev.npy").unlink()


def other_mels(folder):
    values = json.loads((folder / "fbank/normalizer.json").read_text())
    cut = {name: numbers[:-1] for name, numbers in values.items()}
    (folder / "fbank/normalizer.json").write_text(json.dumps(cut))


def other_samples(folder):
    shutil.copy(folder / "corpus/train.csv", folder / "corpus/dev.csv")
    shutil.copy(folder / "corpus/train.npy", folder / "corpus/dev.npy")


@pytest.mark.parametrize(
    ("spoil", "domains", "message"),
    [
        (no_corpus, {}, "corpus must hold a local corpus; run the stages download and conditions"),
        (no_frames, {}, "dev.npy must exist; rerun the stage that writes it"),
        (
            other_mels,
            {},
            "for each of 13 mel bands, got shapes (12,) and (12,); rerun the stage fbank",
        ),
        (other_samples, {}, "dev.npy must hold the frames of corpus/dev.npy, utterance spk04-0"),
        (
            lambda folder: None,
            {"test_noises": ["folder"], "noise_path": "gone"},
            "gone/manifest.csv must exist; see docs/corpora.md",
        ),
        (
            lambda folder: None,
            {"test_noises": ["white", "pink"]},
            "domains.train_noises and domains.test_noises must share no kind",
        ),
    ],
)
def test_bad_input_is_refused_and_nothing_is_left(here, capfd, spoil, domains, message):
    spoil(here)
    assert run(here, "domains", **domains) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0].replace(f"{here}/", "")
    assert outputs(here) == {}
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


def test_a_failure_on_test_leaves_no_copies_of_train(here, capfd):
    """Both folders appear together: copies of train without those of test would be half a run."""
    rows = np.load(here / "corpus/test.npy")
    np.save(here / "corpus/test.npy", np.zeros_like(rows))
    assert run(here, "domains") == 2
    assert "must hold sound, every sample is 0" in capfd.readouterr().err
    assert outputs(here) == {}
