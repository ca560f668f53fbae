"""A size at which a benchmark takes no time."""

import dataclasses

import pytest

from benchmarks.sizes import sizes
from fhvae.params.whole import Params
from tests.params_factory import model_params


@pytest.fixture
def tiny() -> Params:
    default = sizes()["default"]
    return dataclasses.replace(
        default,
        model=model_params(),
        training=dataclasses.replace(default.training, batch=8),
        segments=dataclasses.replace(default.segments, frames=5, train_shift=2, shift=5),
    )
