"""A corpus heard in other conditions: who meets what, what is kept, what stays equal."""

import json

import numpy as np
import pandas as pd
import pytest

import stages.conditions
import stages.download
from fhvae.acoustics.conditions import clips_of, draw_condition, plan_conditions
from fhvae.acoustics.plan import NoisePool, Voices, plan_copy
from fhvae.acoustics.render import make_noise
from fhvae.corpus.store import read_corpus
from fhvae.files.sums import SUMS
from fhvae.params.whole import load_params
from tests.tiny import ROOT, set_params
from tests.tones import write_tone_corpus

CONDITIONS = ["clean", "noise10", "telephone", "aurora_multi"]


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    where = tmp_path_factory.mktemp("tones") / "corpus"
    return write_tone_corpus(where, {"train": 4, "dev": 2, "test": 3}, utterances=4, seconds=0.3)


@pytest.fixture
def download(tmp_path, tones, monkeypatch):
    """Run download and conditions with these conditions; give the corpus and what was counted."""
    monkeypatch.setenv("FHVAE_WORKERS", "1")

    def run(conditions, name="corpus", **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
        set_params(
            folder / "params.yaml",
            {
                "corpus.name": "manifest",
                "corpus.path": str(tones),
                "corpus.conditions": conditions,
                "domains.babble_voices": 2,
                **changes,
            },
        )
        monkeypatch.chdir(folder)
        # absolute: idle worker processes of another test stand in another folder
        recordings, corpus = (str(folder / "data" / name) for name in ("recordings", "corpus"))
        metrics = "conditions.json"
        monkeypatch.setattr(
            "sys.argv", ["download", "--corpus", recordings, "--metrics", "download.json"]
        )
        stages.download.main()
        paths = ["--recordings", recordings, "--corpus", corpus, "--metrics", metrics]
        monkeypatch.setattr("sys.argv", ["conditions", *paths])
        stages.conditions.main()
        return read_corpus(folder / "data" / "corpus"), json.loads((folder / metrics).read_text())

    return run


def samples(corpus, split):
    return dict(corpus.samples(split).items())


def test_a_clean_corpus_is_the_recordings_and_takes_no_room(download):
    corpus, counts = download(["clean"])
    assert corpus.splits == ["train", "dev", "test"]
    assert {split: own["clean"]["utterances"] for split, own in counts.items()} == {
        "train": 16,
        "dev": 8,
        "test": 12,
    }
    recordings = corpus.folder.parent / "recordings"
    names = sorted(path.name for path in recordings.iterdir())
    assert names == sorted(path.name for path in corpus.folder.iterdir())
    assert all((recordings / name).samefile(corpus.folder / name) for name in names if name != SUMS)


def test_each_utterance_meets_one_condition_and_test_keeps_its_clean_twin(download):
    clean, _ = download(["clean"], "clean")
    corpus, metrics = download(CONDITIONS)
    assert corpus.splits == ["train", "dev", "test", "parallel"]
    draws = pd.read_csv(corpus.folder / "conditions.csv", keep_default_na=False)
    assert list(draws["utterance_id"]) == [
        item.utterance_id for split in ("train", "dev", "test") for item in corpus.split(split)
    ]
    assert set(draws["domain"]) == set(CONDITIONS)
    drawn = dict(zip(draws["utterance_id"], draws["domain"], strict=True))
    for split in ("train", "dev", "test"):
        before, after = samples(clean, split), samples(corpus, split)
        assert before.keys() == after.keys()
        for name, own in before.items():
            assert len(after[name]) == len(own)
            if drawn[name] == "clean":
                np.testing.assert_array_equal(after[name], own)
            elif drawn[name] != "aurora_multi":  # which leaves an eighth as it is
                assert not np.array_equal(after[name], own)
    twins = samples(corpus, "parallel")
    assert {item.twin for item in corpus.split("parallel")} == samples(clean, "test").keys()
    for twin in corpus.split("parallel"):
        np.testing.assert_array_equal(twins[twin.utterance_id], samples(clean, "test")[twin.twin])
        assert corpus.phones[twin.utterance_id] == corpus.phones[twin.twin]
        assert corpus.transcripts[twin.utterance_id] == corpus.transcripts[twin.twin]
    assert sum(one["utterances"] for one in metrics["train"].values()) == 16


def test_noise_of_test_is_of_a_kind_that_train_never_heard(download):
    _, metrics = download(["noise0"])
    kinds = {split: set(own["noise0"]["noises"]) for split, own in metrics.items()}
    domains = load_params(ROOT / "params.yaml").domains
    assert kinds["train"] | kinds["dev"] <= set(domains.train_noises)
    assert kinds["test"] <= set(domains.test_noises)
    assert metrics["test"]["noise0"]["snr_db"]["mean"] == pytest.approx(0, abs=0.2)


def test_the_draw_is_a_function_of_the_utterance_id(download, tones, tmp_path):
    """Half of the corpus gives that half, whatever else is there; another seed, another draw."""
    corpus, _ = download(CONDITIONS)
    draws = pd.read_csv(corpus.folder / "conditions.csv", keep_default_na=False)
    drawn = dict(zip(draws["utterance_id"], draws["domain"], strict=True))
    for item in reversed(corpus.split("train")):
        assert draw_condition(item, CONDITIONS, 0) == drawn[item.utterance_id]
    assert any(
        draw_condition(item, CONDITIONS, 1) != drawn[item.utterance_id]
        for item in corpus.split("train")
    )


@pytest.mark.slow
def test_workers_change_nothing(download, monkeypatch):
    alone, _ = download(CONDITIONS, "alone")
    monkeypatch.setenv("FHVAE_WORKERS", "2")
    both, _ = download(CONDITIONS, "both")
    for split in alone.splits:
        one, two = ((corpus.folder / f"{split}.npy").read_bytes() for corpus in (alone, both))
        assert one == two


def test_a_copy_of_a_noisy_utterance_gets_other_noise(download, tmp_path):
    """The stage `domains` draws from streams of its own: no noise is added twice."""
    corpus, _ = download(["noise10"])
    params = load_params(tmp_path / "corpus" / "params.yaml")
    clip, utterance = clips_of(corpus, "train")[0], corpus.split("train")[0]
    pool = NoisePool(("white",), Voices((), ()), params.domains)
    (heard,) = plan_conditions([utterance], [clip], pool, ["noise10"], params.seed)
    copied = plan_copy("noise10", clip, utterance.speaker, pool, params.seed)
    active = np.ones(clip.length, bool)
    first, second = (make_noise(one, active, None, 30.0) for one in (heard, copied))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
