"""What earlier stages left becomes the material of the questions, of all splits."""

import numpy as np
import pytest

from fhvae.probes.gather import Folders, gather, make_material
from tests.latent_factory import SHIFT, write_fake_run
from tests.probe_factory import EACH, PROBES, SPEAKERS, write_coders, write_f0

VOICED = "dev01_02"
FOLDERS = ("corpus", "fbank", "f0", "latents", "model", "baselines", "domains")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, each=EACH)
    write_coders(folder)
    write_f0(folder / "f0", {VOICED: [100, 0, 400]})
    return Folders(*(folder / name for name in FOLDERS))


def test_rows_f0_and_noisy_copies_are_those_of_their_split(folders):
    found = gather(folders, "mean")
    material = make_material(found, folders, PROBES, SHIFT, seed=3, stacked=True)
    spoken = {one.utterance_id: one.split for one in found.corpus.utterances}
    assert material.log_f0.keys() == spoken.keys()
    voiced = {name: value for name, value in material.log_f0.items() if value is not None}
    assert voiced == pytest.approx({VOICED: np.log(200)})
    for split, rows in material.rows.items():
        assert {spoken[name] for name in rows.utterance_ids.tolist()} == {split}
        assert {"z1", "z2", "mu2", "fbank", "untrained", "pca", "stacked"} <= set(rows.inputs)
    assert list(material.noisy) == [20.0, 0.0]  # the least noise first
    for rows in material.noisy.values():
        assert set(rows.utterance_ids) == set(material.rows["test"].utterance_ids)
    assert (material.seed, material.params) == (3, PROBES)
