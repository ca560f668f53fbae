"""Lists and draws of a run, and one vector with all back-ends: perfect and random codes, files."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fhvae.errors import ParamsError, TrialError
from fhvae.intervals import rate_interval
from fhvae.params.verification import VerificationParams
from fhvae.trials import Vectors, det_points, eer, equal_error_rate, pairs_of, rank_trials
from fhvae.verification.error_rates import (
    actual_detection_cost,
    cllr,
    fit_calibration,
    legacy_equal_error_rate,
    lower_hull,
    minimum_cllr,
    minimum_detection_cost,
)
from fhvae.verification.evaluate import (
    Evaluation,
    VectorTask,
    error_rates,
    evaluate_vector,
    main_systems,
    make_evaluation,
    write_lists,
)
from fhvae.verification.resampling import eer_interval
from fhvae.verification.scores import read_scores
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


SIZES = {"train": (8, 4), "dev": (6, 4), "test": (7, 5)}
PARAMS = VerificationParams(
    lda_dimensions=(2, 3),
    plda_iterations=10,
    plda_floor=1e-6,
    asnorm_cohort=100,
    priors=(0.01, 0.05),
    most_trials=10**6,
    bootstrap=40,
)
BACKENDS = {"cos", "cos_c", "cos_asn", "lda2", "lda3", "lda", "plda", "plda_asn"}
METRICS = {
    *("eer", "eer_low", "eer_high", "eer_legacy", "eer_rocch", "dev_eer"),
    *("n_err_eer", "speakers_err_eer", "rule_of_30"),
    *("mindcf_p01", "mindcf_p05", "actdcf_p01", "actdcf_p05", "cllr", "cllr_min"),
}


def utterances_of(sizes):
    return {split: make_utterances(split, *size) for split, size in sizes.items()}


def evaluation_of(protocol="headline", sizes=SIZES, params=PARAMS, seed=0) -> Evaluation:
    return make_evaluation(utterances_of(sizes), params, protocol, seed)


def codes(kind, sizes=SIZES) -> VectorTask:
    """Vectors of all splits: `perfect` ones are the speaker's, others are noise, or both."""
    noise = {"perfect": 0.01, "noisy": 0.8, "random": 1.0}[kind]
    vectors = {}
    for place, (split, (speakers, each)) in enumerate(sizes.items()):
        random = np.random.default_rng([len(kind), place])
        owner = np.repeat(np.arange(speakers), each)
        values = noise * random.normal(size=(len(owner), 5))
        if kind != "random":
            values += 2 * random.normal(size=(speakers, 5))[owner]
        ids = tuple(item.utterance_id for item in make_utterances(split, speakers, each))
        vectors[split] = Vectors(ids, values)
    return VectorTask("mu2", **vectors)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    evaluation, folder = evaluation_of(), tmp_path_factory.mktemp("noisy")
    return evaluation, evaluate_vector(codes("noisy"), evaluation, folder), folder


def test_the_seed_of_the_run_decides_the_draws():
    first, again, other = (evaluation_of(seed=seed).draws.counts for seed in (1, 1, 2))
    assert first.shape == (40, 7)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_list_beyond_the_limit_is_sampled():
    few = replace(PARAMS, lda_dimensions=(2,), most_trials=100)
    made = evaluation_of(params=few, sizes={**SIZES, "test": (4, 4)})
    assert len(made.trials) == 100
    assert int(made.trials.is_target.sum()) == 4 * 6


def test_a_test_split_without_targets_is_refused():
    with pytest.raises(TrialError, match="got 0 target and 3 non-target"):
        evaluation_of(sizes={**SIZES, "test": (3, 1)})


def test_lists_are_written_with_their_hashes(tmp_path):
    made = evaluation_of()
    hashes = write_lists(tmp_path, made)
    assert set(hashes) == set(made.lists)
    for name, digest in hashes.items():
        content = (tmp_path / "trials" / f"{name}.tsv").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert content.count(b"\n") == len(made.lists[name].trials) + 1
    assert (
        "test00_00+test00_01+test00_02\ttest00_03\ttarget"
        in (tmp_path / "trials" / "multi3.tsv").read_text()
    )


def test_every_back_end_has_every_metric(noisy):
    _, result, _ = noisy
    assert set(result.metrics) == BACKENDS | {"best"}
    for name in BACKENDS:
        expected = METRICS | ({"dimensions"} if "lda" in name else set())
        assert set(result.metrics[name]) == expected
    assert result.absent == {}


def test_metrics_keep_their_order(noisy):
    for row in noisy[1].metrics.values():
        assert row["eer_low"] <= row["eer"] <= row["eer_high"]
        assert row["eer_rocch"] <= row["eer"] + 1e-12
        assert row["cllr_min"] <= row["cllr"]
        for prior in ("p01", "p05"):
            assert row[f"mindcf_{prior}"] <= min(1, row[f"actdcf_{prior}"])


def test_best_is_the_supervised_back_end_best_on_dev(noisy):
    metrics = noisy[1].metrics
    name = metrics["best"]["backend"]
    rates = {one: metrics[one]["dev_eer"] for one in ("lda", "plda", "cos_asn", "plda_asn")}
    assert rates[name] == min(rates.values())
    assert {**metrics[name], "backend": name} == metrics["best"]
    low = rate_interval(metrics[name]["eer"], noisy[1].left_out["best"], trials=70).low
    assert low == metrics[name]["eer_low"]


def test_perfect_codes_have_no_error(tmp_path):
    """AS-norm apart: z-scores by a cohort of eight move a speaker's scores as they like."""
    result = evaluate_vector(codes("perfect"), evaluation_of(), tmp_path)
    for name in ("cos", "cos_c", "lda2", "lda3", "lda", "plda", "best"):
        row = result.metrics[name]
        assert (row["eer"], row["eer_low"]) == (0, 0), name
        assert 0 < row["eer_high"] < 0.5  # no error of seven speakers: not certain
        assert (row["mindcf_p01"], row["cllr_min"]) == (0, 0)
        assert (row["n_err_eer"], row["speakers_err_eer"], row["rule_of_30"]) == (0, 0, 0)


def test_a_calibration_on_separated_dev_scores_is_not_given(tmp_path):
    result = evaluate_vector(codes("perfect"), evaluation_of(), tmp_path)
    assert result.metrics["plda"]["dev_eer"] == 0
    assert not {"cllr", "actdcf_p01", "actdcf_p05"} & set(result.metrics["plda"])
    assert "plda" not in result.calibrations
    assert "no slope is the best one" in result.absent["mu2.plda.calibration"]


def test_random_codes_are_at_chance(tmp_path):
    sizes = {"train": (20, 6), "dev": (10, 6), "test": (20, 8)}
    result = evaluate_vector(codes("random", sizes), evaluation_of(sizes=sizes), tmp_path)
    for name in ("cos", "lda", "plda", "best"):
        row = result.metrics[name]
        assert row["eer_low"] - 0.02 <= 0.5 <= row["eer_high"] + 0.02, name
        assert row["mindcf_p01"] > 0.9
        assert row["cllr_min"] > 0.9
    cosine = result.metrics["cos"]
    assert cosine["eer_low"] <= 0.5 <= cosine["eer_high"]


def test_score_files_give_the_metrics_back(noisy):
    evaluation, result, folder = noisy
    best = result.metrics["best"]["backend"]
    names = {path.name for path in folder.glob("*.tsv")}
    assert names == {path.name for path in (folder / "dev").glob("*.tsv")}
    assert names == {"mu2.cos.tsv", f"mu2.{best}.tsv"}
    for backend in ("cos", best):
        row = result.metrics[backend]
        read = read_scores(folder / f"mu2.{backend}.tsv")
        assert eer(read.scores, read.is_target) == row["eer"]
        curve = det_points(read.scores, read.is_target)
        assert minimum_detection_cost(curve, 0.05) == row["mindcf_p05"]
        assert legacy_equal_error_rate(curve) == row["eer_legacy"]
        assert float(equal_error_rate(lower_hull(curve))) == row["eer_rocch"]
        assert minimum_cllr(lower_hull(curve)) == row["cllr_min"]
        assert row["n_err_eer"] == round(row["eer"] * 70)  # 7 speakers with 10 target trials each
        dev = read_scores(folder / "dev" / f"mu2.{backend}.tsv")
        assert eer(dev.scores, dev.is_target) == row["dev_eer"]
        ratios = fit_calibration(dev.scores, dev.is_target).apply(read.scores)
        assert cllr(ratios, read.is_target) == row["cllr"]
        assert actual_detection_cost(ratios, read.is_target, 0.01) == row["actdcf_p01"]
        assert len(dev.scores) == len(evaluation.dev)


def test_a_list_of_some_pairs_has_their_scores_and_its_own_interval(noisy):
    evaluation, result, folder = noisy
    listed = evaluation.lists["same_sex"]
    scores = read_scores(folder / "mu2.cos.tsv").scores[listed.places]
    row = result.by_list["same_sex"]["cos"]
    assert row["eer"] == eer(scores, listed.trials.is_target)
    ranked = rank_trials(scores, listed.trials.is_target)
    expected = eer_interval(listed.trials, ranked)
    assert [row["eer_low"], row["eer_high"]] == [expected.low, expected.high]


@pytest.mark.parametrize(
    ("dev_eers", "best"),
    [
        ({"cos": 0.0, "lda": 0.2, "plda": 0.1, "cos_asn": 0.3, "plda_asn": 0.2}, "plda"),
        ({"cos": 0.0, "lda2": 0.0, "plda_asn": 0.1, "cos_asn": 0.1}, "cos_asn"),
    ],
    ids=["the-lowest", "of-equals-the-first"],
)
def test_dev_chooses_among_the_supervised(dev_eers, best):
    systems = {name: SimpleNamespace(metrics={"dev_eer": rate}) for name, rate in dev_eers.items()}
    assert main_systems(systems) == {"cos": "cos", "best": best}


def test_headline_scores_other_lists_with_two_rows_and_full_with_all(noisy, tmp_path):
    evaluation, result, _ = noisy
    assert set(evaluation.lists) == {"all_pairs", "same_sex", "multi3"}
    assert set(result.by_list) == {"same_sex", "multi3"}
    for rows in result.by_list.values():
        assert set(rows) == {"cos", "best"}
    full = evaluate_vector(codes("noisy"), evaluation_of(protocol="full"), tmp_path)
    assert full.metrics == result.metrics
    for name, rows in full.by_list.items():
        assert set(rows) == BACKENDS | {"best"}
        assert {key: rows[key] for key in ("cos", "best")} == result.by_list[name]
    assert len(list(tmp_path.glob("*.tsv"))) == len(BACKENDS)


def test_several_enrolled_utterances_lower_the_eer_and_one_sex_raises_it(tmp_path):
    sizes = {"train": (20, 6), "dev": (10, 6), "test": (24, 8)}
    result = evaluate_vector(codes("noisy", sizes), evaluation_of(sizes=sizes), tmp_path)
    # The sex of these voices is only a name, so same_sex is as hard as all pairs.
    alone = result.metrics["cos"]["eer"]
    assert result.by_list["multi3"]["cos"]["eer"] < alone
    assert result.by_list["same_sex"]["cos"]["eer"] == pytest.approx(alone, abs=0.02)


def test_dev_without_trials_leaves_what_needs_no_choice(tmp_path):
    sizes = {**SIZES, "dev": (4, 1)}
    evaluation = evaluation_of(sizes=sizes)
    result = evaluate_vector(codes("noisy", sizes), evaluation, tmp_path)
    assert "got 0 target and 6 non-target" in evaluation.absent["dev"]
    assert set(result.metrics) == {"cos", "cos_c", "cos_asn", "lda2", "lda3"}
    assert set(result.absent) == {"mu2.lda", "mu2.plda", "mu2.plda_asn", "mu2.best"}
    for row in result.metrics.values():
        assert not {"cllr", "actdcf_p01", "dev_eer"} & set(row)
    assert set(result.left_out) == {"cos"}


def test_a_zero_vector_makes_its_rows_absent_and_names_the_utterance(tmp_path):
    task = codes("noisy")
    task.test.values[3] = 0
    result = evaluate_vector(task, evaluation_of(), tmp_path)
    assert {"mu2.cos", "mu2.cos_asn"} == set(result.absent)
    assert "test00_03" in result.absent["mu2.cos"]
    assert "best" in result.metrics  # seen from the train mean it has a direction


def test_curves_are_followed_for_the_vectors_of_the_plot(noisy):
    _, result, _ = noisy
    assert set(result.curves) == {"cos", "best"}
    points = result.curves["cos"].points
    assert float(equal_error_rate(points)) == result.metrics["cos"]["eer"]
    assert (result.curves["cos"].band.low <= result.curves["cos"].band.high).all()


def test_a_list_that_cannot_lose_a_speaker_has_no_interval_and_says_why(tmp_path):
    sizes = {**SIZES, "test": (2, 3)}
    evaluation = evaluation_of(sizes=sizes)
    assert "when any speaker is left out" in evaluation.absent["intervals"]
    assert (
        "eer_low" not in evaluate_vector(codes("noisy", sizes), evaluation, tmp_path).metrics["cos"]
    )


def test_speakers_behind_the_errors_by_hand():
    # Targets of a, b, c: 5, 1, 2; non-targets 3. FNR reaches FPR at the threshold 5 (2/3, 0).
    trials = pairs_of([f"u{place}" for place in range(1, 7)], list("aabbcc"))
    scores = np.where(trials.is_target, np.array([5.0, 1.0, 2.0])[trials.enrol_speakers], 3.0)
    ranked = rank_trials(scores, trials.is_target)
    found = error_rates(trials, ranked, np.empty(0), (0.05,))
    assert (found["n_err_eer"], found["speakers_err_eer"], found["rule_of_30"]) == (2, 2, 0)
    assert "eer_low" not in found


@pytest.mark.parametrize("key", ["lda_dimensions", "priors"])
@pytest.mark.parametrize("values", [(), (12, 12)])
def test_lists_that_cannot_be_rows_are_refused(key, values):
    with pytest.raises(ParamsError, match=f"{key} must list different"):
        replace(PARAMS, **{key: values}).check()


@pytest.mark.parametrize(("prior", "name"), [(0.01, "p01"), (0.5, "p5"), (0.001, "p001")])
def test_costs_are_those_of_the_priors_asked_for(tmp_path, prior, name):
    evaluation = evaluation_of(params=replace(PARAMS, priors=(prior,)))
    row = evaluate_vector(codes("noisy"), evaluation, tmp_path).metrics["cos"]
    costs = {key for key in row if "dcf" in key}
    assert costs == {f"mindcf_{name}", f"actdcf_{name}"}
    read = read_scores(tmp_path / "mu2.cos.tsv")
    curve = det_points(read.scores, read.is_target)
    assert row[f"mindcf_{name}"] == minimum_detection_cost(curve, prior)
