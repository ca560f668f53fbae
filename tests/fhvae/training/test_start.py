"""A training that starts from a model: its weights go on, and only what fits is taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fhvae.errors import ParamsError
from fhvae.features.normalize import Normalizer, write_normalizer
from fhvae.model.network import FHVAE
from fhvae.model.weights import write_model
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.training.checkpoint import Checkpoint, course_of_run
from fhvae.training.loop import Trainer
from fhvae.training.start import Start, read_start
from tests.params_factory import MELS, fbank_params, model_params

SEGMENTS = SegmentsParams(frames=5, train_shift=3, shift=4)


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint({"name": "run"}, tmp_path)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(3)
    network = FHVAE(MELS, SEGMENTS.frames, model_params())
    write_normalizer(tmp_path / "n.json", Normalizer(np.zeros(MELS), np.ones(MELS)))
    parts = (network.state_dict(), network.params, SEGMENTS, fbank_params(), tmp_path / "n.json")
    write_model(tmp_path / "model", *parts)
    return tmp_path / "model"


def start_of(folder, **changes) -> Start:
    parts = {"model": model_params(), "segments": SEGMENTS, "fbank": fbank_params(), **changes}
    return read_start(str(folder), **parts)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_without_learning_a_model_stays_what_it_is(
    setting, train_sequences, dev_data, checkpoint, folder, average
):
    start = start_of(folder)
    run = setting(learning_rate=0.0, average=average)
    trained = Trainer(run, train_sequences, dev_data, checkpoint, start=start.weights).run()
    for name, value in start.weights.items():
        assert torch.allclose(trained.weights[name], value, atol=1e-6), name


def test_it_goes_on_from_there_and_not_from_drawn_weights(
    setting, train_sequences, dev_data, checkpoint, folder
):
    start = start_of(folder)
    parts = (setting(learning_rate=1e-6), train_sequences, dev_data, checkpoint)
    near, far = Trainer(*parts, start=start.weights), Trainer(*parts)
    for run in (near, far):
        run.train_step()
    name = next(iter(start.weights))
    wanted = start.weights[name]
    assert 0 < (near.learner.network.state_dict()[name] - wanted).abs().max() < 1e-4
    assert (far.learner.network.state_dict()[name] - wanted).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": model_params(z1=4)}, r"model\.z1 is 3 there and 4 here"),
        ({"model": model_params(cell="gru")}, r"model\.cell is lstm there and gru here"),
        ({"fbank": fbank_params(hop_ms=12.0)}, r"fbank\.hop_ms is 10\.0 there and 12\.0 here"),
    ],
)
def test_what_does_not_fit_is_refused(folder, changes, message):
    with pytest.raises(ParamsError, match=message):
        start_of(folder, **changes)


def test_what_no_weight_depends_on_may_differ(folder):
    longer = replace(SEGMENTS, frames=9)
    found = start_of(folder, model=model_params(z2_std=0.4), segments=longer)
    assert found.digest == start_of(folder).digest


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(ParamsError, match=r"training\.from must name a model folder, .* is none"):
        start_of(tmp_path)


def test_no_folder_no_start():
    assert read_start(None, model_params(), SEGMENTS, fbank_params()) == Start()


def test_the_course_knows_the_weights_and_not_their_place(setting):
    run = setting()
    device = torch.device("cpu")

    def course(from_, start):
        training: TrainingParams = replace(run.training, from_=from_)
        sections = (run.segments, run.model, training)
        return course_of_run(run.alpha, run.seed, *sections, [], device, start)

    assert course("a", "1") == course("b", "1") != course("a", "2")
    assert course(None, None) != course("a", "1")
