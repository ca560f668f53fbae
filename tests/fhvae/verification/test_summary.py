"""All vectors side by side: swapped codes, differences, and the layout of the metrics."""

import dataclasses

import numpy as np
import pytest

from fhvae.params.verification import VerificationParams
from fhvae.verification.comparison import VectorResult, evaluate_vector
from fhvae.verification.conditions import labels_of
from fhvae.verification.plan import make_plan, write_lists
from fhvae.verification.sources import Sources, read_vectors
from fhvae.verification.summary import calibration_table, differences, named_curves, summarize
from fhvae.verification.vectors import latent_vectors
from tests.latent_factory import make_latents, make_utterances, write_fake_run

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

PARAMS = VerificationParams(lda_dimensions=(2, 3), most_trials=10**6, bootstrap=60)
SPLITS = {"train": (8, 4), "dev": (4, 4), "test": (10, 6)}
RUN = {"train": 6, "dev": 3, "test": 5}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Metrics and all else of a whole fake run."""
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, RUN, each=4)
    sources = Sources(*(folder / name for name in ("fbank", "latents", "ivectors", "controls")))
    vectors = {split: read_vectors(sources, split, seed=0) for split in RUN}
    labels = {}
    for split, count in RUN.items():
        utterances = make_utterances(split, count, 4)
        labels[split] = labels_of(vectors[split]["mu2"].utterance_ids, utterances)
    plan = make_plan(vectors, labels, PARAMS, "headline", seed=0)
    results = [evaluate_vector(task, plan.setting, folder / "scores") for task in plan.tasks]
    hashes = write_lists(folder / "scores", plan.setting)
    speakers = labels["train"].speakers
    return results, summarize(results, plan.setting, hashes, speakers, plan.absent), hashes


def test_the_layout_that_others_rely_on(run):
    _, metrics, hashes = run
    assert metrics["trials"] == {
        "target": 5 * 6,
        "nontarget": 190 - 30,
        "sha256": hashes["all_pairs"],
    }
    assert metrics["speakers"] == 5
    assert metrics["lda_train"] == {"speakers": 6, "left_out": 0}
    for vector in ("mu2", "z2", "mu1", "z1_stats", "ivector", "fbank", "pca", "random"):
        assert {"cos", "lda", "plda", "best"} <= set(metrics[vector])
    for control in ("untrained", "mean_removed", "level"):
        assert 0 <= metrics[control]["cos"]["eer"] <= 1
    for condition in ("same_sex", "multi3"):
        assert set(metrics["conditions"][condition]["trials"]) == {"target", "nontarget", "sha256"}
        assert "eer_low" in metrics["conditions"][condition]["mu2"]["cos"]
    assert set(metrics["absent"]) == {
        f"conditions.{name}" for name in ("different_text", "same_text", "cross_session")
    }
    assert metrics["absent"]["conditions.cross_session"] == "the corpus has no sessions"


def test_mu2_and_ivector_know_the_speaker_and_mu1_does_not(run):
    _, metrics, _ = run
    assert metrics["mu2"]["cos"]["eer"] == metrics["ivector"]["cos"]["eer"] == 0.0
    assert metrics["mu1"]["cos"]["eer"] > 0.3
    assert metrics["random"]["cos"]["eer"] > 0.3
    assert metrics["difference"]["cos"]["mu2-mu1"]["better"] == "mu2"
    assert metrics["difference"]["cos"]["mu2-ivector"] == {
        "eer": 0.0,
        "eer_low": 0.0,
        "eer_high": 0.0,
        "better": "neither",
    }


def test_curves_and_calibrations_are_named_by_system(run):
    results, metrics, _ = run
    curves = named_curves(results)
    assert "mu1.cos" in curves
    assert f"mu1.{metrics['mu1']['best']['backend']}" in curves
    table = calibration_table(results)
    assert table.columns.tolist() == ["system", "slope", "offset"]
    assert set(table["system"]) >= {"mu2.cos", "level.plda_asn"}
    assert table["system"].is_unique
    assert (table["slope"].astype(float) >= 0).all()


def swapped(latents):
    """Put z1 where z2 belongs and the other way round, as a broken encoder would."""
    z1, z2 = latents.z1_mean, latents.z2_mean
    mean = np.add.reduceat(z1, latents.offsets, axis=0) / latents.lengths[:, None]
    return dataclasses.replace(latents, z1_mean=z2, z2_mean=z1, mu2=mean.astype(np.float32))


def results_of(change):
    """Evaluate mu2 and mu1 of perfect latents, after a change of the latents."""
    vectors, labels = {}, {}
    for place, (split, (speakers, each)) in enumerate(SPLITS.items()):
        utterances = make_utterances(split, speakers, each)
        latents = make_latents(utterances, noise=0.05, segments=8, seed=place)
        known = latent_vectors(change(latents))
        vectors[split] = {"mu2": known["mu2"], "mu1": known["mu1"]}
        labels[split] = labels_of(latents.utterance_ids, utterances)
    return make_plan(vectors, labels, PARAMS, "headline", seed=0)


@pytest.mark.parametrize(
    ("change", "knows", "ignores"),
    [
        pytest.param(lambda latents: latents, "mu2", "mu1", id="as-they-are"),
        pytest.param(swapped, "mu1", "mu2", id="swapped-on-purpose"),
    ],
)
def test_swapping_z1_and_mu2_turns_every_answer_around(tmp_path, change, knows, ignores):
    plan = results_of(change)
    results = {task.name: evaluate_vector(task, plan.setting, tmp_path) for task in plan.tasks}
    known, ignored = results[knows], results[ignores]
    for key in ("cos", "best"):
        assert known.metrics[key]["eer"] == 0.0
        assert (
            ignored.metrics[key]["eer_low"] - 0.05 <= 0.5 <= ignored.metrics[key]["eer_high"] + 0.05
        )
        gap = known.draws[key] - ignored.draws[key]
        assert (gap < -0.3).all()


def result(name, values, eer=None):
    """A result of known draws, by cosine."""
    fields = {field.name: {} for field in dataclasses.fields(VectorResult)}
    rate = float(np.mean(values)) if eer is None else eer
    return VectorResult(
        **{**fields, "name": name, "metrics": {"cos": {"eer": rate}}, "draws": {"cos": values}}
    )


def test_differences_are_taken_draw_by_draw():
    # 0, .001, ..., 1 and the same plus 0.3: far apart only when paired.
    spread = np.linspace(0, 1, 1001)
    others = ("ivector", "fbank", "pca", "z2", "mu1", "untrained", "mean_removed", "level")
    results = [result("mu2", spread), *(result(name, spread + 0.3) for name in others)]
    found = differences(results)["cos"]["mu2-ivector"]
    assert found["better"] == "mu2"
    assert [found[key] for key in ("eer", "eer_low", "eer_high")] == pytest.approx([-0.3] * 3)


@pytest.mark.parametrize(
    ("shift", "better"), [(0.3, "mu2"), (-0.3, "ivector"), (0.0, "neither")], ids=str
)
def test_better_is_the_one_with_the_lower_eer_where_the_interval_excludes_zero(shift, better):
    noise = 0.1 * np.sin(np.arange(400))
    flat = np.full(400, 0.4)
    results = [result("mu2", flat)]
    names = ("ivector", "fbank", "pca", "z2", "mu1", "untrained", "mean_removed", "level")
    results += [result(name, flat + noise + shift) for name in names]
    assert differences(results)["cos"]["mu2-ivector"]["better"] == better
