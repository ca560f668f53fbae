"""mu2 as a step of a scikit-learn pipeline."""

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import fhvae
from tests.fhvae.test_pretrained import files, folder, model  # noqa: F401  (fixtures)


def test_it_is_a_transformer_like_others(folder, model, files):  # noqa: F811
    step = fhvae.Mu2Transformer(model=folder / "model")
    assert step.get_params() == {"model": folder / "model", "rate": None}
    assert clone(step).set_params(rate=8000).rate == 8000
    assert np.array_equal(step.fit_transform(files), model.embed(files))
    assert step.get_feature_names_out().tolist() == ["mu2_0", "mu2_1"]


def test_it_stands_in_a_pipeline(folder, files):  # noqa: F811
    speakers = [path.stem.split("-")[0] for path in files]
    pipeline = make_pipeline(fhvae.Mu2Transformer(folder / "model"), LogisticRegression(C=1e6))
    assert pipeline.fit(files, speakers).score(files, speakers) == 1.0
