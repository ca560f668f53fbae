"""The stage figures: the committed metrics and tables with made-up latents, drawn twice."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from fhvae.errors import ArtifactError
from fhvae.trials import pairs_of
from fhvae.verification.scores import write_scores
from stages.figures import main
from tests.latent_factory import write_fake_run
from tests.probe_factory import EACH, SPEAKERS, write_network
from tests.stages.stage_runner import PARAMS, written
from tests.tiny import ROOT

pytestmark = pytest.mark.slow
TABLES = ("det.csv", "det_bands.csv", "learning_curve.csv")


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, each=EACH)
    write_network(folder / "model", seed=1)
    trials = pairs_of(["a", "b", "c", "d"], ["x", "x", "y", "y"])
    for system in pd.read_csv(ROOT / "plots/det.csv")["system"].unique():
        scores = np.array([0.9, 0.2, 0.3, 0.1, 0.4, 0.8])
        write_scores(folder / "scores" / f"{system}.tsv", trials, scores)
    return folder


def draw(monkeypatch, inputs, out):
    out.mkdir()
    shutil.copytree(ROOT / "metrics", out / "metrics")
    (out / "plots").mkdir()
    for name in TABLES:
        shutil.copy(ROOT / "plots" / name, out / "plots")
    values = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    values["latents"]["tsne_points"] = 50
    (out / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    paths = {name: inputs / name for name in ("corpus", "fbank", "model", "latents", "scores")}
    paths |= {name: out / name for name in ("metrics", "plots", "drawn")}
    arguments = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    monkeypatch.setattr("sys.argv", ["figures", *arguments])
    monkeypatch.chdir(out)
    main()


def test_every_figure_of_dvc_yaml_is_drawn_alike_twice(monkeypatch, fake_run, tmp_path):
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["figures"]
    wanted = {next(iter(item)).removeprefix("plots/") for item in stage["plots"]}
    for name in ("once", "again"):
        draw(monkeypatch, fake_run, tmp_path / name)
    assert {path.name for path in (tmp_path / "once/plots").glob("*.png")} == wanted
    ends = ("-column.svg", ".pdf", ".svg")
    others = {name.removesuffix(".png") + end for name in wanted for end in ends}
    assert {path.name for path in (tmp_path / "once/drawn").iterdir()} == others | {"SHA256SUMS"}
    assert written(tmp_path / "once") == written(tmp_path / "again")


@pytest.mark.parametrize(
    ("curve", "found"),
    [
        ("", "must have a header line, it is empty"),
        ("epoch,dev_lower_bound\n", "column train_lower_bound must be there once"),
        (None, "must have a row per epoch, from 1 on, it has 0 rows"),
    ],
)
def test_a_curve_without_epochs_is_one_sentence(curve, found, monkeypatch, fake_run, tmp_path):
    whole = (ROOT / "plots/learning_curve.csv").read_text().splitlines()[0] + "\n"

    def spoiled(source, target):
        shutil.copyfile(source, target / source.name)
        (target / "learning_curve.csv").write_text(whole if curve is None else curve)

    monkeypatch.setattr(shutil, "copy", spoiled)
    with pytest.raises(ArtifactError, match=rf"learning_curve\.csv:? {found}"):
        draw(monkeypatch, fake_run, tmp_path / "out")
