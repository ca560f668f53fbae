"""The plan of the stage: named streams, lists with their draws, params that cannot be used."""

import hashlib

import numpy as np
import pytest

from fhvae.errors import ParamsError, TrialError
from fhvae.params.verification import VerificationParams
from fhvae.params.whole import load_params
from fhvae.trials.cosine import Vectors
from fhvae.verification.conditions import labels_of
from fhvae.verification.plan import make_plan, write_lists
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

PARAMS = VerificationParams(lda_dimensions=(2,), most_trials=10**6, bootstrap=30)


def plan(seed=0, params=PARAMS, test=(4, 4)):
    vectors, labels = {}, {}
    for split, (speakers, each) in {"train": (4, 2), "dev": (2, 3), "test": test}.items():
        utterances = make_utterances(split, speakers, each)
        ids = [item.utterance_id for item in utterances]
        labels[split] = labels_of(ids, utterances)
        vectors[split] = {"mu2": Vectors(tuple(ids), np.ones((len(ids), 2)))}
    return make_plan(vectors, labels, params, "headline", seed)


def test_each_list_has_draws_of_its_own():
    setting = plan().setting
    assert set(setting.lists) == set(setting.draws) == {"all_pairs", "same_sex", "multi3"}
    for name, draws in setting.draws.items():
        assert draws.counts.shape == (30, len(setting.lists[name].trials.speaker_names))
    assert (setting.draws["all_pairs"].counts != setting.draws["multi3"].counts).any()


def test_the_seed_of_the_run_decides_the_draws():
    first, again, other = (plan(seed).setting.draws["all_pairs"].counts for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_list_beyond_the_limit_is_sampled():
    few = VerificationParams(lda_dimensions=(2,), most_trials=100, bootstrap=30)
    setting = plan(params=few).setting
    assert len(setting.trials) == 100
    assert int(setting.trials.is_target.sum()) == 4 * 6


def test_a_test_split_without_targets_stops_the_plan():
    with pytest.raises(TrialError, match="got 0 target and 3 non-target"):
        plan(test=(3, 1))


def test_lists_are_written_with_their_hashes(tmp_path):
    setting = plan().setting
    hashes = write_lists(tmp_path, setting)
    assert set(hashes) == set(setting.lists)
    for name, digest in hashes.items():
        content = (tmp_path / "trials" / f"{name}.tsv").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert content.count(b"\n") == len(setting.lists[name].trials) + 1
    assert (
        "test00_00+test00_01+test00_02\ttest00_03\ttarget"
        in (tmp_path / "trials" / "multi3.tsv").read_text()
    )


@pytest.mark.parametrize("dimensions", [(), (12, 12)])
def test_dimensions_that_cannot_be_rows_are_refused(dimensions):
    params = VerificationParams(lda_dimensions=dimensions, most_trials=100, bootstrap=30)
    with pytest.raises(ParamsError, match="lda_dimensions must list different"):
        params.check()


def test_the_shipped_params_ask_for_the_rows_of_the_protocol():
    params = load_params().verification
    assert params.lda_dimensions == (12, 24)
    assert params.most_trials == 2_000_000
