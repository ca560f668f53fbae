"""A size at which a benchmark takes no time."""

import dataclasses

import pytest

from benchmarks.sizes import sizes
from fhvae.params.model import ModelParams
from fhvae.params.whole import Params


@pytest.fixture
def tiny() -> Params:
    default = sizes()["default"]
    return dataclasses.replace(
        default,
        model=ModelParams(
            cell="lstm", layers=1, cells=6, z1=3, z2=2, z1_std=1.0, z2_std=0.5, mu2_std=1.0
        ),
        training=dataclasses.replace(default.training, batch=8),
        segments=dataclasses.replace(default.segments, frames=5, train_shift=2, shift=5),
    )
