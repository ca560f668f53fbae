"""mu2 as a step of a scikit-learn pipeline: recordings in, `[recording, z2]` out.

    make_pipeline(fhvae.Mu2Transformer(), LogisticRegression()).fit(paths, labels)

It follows scikit-learn's conventions (parameters by name, `get_params`, `clone`) without importing
the library, which is an extra.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from fhvae.pretrained import Source, load


def _base() -> tuple[type, ...]:
    """Take scikit-learn's base classes where it is installed."""
    try:
        from sklearn.base import BaseEstimator, TransformerMixin
    except ModuleNotFoundError:
        return (object,)
    return (TransformerMixin, BaseEstimator)


class Mu2Transformer(*_base()):  # type: ignore[misc]  # bases are known when it runs
    """Infer mu2 of recordings; nothing is fitted.

    Args:
        model: folder of a model; None: the one that comes with the package.
        rate: of samples in Hz, where recordings are no paths.
    """

    def __init__(self, model: str | Path | None = None, rate: int | None = None) -> None:
        self.model = model
        self.rate = rate

    def fit(self, recordings: Sequence[Source], labels: Any = None) -> Self:
        """Load the model."""
        self.model_ = load(self.model)
        return self

    def transform(self, recordings: Sequence[Source]) -> np.ndarray:
        """Infer mu2, `[recording, z2]` float32."""
        known = getattr(self, "model_", None) or load(self.model)
        return np.asarray(known.embed(list(recordings), self.rate))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def get_feature_names_out(self, names: Any = None) -> np.ndarray:
        """Name the columns: mu2_0, mu2_1, ..."""
        known = getattr(self, "model_", None) or load(self.model)
        return np.array([f"mu2_{place}" for place in range(known.dimensions)], dtype=object)
