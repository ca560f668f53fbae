"""The stage ivector, whole, on colored noise whose color is the speaker's."""

import numpy as np
import pytest
from scipy.signal import lfilter

from fhvae.corpus.manifest import Recording
from fhvae.corpus.store import write_corpus
from fhvae.errors import ArtifactError
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.trials import cosine_eer
from stages.ivector import main
from tests.latent_factory import make_utterances
from tests.stages.stage_runner import each_number_of_workers, inside, run_stage, written

SPEAKERS = {"train": 6, "dev": 2, "test": 3}
EACH = 4
CUT = ("vad30", "vad300")
SILENT = "dev00_01"
DROPPED = "train00_00"
SMALL = {
    "coefficients": 6,
    "mels": 15,
    "vad_db": [300.0, 30.0],
    "gaussians": [4, 1, 90],
    "gaussian_frames": 500,
    "ubm_frames": 1100,
    "ranks": [3, 2, 90],
    "iterations": 3,
}


def say(utterance, random):
    """Filter noise by a resonance of the speaker's; utterances of one speaker share no sample."""
    if utterance.utterance_id == SILENT:
        return np.zeros(8000, np.int16)
    angle = 0.3 + 0.35 * int(utterance.speaker[-2:])
    resonance = [1, -1.6 * np.cos(angle), 0.64]
    return (300 * lfilter([1], resonance, random.normal(size=8000))).astype(np.int16)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    utterances = [one for split, n in SPEAKERS.items() for one in make_utterances(split, n, EACH)]
    random = np.random.default_rng(0)
    write_corpus(folder / "corpus", (Recording(one, say(one, random)) for one in utterances))
    for split in SPEAKERS:
        kept = [one.utterance_id for one in utterances if one.split == split]
        write_list(folder / "fbank" / split, set(kept) - {DROPPED})
    return folder


def write_list(stem, utterance_ids):
    with PackedWriter(stem, "float32", (2,)) as writer:
        for name in sorted(utterance_ids):
            writer.append(name, np.zeros((3, 2)))


def run(inputs, out, workers="1", **changes):
    changes = {f"ivector.{name}": value for name, value in (SMALL | changes).items()}
    return run_stage(main, inside(inputs, "corpus", "fbank"), out, ("ivectors",), changes, workers)


def test_metrics_and_vectors(inputs, tmp_path, caplog):
    metrics = run(inputs, tmp_path / "out")
    for counts in metrics["speech"].values():
        found = {split: counts[split]["utterances"] for split in SPEAKERS}
        assert found == {"train": 23, "dev": 8, "test": 12}
        assert [counts[split]["without_speech"] for split in SPEAKERS] == [0, 1, 0]
    assert metrics["speech"]["vad300"]["test"]["speech_share"] == 1.0
    assert (
        f"dev: too little speech found in 1 of 8 utterances, all their frames are taken: {SILENT}"
        in caplog.text
    )
    errors, judged = {}, set()
    for detector in ("vad30", "vad300"):
        sizes = metrics["tried"][detector]["corpus"]
        assert set(sizes) == {"gaussians_1", "gaussians_2"}  # of 90: 1100 frames, 500 each
        for size, ranks in sizes.items():
            assert set(ranks) == {"rank_2", "rank_3", "rank_7"}  # 23 utterances: a third
            errors |= {(detector, size, rank): one["dev_eer"] for rank, one in ranks.items()}
            judged |= {one["dev_eer_supervised"] for one in ranks.values()}
        lowest = min(error for key, error in errors.items() if key[0] == detector)
        assert metrics["by_detector"][detector]["dev_eer"] == lowest
    assert metrics["chosen"]["dev_eer"] == min(errors.values())
    assert metrics["supervised"]["dev_eer_supervised"] == min(judged)
    gains = metrics["tried"]["vad30"]["corpus"]["gaussians_2"]["rank_7"]["gain_over_ubm"]
    order = ["start", "iteration_01", "iteration_02", "iteration_03", "minimum_divergence"]
    assert list(np.argsort([gains[name] for name in order])) == [0, 1, 2, 3, 4]


def test_the_best_of_each_detector_is_kept_and_the_chosen_one_beside(inputs, tmp_path):
    metrics = run(inputs, tmp_path / "out")
    out, chosen = tmp_path / "out" / "ivectors", metrics["chosen"]
    vectors = read_packed(out / "test")
    assert vectors.rows.shape == (12, chosen["rank"])
    assert vectors.rows.dtype == np.float32
    assert list(vectors.utterance_ids) == sorted(vectors.utterance_ids)
    assert DROPPED not in read_packed(out / "train").utterance_ids
    assert cosine_eer(vectors.rows, [name[:6] for name in vectors.utterance_ids]) < 0.05
    own = {f"{split}.{kind}" for split in SPEAKERS for kind in ("npy", "csv")}
    own |= {"extractor.safetensors"}
    files = written(out)
    kept_ones = {f"{kept}/{name}" for kept in (*CUT, "supervised") for name in own}
    assert set(files) == own | kept_ones | {"SHA256SUMS"}
    for name in own:
        assert files[name] == files[f"vad{chosen['vad_db']:g}/{name}"]
    for detector in CUT:
        dev = read_packed(out / detector / "dev")
        of_dev = metrics["by_detector"][detector]
        assert dev.rows.shape == (8, of_dev["rank"])
        speakers = [name[:5] for name in dev.utterance_ids]
        assert cosine_eer(dev.rows, speakers) == pytest.approx(of_dev["dev_eer"], abs=1e-6)


@each_number_of_workers
def test_a_second_run_writes_the_same_bytes(inputs, tmp_path, workers):
    run(inputs, tmp_path / "one")
    run(inputs, tmp_path / "two", workers)
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_the_mean_of_noise_is_its_speaker(inputs, tmp_path):
    """With mean and variance taken out of every utterance, filtered noise has no color left."""
    run(inputs, tmp_path / "out", normalization=["mean_variance"], gaussians=[4], ranks=[3])
    vectors = read_packed(tmp_path / "out" / "ivectors" / "test")
    assert cosine_eer(vectors.rows, [name[:6] for name in vectors.utterance_ids]) > 0.2


def test_an_utterance_that_only_fbank_has_stops_the_stage(inputs, tmp_path):
    for split in SPEAKERS:
        names = read_packed(inputs / "fbank" / split).utterance_ids
        write_list(tmp_path / "run" / "fbank" / split, {*names, f"{split}99_00"})
    (tmp_path / "run" / "corpus").symlink_to(inputs / "corpus")
    with pytest.raises(ArtifactError, match="train99_00 is missing"):
        run(tmp_path / "run", tmp_path / "out")
    assert set(written(tmp_path / "out")) == {"params.yaml"}
