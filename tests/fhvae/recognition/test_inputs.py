"""Where frames of a condition lie; standardization; what is missing or broken."""

import numpy as np
import pytest

from fhvae.artifacts import PackedWriter
from fhvae.controls.pca import Pca
from fhvae.errors import ArtifactError
from fhvae.recognition.inputs import FramePaths, Input, frame_inputs, measure_scale
from fhvae.recognition.rows import all_dimensions


def write(stem, values):
    with PackedWriter(stem, "float32", next(iter(values.values())).shape[1:]) as writer:
        for name, rows in values.items():
            writer.append(name, rows)


@pytest.fixture
def paths(tmp_path):
    found = FramePaths(tmp_path / "fbank", tmp_path / "train", tmp_path / "test")
    random = np.random.default_rng(0)
    for stem in (found.clean / "train", found.train_domains / "noise10" / "train"):
        write(stem, {"a": random.normal(3, 2, (5, 4)), "b": random.normal(size=(9, 4))})
    for domain in ("noise0", "noise10", "noise20", "room"):
        write(found.test_domains / domain / "test", {"c": np.ones((3, 4))})
    return found


def test_each_condition_has_its_file(paths):
    assert paths.stem("clean", "test") == paths.clean / "test"
    assert paths.stem("room", "test") == paths.test_domains / "room" / "test"
    assert paths.stem("room", "dev") == paths.train_domains / "room" / "dev"


def test_domains_are_listed_from_little_noise_to_much(paths):
    assert paths.domains("test") == ["noise20", "noise10", "noise0", "room"]
    assert paths.domains("train") == ["noise10"]


def test_a_missing_folder_of_domains_names_the_stage_to_run(tmp_path):
    with pytest.raises(ArtifactError, match="must exist; rerun the stage domains"):
        FramePaths(tmp_path, tmp_path / "no", tmp_path / "no").domains("train")


def test_train_rows_have_mean_0_and_deviation_1_after_scaling(paths):
    reader = Input("fbank", paths, all_dimensions).open("clean", "train")
    scale = measure_scale(reader, ["a", "b"])
    scaled = scale.apply(np.concatenate([reader.rows("a"), reader.rows("b")]))
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-5)
    assert scaled.std(axis=0) == pytest.approx(np.ones(4), abs=1e-5)
    assert reader.length("b") == 9


def test_a_constant_dimension_is_centred_and_not_blown_up(paths):
    reader = Input("fbank", paths, all_dimensions).open("room", "test")
    assert measure_scale(reader, ["c"]).apply(reader.rows("c")).tolist() == [[0.0] * 4] * 3


def test_an_utterance_that_is_missing_is_named(paths):
    with pytest.raises(ArtifactError, match="utterance zz must be in every domain"):
        Input("fbank", paths, all_dimensions).open("clean", "train").rows("zz")


def test_an_utterance_with_nan_is_named(paths):
    write(paths.clean / "dev", {"bad": np.full((2, 4), np.nan)})
    with pytest.raises(ArtifactError, match="rows of utterance bad must be finite"):
        Input("fbank", paths, all_dimensions).open("clean", "dev").rows("bad")


def test_inputs_without_a_model_have_equally_many_rows(paths):
    pca = Pca(np.zeros(20, np.float32), np.eye(20, 3, dtype=np.float32))
    inputs = frame_inputs(paths, pca, window=5, shift=2)
    shapes = {one.name: one.open("clean", "train").rows("b").shape for one in inputs}
    assert shapes == {"fbank": (5, 8), "stacked": (5, 20), "pca": (5, 3)}


def test_a_pca_of_other_segments_is_refused(paths):
    pca = Pca(np.zeros(24, np.float32), np.eye(24, 3, dtype=np.float32))
    with pytest.raises(ArtifactError, match="segments of 5 frames and 4 mel bands, it has 24"):
        frame_inputs(paths, pca, window=5, shift=2)
