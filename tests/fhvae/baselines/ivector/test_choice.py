"""Which extractor is the baseline: the lowest EER on dev, among all and for each detector."""

import numpy as np
import pytest

from fhvae.baselines.ivector.choice import (
    Tried,
    best,
    best_by_detector,
    best_supervised,
    choice_metrics,
)
from fhvae.baselines.ivector.extractor import Mixture
from fhvae.baselines.ivector.total_variability import TotalVariability, Trained
from fhvae.baselines.ivector.ubm import FittedUbm, Ubm
from fhvae.errors import ParamsError
from fhvae.features.normalize import Normalizer
from fhvae.params.ivector import FrontEnd
from tests.params_factory import ivector_params

FEATURES = 4


def tried(vad_db, error, gaussians=3, rank=2, normalization="corpus", supervised=None):
    """An extractor of known sizes that dev judged so."""
    shape = (gaussians, FEATURES)
    ubm = Ubm(np.ones(gaussians) / gaussians, np.zeros(shape), np.ones(shape))
    mixture = Mixture(
        Normalizer(np.zeros(FEATURES), np.ones(FEATURES)), FittedUbm(ubm, 50, 7, True)
    )
    model = TotalVariability(np.zeros(shape), np.zeros((*shape, rank)), np.ones(shape))
    learned = Trained(model, (-0.5, 1.0, 1.5, 2.0))
    return Tried(FrontEnd(vad_db, normalization), mixture, learned, error, supervised)


@pytest.mark.parametrize(
    ("errors", "place"),
    [([0.3, 0.1, 0.2], 1), ([0.2, 0.2], 0), ([None, None], 0), ([None, 0.4], 1)],
)
def test_the_one_of_the_lowest_error_is_taken(errors, place):
    every = [tried(30.0, error) for error in errors]
    assert best(every) is every[place]


def test_the_one_whose_back_end_errs_least_is_kept_too_and_0_is_an_answer():
    every = [tried(30.0, 0.1, supervised=0.3), tried(30.0, 0.2, supervised=0.0), tried(30.0, 0.3)]
    assert best_supervised(every) is every[1]
    assert choice_metrics(every)["supervised"]["dev_eer_supervised"] == 0.0
    assert best_supervised(every[2:]) is every[2]


def test_each_detector_has_a_best_and_dev_chooses_among_all():
    every = [
        tried(30.0, 0.2, rank=5),
        tried(30.0, 0.15, gaussians=6),
        tried(300.0, 0.1, rank=5),
        tried(300.0, 0.3),
    ]
    assert best_by_detector(every) == {"vad30": every[1], "vad300": every[2]}
    found = choice_metrics(every)
    expected = {"vad_db": 300.0, "normalization": "corpus", "gaussians": 3, "rank": 5}
    assert found["chosen"] == {**expected, "dev_eer": 0.1}
    assert found["by_detector"]["vad300"] == found["chosen"]
    rows = found["tried"]["vad30"]["corpus"]
    assert rows["gaussians_6"]["rank_2"]["dev_eer"] == 0.15
    assert rows["gaussians_3"]["rank_5"]["gain_over_ubm"] == {
        "start": -0.5,
        "iteration_01": 1.0,
        "iteration_02": 1.5,
        "minimum_divergence": 2.0,
    }


def test_without_an_answer_of_dev_there_is_no_error_in_the_metrics():
    assert "dev_eer" not in choice_metrics([tried(30.0, None)])["chosen"]


def test_front_ends_are_all_pairs_and_a_detector_has_a_name_without_a_dot():
    params = ivector_params(vad_db=(22.5, 300.0), normalization=("corpus", "mean"))
    assert [(one.detector, one.normalization) for one in params.front_ends] == [
        ("vad22_5", "corpus"),
        ("vad22_5", "mean"),
        ("vad300", "corpus"),
        ("vad300", "mean"),
    ]


@pytest.mark.parametrize("key", ["vad_db", "normalization", "gaussians", "ranks"])
@pytest.mark.parametrize("values", [(), (7, 7)])
def test_an_empty_list_and_one_that_repeats_are_refused(key, values):
    with pytest.raises(ParamsError, match=rf"ivector.{key} must list different values, one at"):
        ivector_params(**{key: values}).check()
