"""The stages recognize_baselines and recognize, whole, on made-up frames with known phones."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fhvae.baselines.pca import PCA_FILE, fit_pca, write_pca
from fhvae.files.atomic import write_json
from fhvae.files.packed import PackedWriter, read_packed
from fhvae.model.network import new_network
from fhvae.model.weights import write_model
from fhvae.params.whole import load_params
from stages.recognize import main as recognize
from stages.recognize_baselines import main as recognize_baselines
from tests.latent_factory import MELS, write_fake_run
from tests.stages.stage_runner import PARAMS, each_number_of_workers, inside, run_stage, written
from tests.tiny import set_params

SPEAKERS = {"train": 4, "dev": 2, "test": 8}
SMALL = {
    "shift": 2, "cells": 8, "steps": 12, "looks": 2, "batch": 4, "speaker_shares": [0.5],
    "learning_rates": [0.01, 0.03], "latent_inputs": ["z1", "untrained"],
}  # fmt: skip


CHANGES = {
    **{f"recognition.headline.{name}": value for name, value in SMALL.items()},
    **{"segments.frames": 6, "fbank.mels": MELS},
    **{"model.cells": 5, "model.z1": 3, "model.z2": 4},
}


def write_domain(source: Path, target: Path, noise: float) -> None:
    random = np.random.default_rng(0)
    with PackedWriter(target, "float32", (MELS,)) as writer:
        for name, rows in read_packed(source).items():
            writer.append(name, rows + noise * random.normal(size=rows.shape))


def write_inputs(folder: Path, with_phones: bool = True) -> None:
    """Write what the stages before leave: frames of all domains, PCA, two models."""
    write_fake_run(folder, SPEAKERS, each=3, with_phones=with_phones)
    for split in ("train", "dev"):
        write_domain(folder / "fbank" / split, folder / "train_domains" / "noise10" / split, 0.5)
    for domain in ("noise10", "room"):
        write_domain(folder / "fbank" / "test", folder / "test_domains" / domain / "test", 0.5)
    shutil.copy(PARAMS, folder)
    set_params(folder / "params.yaml", CHANGES)
    params = load_params(folder / "params.yaml")
    sizes = params.segments.frames, 2, params.model.z1
    pca = fit_pca(read_packed(folder / "fbank" / "train"), *sizes, np.random.default_rng(1))
    write_pca(folder / "pca" / PCA_FILE, pca)
    write_json(folder / "normalizer.json", {"mean": [0] * MELS, "std": [1] * MELS})
    for seed, name in enumerate(("model", "untrained")):
        network = new_network(MELS, params.segments.frames, params.model, seed)
        arguments = (network.state_dict(), params.model, params.segments, params.fbank)
        write_model(folder / name, *arguments, folder / "normalizer.json")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_inputs(folder)
    return folder


def run_both(inputs: Path, out: Path, workers: str = "1") -> tuple[dict, dict]:
    """Run the two stages one after the other; give their metrics."""
    common = inside(inputs, "corpus", "fbank")
    common |= {f"{kind}-domains": inputs / f"{kind}_domains" for kind in ("train", "test")}
    of_baselines = {"pca": inputs / "pca", "edits": out / "baselines"}
    baselines = run_stage(recognize_baselines, common | of_baselines, out, (), CHANGES, workers)
    own = {
        "model": inputs / "model",
        "untrained": inputs / "untrained",
        "baselines": out / "baselines",
    }
    return baselines, run_stage(recognize, common | own, out, ("edits",), CHANGES, workers)


@pytest.fixture(scope="module")
def once(inputs, tmp_path_factory):
    """Metrics of both stages, and their folder."""
    out = tmp_path_factory.mktemp("once") / "out"
    return (*run_both(inputs, out), out)


def test_all_cells_are_there_and_their_parts_add_up(once):
    baselines, own, _ = once
    assert set(baselines["per"]) == {"fbank", "stacked", "pca"}
    assert set(own["per"]) == {"z1", "untrained"}
    sides = ["clean", "female", "few50", "male"]
    assert sorted(own["per"]["z1"]) == sorted(baselines["per"]["pca"]) == sides
    assert sorted(baselines["per"]["fbank"]) == [*sides, "noise10"]
    tests = ["clean", "female", "male", "noise10", "room"]
    for one in (*baselines["per"].values(), *own["per"].values()):
        for cells in one.values():
            assert sorted(cells) == tests
            for name in ("clean", "noise10", "room"):
                assert cells[name]["per_low"] <= cells[name]["per"] <= cells[name]["per_high"]
            assert not {"per_low", "per_high"} & {*cells["male"], *cells["female"]}
            for cell in cells.values():
                parts = cell["substitutions"] + cell["deletions"] + cell["insertions"]
                assert parts == pytest.approx(cell["per"], abs=2e-6)
    assert sorted(own["gap"]["z1"]) == sides
    assert own["training"]["z1"]["male"]["learning_rate"] in SMALL["learning_rates"]
    assert own["corpus"]["test_speakers"]["female"] == 4
    assert "there are 4" in own["absent"]["intervals.female"]
    assert "there are 4" in own["absent"]["gap.z1.male.female.recovered"]
    assert "recovered" not in own["gap"]["z1"]["male"]["female"]
    assert not {"intervals.clean", "intervals.room"} & set(own["absent"])
    assert own["fhvae_saw"] == "clean"


def test_gaps_are_those_of_the_cells_in_the_metrics(once):
    baselines, own, _ = once
    fbank, z1 = baselines["per"]["fbank"], own["per"]["z1"]
    for train, test, topline in (
        ("male", "female", "female"), ("clean", "noise10", "noise10"), ("few50", "clean", "clean"),
    ):  # fmt: skip
        gap = own["gap"]["z1"][train][test]
        cost = fbank[train][test]["per"] - fbank[topline][test]["per"]
        gain = fbank[train][test]["per"] - z1[train][test]["per"]
        assert gap["cost"] == pytest.approx(cost, abs=2e-6)
        assert gap["gain"] == pytest.approx(gain, abs=2e-6)
        assert ("recovered" in gap) == bool(gap["defined"])
        name = f"gap.z1.{train}.{test}.recovered"
        assert (name in own["absent"]) == (not gap["defined"])


@pytest.mark.slow
@each_number_of_workers
def test_a_second_run_writes_the_same_bytes(once, inputs, tmp_path, workers):
    run_both(inputs, tmp_path / "again", workers)
    assert written(tmp_path / "again") == written(once[2])


def test_a_corpus_without_transcripts(tmp_path):
    write_inputs(tmp_path / "run", with_phones=False)
    baselines, own = run_both(tmp_path / "run", tmp_path / "out")
    for metrics in (baselines, own):
        assert "per" not in metrics
        assert "gap" not in metrics
        assert metrics["absent"]["per"].startswith("no utterance of train, dev, test has")
        assert metrics["corpus"]["left_out"]["test"]["without_transcript"] == 24
    assert len((tmp_path / "out" / "edits" / "utterances.csv").read_text().splitlines()) == 1
