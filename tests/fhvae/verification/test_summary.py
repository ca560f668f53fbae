"""All vectors side by side: swapped codes, differences, layout of the metrics, DET tables."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from fhvae.params.whole import load_params
from fhvae.trials import ErrorCurve, deviates
from fhvae.verification.evaluate import (
    BEST,
    Curve,
    VectorResult,
    VectorTask,
    evaluate_vector,
    make_evaluation,
    write_lists,
)
from fhvae.verification.resampling import Band
from fhvae.verification.summary import (
    POINTS,
    band_table,
    best_baseline,
    calibration_table,
    det_table,
    differences,
    named_curves,
    summarize,
    thin,
)
from fhvae.verification.vectors import Sources, latent_vectors, read_vectors
from tests.latent_factory import make_latents, make_utterances, write_fake_run

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


PARAMS = dataclasses.replace(
    load_params().verification, lda_dimensions=(2, 3), most_trials=10**6, bootstrap=60
)
SPLITS = {"train": (8, 4), "dev": (4, 4), "test": (10, 6)}
RUN = {"train": 6, "dev": 3, "test": 5}
OTHERS = ("ivector", "fbank", "pca", "mu1", "untrained", "mean_removed", "level", "speech")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Metrics and all else of a whole fake run."""
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, RUN, each=4)
    stages = "fbank", "latents", "ivectors", "baselines", "controls"
    sources = Sources(*(folder / name for name in stages))
    vectors = {split: read_vectors(sources, split, seed=0) for split in RUN}
    utterances = {split: make_utterances(split, count, 4) for split, count in RUN.items()}
    evaluation = make_evaluation(utterances, PARAMS, "headline", seed=0)
    results = [
        evaluate_vector(
            VectorTask(name, **{split: own[name] for split, own in vectors.items()}),
            evaluation,
            folder / "scores",
        )
        for name in vectors["test"]
    ]
    hashes = write_lists(folder / "scores", evaluation)
    return results, summarize(results, evaluation, hashes), hashes


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
    for control in ("untrained", "mean_removed", "level", "speech"):
        assert 0 <= metrics[control]["cos"]["eer"] <= 1
    for condition in ("same_sex", "multi3"):
        assert set(metrics["conditions"][condition]["trials"]) == {"target", "nontarget", "sha256"}
        assert "eer_low" in metrics["conditions"][condition]["mu2"]["cos"]
    absent = {name for name in metrics["absent"] if not name.endswith(".calibration")}
    assert absent == {
        f"conditions.{name}" for name in ("different_text", "same_text", "cross_session")
    }
    assert "mu2.cos.calibration" in metrics["absent"]
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
    assert {"mu1.cos", "random.cos"} <= set(table["system"])
    assert "mu2.cos" not in set(table["system"])  # on dev it separates the speakers
    assert table["system"].is_unique
    assert (table["slope"].astype(float) >= 0).all()


def swapped(latents):
    """Put z1 where z2 belongs and the other way round, as a broken encoder would."""
    z1, z2 = latents.z1_mean, latents.z2_mean
    mean = np.add.reduceat(z1, latents.offsets, axis=0) / latents.lengths[:, None]
    return dataclasses.replace(latents, z1_mean=z2, z2_mean=z1, mu2=mean.astype(np.float32))


def results_of(change, folder):
    """Evaluate mu2 and mu1 of perfect latents, after a change of the latents."""
    vectors, utterances = {}, {}
    for place, (split, (speakers, each)) in enumerate(SPLITS.items()):
        utterances[split] = make_utterances(split, speakers, each)
        latents = make_latents(utterances[split], noise=0.05, segments=8, seed=place)
        vectors[split] = latent_vectors(change(latents))
    evaluation = make_evaluation(utterances, PARAMS, "headline", seed=0)
    return {
        name: evaluate_vector(
            VectorTask(name, **{split: own[name] for split, own in vectors.items()}),
            evaluation,
            folder,
        )
        for name in ("mu2", "mu1")
    }


@pytest.mark.parametrize(
    ("change", "knows", "ignores"),
    [
        pytest.param(lambda latents: latents, "mu2", "mu1", id="as-they-are"),
        pytest.param(swapped, "mu1", "mu2", id="swapped-on-purpose"),
    ],
)
def test_swapping_z1_and_mu2_turns_every_answer_around(tmp_path, change, knows, ignores):
    results = results_of(change, tmp_path)
    known, ignored = results[knows], results[ignores]
    for key in ("cos", "best"):
        assert known.metrics[key]["eer"] == 0.0
        assert (
            ignored.metrics[key]["eer_low"] - 0.05 <= 0.5 <= ignored.metrics[key]["eer_high"] + 0.05
        )
        gap = known.left_out[key] - ignored.left_out[key]
        assert (gap < -0.3).all()


def result(name, values, eer=None, dev_eer=None):
    """A result of known values without each speaker, by cosine."""
    fields = {field.name: {} for field in dataclasses.fields(VectorResult)}
    rate = float(np.mean(values)) if eer is None else eer
    row = {"eer": rate} | ({} if dev_eer is None else {"dev_eer": dev_eer})
    return VectorResult(
        **{**fields, "name": name, "metrics": {"cos": row}, "left_out": {"cos": values}}
    )


def test_differences_are_taken_speaker_by_speaker():
    # 0, .001, ..., 1 and the same plus 0.3: far apart only when paired.
    spread = np.linspace(0, 1, 1001)
    results = [result("mu2", spread), *(result(name, spread + 0.3) for name in OTHERS)]
    found = differences(results)["cos"]["mu2-ivector"]
    assert found["better"] == "mu2"
    assert [found[key] for key in ("eer", "eer_low", "eer_high")] == pytest.approx([-0.3] * 3)


def test_mu2_is_held_against_the_baseline_that_dev_chooses_not_the_best_on_test():
    spread = np.linspace(0, 1, 101)
    on_dev = {"ivector": 0.2, "fbank": 0.3, "pca": 0.1, "mu1": 0.0}
    on_test = {"ivector": -0.2, "fbank": 0.3, "pca": 0.1, "mu1": -0.3}
    results = [result("mu2", spread)]
    results += [result(name, spread + on_test[name], dev_eer=on_dev[name]) for name in on_dev]
    found = differences(results)["cos"]
    assert best_baseline(results, "cos") == found["mu2-baseline"]["baseline"] == "pca"
    assert found["mu2-baseline"]["eer"] == found["mu2-pca"]["eer"] == pytest.approx(-0.1)
    assert set(found) == {"mu2-ivector", "mu2-fbank", "mu2-pca", "mu2-mu1", "mu2-baseline"}


def test_each_back_end_is_held_against_the_baseline_that_is_best_on_dev_by_its_own_kind():
    on_dev = {"ivector": (0.1, 0.3), "ivector_supervised": (0.2, 0.05), "fbank": (0.4, 0.1)}
    results = [
        dataclasses.replace(
            result(name, np.linspace(0, 1, 9)),
            metrics={"cos": {"dev_eer": cosine}, BEST: {"dev_eer": best}},
        )
        for name, (cosine, best) in on_dev.items()
    ]
    assert best_baseline(results, "cos") == "ivector"
    assert best_baseline(results, BEST) == "ivector_supervised"


def test_without_dev_no_baseline_is_chosen():
    results = [result(name, np.linspace(0, 1, 9)) for name in ("mu2", *OTHERS)]
    assert best_baseline(results, "cos") is None
    assert "mu2-baseline" not in differences(results)["cos"]


@pytest.mark.parametrize(
    ("shift", "better"), [(0.3, "mu2"), (-0.3, "ivector"), (0.0, "neither")], ids=str
)
def test_better_is_the_one_with_the_lower_eer_where_the_interval_excludes_zero(shift, better):
    noise = 0.001 * np.sin(np.arange(40))  # of 40 speakers: a standard error of 0.004
    flat = np.full(40, 0.4)
    results = [result("mu2", flat)]
    results += [result(name, flat + noise + shift) for name in OTHERS]
    assert differences(results)["cos"]["mu2-ivector"]["better"] == better


BAND = Band(
    np.array([0.01, 0.1, 0.5]), np.array([0.2, 0.0512345678, 0.0]), np.array([0.4, 0.1, 0.03])
)


def gaussian_curve(distance: float, count: int = 5000) -> Curve:
    """Scores of both kinds are normal, `distance` apart: a straight line in deviates."""
    thresholds = np.linspace(-8, 8 + distance, count)
    points = ErrorCurve(thresholds, norm.cdf(thresholds - distance), norm.sf(thresholds))
    return Curve(points, BAND)


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends():
    points = gaussian_curve(2.0).points
    kept = thin(points)
    assert len(kept) <= POINTS + 1
    assert (kept[0], kept[-1]) == (0, 4999)
    x, y = deviates(points.fpr[kept]), deviates(points.fnr[kept])
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y))).max() < 0.25  # of about 17 from end to end


def test_a_short_curve_is_kept_whole():
    fpr, fnr = np.array([1.0, 0.5, 0.25, 0.0]), np.array([0.0, 0.0, 0.5, 1.0])
    table = det_table({"mu2.cos": Curve(ErrorCurve(np.arange(4.0), fnr, fpr), BAND)})
    assert table.columns.tolist() == ["system", "fpr", "fnr"]
    assert table["fpr"].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert table["fnr"].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_every_point_of_the_table_is_a_point_of_its_curve():
    curves = {"mu2.cos": gaussian_curve(3.0), "mu1.cos": gaussian_curve(0.1)}
    table = det_table(curves)
    for system, curve in curves.items():
        points = set(zip(curve.points.fpr.round(6), curve.points.fnr.round(6), strict=True))
        own = table[table["system"] == system]
        assert set(zip(own["fpr"], own["fnr"], strict=True)) <= points
        assert len(own) > 50


def test_bands_are_laid_out_by_system():
    table = band_table({"mu2.cos": gaussian_curve(3.0), "mu2.lda": gaussian_curve(3.5)})
    assert table.columns.tolist() == ["system", "fpr", "fnr_low", "fnr_high"]
    assert table["system"].tolist() == ["mu2.cos"] * 3 + ["mu2.lda"] * 3
    assert table["fnr_low"].tolist()[:3] == [0.2, 0.051235, 0.0]
    assert table["fnr_high"].tolist()[:3] == [0.4, 0.1, 0.03]


def test_no_system_gives_empty_tables():
    assert det_table({}).columns.tolist() == ["system", "fpr", "fnr"]
    assert band_table({}).columns.tolist() == ["system", "fpr", "fnr_low", "fnr_high"]
