"""A stage reads its own sections; what others read is checked all the same."""

import dataclasses

import pytest
import yaml

from fhvae.errors import ParamsError
from fhvae.params.asked import read_params
from fhvae.params.fbank import FbankParams
from fhvae.params.run import Seeded
from fhvae.params.whole import load_params
from tests.tiny import ROOT, set_params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked(Seeded):
    fbank: FbankParams


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text())
    return path


def test_the_sections_asked_for_are_those_of_the_whole(path):
    set_params(path, {"seed": 7, "fbank.mels": 20})
    asked, whole = read_params(Asked, path), load_params(path)
    assert (asked.seed, asked.fbank) == (7, whole.fbank)
    assert asked.fbank.mels == 20


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("fbank.mels", 0, id="asked-for"),
        pytest.param("probes.fit_share", 2, id="read-by-a-later-stage"),
        pytest.param("recognition.full.shift", 0, id="nested"),
        pytest.param("alpha", -1, id="top-level"),
    ],
)
def test_a_wrong_value_anywhere_ends_every_stage(path, key, value):
    """Probes are fitted days after the training: what they cannot use is told now."""
    set_params(path, {key: value})
    with pytest.raises(ParamsError, match=rf"^{path}: {key}"):
        read_params(Asked, path)


def test_a_key_that_nobody_knows_is_refused(path):
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"alhpa": 1}))
    with pytest.raises(ParamsError, match="unknown key alhpa; did you mean alpha"):
        read_params(Asked, path)
