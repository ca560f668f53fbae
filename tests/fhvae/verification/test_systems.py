"""All systems together: metrics of known latents, absent ones named, files that give them back."""

import numpy as np
import pytest

from fhvae.errors import ArtifactError
from fhvae.verification.error_rates import eer, min_dcf
from fhvae.verification.intervals import draw_speakers
from fhvae.verification.systems import (
    TrainVectors,
    score_systems,
    speakers_of,
    summarize,
    write_system_scores,
)
from fhvae.verification.trials import all_pairs, read_scores
from fhvae.verification.vectors import utterance_vectors
from tests.latent_factory import make_frames, make_latents, make_utterances

TEST = make_utterances("test", 5, 4)
TRAIN = make_utterances("train", 6, 3)


def vectors(utterances, seed):
    latents = make_latents(utterances, noise=0.1, seed=seed)
    return utterance_vectors(latents, make_frames(latents, seed=seed))


@pytest.fixture(scope="module")
def train():
    return TrainVectors(vectors(TRAIN, seed=1), [item.speaker for item in TRAIN])


@pytest.fixture(scope="module")
def trials():
    return all_pairs(TEST)


def test_mu2_knows_the_speaker_and_mu1_does_not(train, trials):
    systems = score_systems(vectors(TEST, seed=2), trials, train, lda_dimensions=4)
    draws = draw_speakers(trials, 30, np.random.default_rng(3))
    metrics = summarize(systems, trials, draws, train)
    assert metrics["mu2"]["cos"]["eer"] == 0.0
    assert metrics["mu1"]["cos"]["eer"] > 0.3
    assert metrics["trials"] == {"target": 5 * 6, "nontarget": 190 - 30}
    assert metrics["speakers"] == 5
    assert metrics["absent"] == {}
    assert metrics["lda_train"] == {"speakers": 6, "left_out": 0}
    for vector in ("mu2", "mu1", "fbank"):
        for backend in ("cos", "lda"):
            found = metrics[vector][backend]
            assert set(found) == {"eer", "eer_low", "eer_high", "eer_legacy", "mindcf_p01"}
            assert found["eer_low"] <= found["eer_high"]


def test_score_files_give_the_metrics_back(tmp_path, train, trials):
    systems = score_systems(vectors(TEST, seed=2), trials, train, lda_dimensions=4)
    draws = draw_speakers(trials, 10, np.random.default_rng(3))
    metrics = summarize(systems, trials, draws, train)
    write_system_scores(tmp_path / "scores", systems, trials)
    names = sorted(path.name for path in (tmp_path / "scores").iterdir())
    assert names == sorted(f"{v}.{b}.tsv" for v in ("mu2", "mu1", "fbank") for b in ("cos", "lda"))
    for name in names:
        vector, backend, _ = name.split(".")
        read = read_scores(tmp_path / "scores" / name)
        assert eer(read.scores, read.is_target) == metrics[vector][backend]["eer"]
        assert min_dcf(read.scores, read.is_target, 0.01) == metrics[vector][backend]["mindcf_p01"]


def test_a_backend_that_cannot_be_fitted_is_absent_with_its_reason(trials):
    lonely = make_utterances("train", 4, 1)
    train = TrainVectors(vectors(lonely, seed=1), [item.speaker for item in lonely])
    systems = score_systems(vectors(TEST, seed=2), trials, train, lda_dimensions=4)
    metrics = summarize(systems, trials, draw_speakers(trials, 10, np.random.default_rng(3)), train)
    assert set(metrics["absent"]) == {"mu2.lda", "mu1.lda", "fbank.lda"}
    assert "at least 2 train speakers" in metrics["absent"]["mu2.lda"]
    assert set(metrics["mu2"]) == {"cos"}
    assert metrics["lda_train"] == {"speakers": 0, "left_out": 4}


def test_a_zero_vector_makes_its_systems_absent_and_names_the_utterance(train, trials):
    broken = vectors(TEST, seed=2)
    broken["mu2"].values[3] = 0
    systems = score_systems(broken, trials, train, lda_dimensions=4)
    assert set(systems.absent) == {"mu2.cos"}  # seen from the train mean it has a direction
    assert "test00_03" in systems.absent["mu2.cos"]


def test_an_utterance_outside_the_manifest_is_named():
    assert speakers_of(["test01_00", "test00_01"], TEST) == ["test01", "test00"]
    with pytest.raises(ArtifactError, match="utterance ghost of the latents"):
        speakers_of(["test01_00", "ghost"], TEST)
