"""One vector with all back-ends: perfect and random codes, conditions, files, what is absent."""

import numpy as np
import pytest

from fhvae.params.verification import VerificationParams
from fhvae.trials.cosine import Vectors
from fhvae.trials.error_rates import eer
from fhvae.verification.comparison import VectorResult, evaluate_vector
from fhvae.verification.conditions import labels_of
from fhvae.verification.detection_cost import min_dcf
from fhvae.verification.plan import Plan, make_plan
from fhvae.verification.trials import read_scores
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

SIZES = {"train": (8, 4), "dev": (6, 4), "test": (7, 5)}
PARAMS = VerificationParams(lda_dimensions=(2, 3), most_trials=10**6, bootstrap=40)
BACKENDS = {"cos", "cos_c", "cos_asn", "lda2", "lda3", "lda", "plda", "plda_asn"}
METRICS = {
    *("eer", "eer_low", "eer_high", "eer_legacy", "eer_rocch", "dev_eer"),
    *("eer_jackknife_low", "eer_jackknife_high", "n_err_eer", "rule_of_30"),
    *("mindcf_p01", "mindcf_p05", "actdcf_p01", "actdcf_p05", "cllr", "cllr_min"),
}


def codes(kind, sizes=SIZES):
    """Vectors of all splits: `perfect` ones are the speaker's, others are noise, or both."""
    noise = {"perfect": 0.01, "noisy": 0.8, "random": 1.0}[kind]
    vectors, labels = {}, {}
    for place, (split, (speakers, each)) in enumerate(sizes.items()):
        random = np.random.default_rng([len(kind), place])
        utterances = make_utterances(split, speakers, each)
        owner = np.repeat(np.arange(speakers), each)
        values = noise * random.normal(size=(len(owner), 5))
        if kind != "random":
            values += 2 * random.normal(size=(speakers, 5))[owner]
        labels[split] = labels_of([item.utterance_id for item in utterances], utterances)
        vectors[split] = {"mu2": Vectors(labels[split].utterance_ids, values)}
    return vectors, labels


def plan_of(kind, protocol="headline", sizes=SIZES) -> Plan:
    return make_plan(*codes(kind, sizes), PARAMS, protocol, seed=0)


def evaluated(plan, folder) -> VectorResult:
    return evaluate_vector(plan.tasks[0], plan.setting, folder)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    plan, folder = plan_of("noisy"), tmp_path_factory.mktemp("noisy")
    return plan, evaluated(plan, folder), folder


def test_every_back_end_has_every_metric(noisy):
    _, result, _ = noisy
    assert set(result.metrics) == BACKENDS | {"best"}
    for name in BACKENDS:
        expected = METRICS | ({"dimensions"} if "lda" in name else set())
        assert set(result.metrics[name]) == expected
    assert result.absent == {}


def test_metrics_keep_their_order(noisy):
    for row in noisy[1].metrics.values():
        assert row["eer_low"] <= row["eer_high"]
        assert row["eer_jackknife_low"] <= row["eer"] <= row["eer_jackknife_high"]
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
    low = np.quantile(noisy[1].draws["best"], 0.025)
    assert low == pytest.approx(metrics[name]["eer_low"], abs=1e-12)


def test_perfect_codes_have_no_error(tmp_path):
    """AS-norm apart: z-scores by a cohort of eight move a speaker's scores as they like."""
    result = evaluated(plan_of("perfect"), tmp_path)
    for name in ("cos", "cos_c", "lda2", "lda3", "lda", "plda", "best"):
        row = result.metrics[name]
        assert (row["eer"], row["eer_low"], row["eer_high"]) == (0, 0, 0), name
        assert (row["mindcf_p01"], row["cllr_min"]) == (0, 0)
        assert (row["n_err_eer"], row["rule_of_30"]) == (0, 0)
    assert result.metrics["plda"]["cllr"] < 0.05


def test_random_codes_are_at_chance(tmp_path):
    sizes = {"train": (20, 6), "dev": (10, 6), "test": (20, 8)}
    result = evaluated(plan_of("random", sizes=sizes), tmp_path)
    for name in ("cos", "lda", "plda", "best"):
        row = result.metrics[name]
        assert row["eer_low"] - 0.02 <= 0.5 <= row["eer_high"] + 0.02, name
        assert row["mindcf_p01"] > 0.9
        assert row["cllr_min"] > 0.9
    cosine = result.metrics["cos"]
    assert cosine["eer_low"] <= 0.5 <= cosine["eer_high"]


def test_score_files_give_the_metrics_back(noisy):
    plan, result, folder = noisy
    best = result.metrics["best"]["backend"]
    names = {path.name for path in folder.glob("*.tsv")}
    assert names == {path.name for path in (folder / "dev").glob("*.tsv")}
    assert names == {"mu2.cos.tsv", f"mu2.{best}.tsv"}
    for backend in ("cos", best):
        row = result.metrics[backend]
        read = read_scores(folder / f"mu2.{backend}.tsv")
        assert eer(read.scores, read.is_target) == row["eer"]
        assert min_dcf(read.scores, read.is_target, 0.05) == row["mindcf_p05"]
        dev = read_scores(folder / "dev" / f"mu2.{backend}.tsv")
        assert eer(dev.scores, dev.is_target) == row["dev_eer"]
        assert len(dev.scores) == len(plan.tasks[0].dev.trials)


def test_headline_scores_conditions_with_two_rows_and_full_with_all(noisy, tmp_path):
    plan, result, _ = noisy
    assert set(plan.setting.lists) == {"all_pairs", "same_sex", "multi3"}
    assert set(result.conditions) == {"same_sex", "multi3"}
    for rows in result.conditions.values():
        assert set(rows) == {"cos", "best"}
    full = evaluated(plan_of("noisy", protocol="full"), tmp_path)
    assert full.metrics == result.metrics
    for name, rows in full.conditions.items():
        assert set(rows) == BACKENDS | {"best"}
        assert {key: rows[key] for key in ("cos", "best")} == result.conditions[name]
    assert len(list(tmp_path.glob("*.tsv"))) == len(BACKENDS)


def test_several_enrolled_utterances_lower_the_eer_and_one_sex_raises_it(tmp_path):
    sizes = {"train": (20, 6), "dev": (10, 6), "test": (24, 8)}
    result = evaluated(plan_of("noisy", sizes=sizes), tmp_path)
    # The sex of these voices is only a name, so same_sex is as hard as all pairs.
    alone = result.metrics["cos"]["eer"]
    assert result.conditions["multi3"]["cos"]["eer"] < alone
    assert result.conditions["same_sex"]["cos"]["eer"] == pytest.approx(alone, abs=0.02)


def test_dev_without_trials_leaves_what_needs_no_choice(tmp_path):
    plan = plan_of("noisy", sizes={**SIZES, "dev": (4, 1)})
    result = evaluated(plan, tmp_path)
    assert "got 0 target and 6 non-target" in plan.absent["dev"]
    assert set(result.metrics) == {"cos", "cos_c", "cos_asn", "lda2", "lda3"}
    assert set(result.absent) == {"mu2.lda", "mu2.plda", "mu2.plda_asn", "mu2.best"}
    for row in result.metrics.values():
        assert not {"cllr", "actdcf_p01", "dev_eer"} & set(row)
    assert set(result.draws) == {"cos"}


def test_a_zero_vector_makes_its_rows_absent_and_names_the_utterance(tmp_path):
    plan = plan_of("noisy")
    plan.tasks[0].test.values[3] = 0
    result = evaluated(plan, tmp_path)
    assert {"mu2.cos", "mu2.cos_asn"} == set(result.absent)
    assert "test00_03" in result.absent["mu2.cos"]
    assert "best" in result.metrics  # seen from the train mean it has a direction


def test_curves_are_followed_for_the_vectors_of_the_plot(noisy):
    _, result, _ = noisy
    assert set(result.curves) == {"cos", "best"}
    assert result.curves["cos"].eer == result.metrics["cos"]["eer"]
    assert (result.curves["cos"].band.low <= result.curves["cos"].band.high).all()


def test_few_speakers_get_a_jackknife_and_many_do_not(tmp_path):
    assert plan_of("noisy").setting.jackknife
    many = plan_of("noisy", sizes={**SIZES, "test": (20, 2)})
    assert not many.setting.jackknife
    lost = plan_of("noisy", sizes={**SIZES, "test": (2, 3)})
    assert not lost.setting.jackknife
    assert "whoever is left out" in lost.absent["eer_jackknife"]
