"""The stage verify, whole, on made-up latents with known speakers."""

import shutil

import pandas as pd
import pytest

from fhvae.errors import ArtifactError, TrialError
from fhvae.files.atomic import read_json
from fhvae.latents import write_latents
from fhvae.trials import eer
from fhvae.verification.scores import read_scores
from stages.verify import main
from tests.latent_factory import (
    OTHER_MU2,
    make_frames,
    make_latents,
    make_utterances,
    write_all_ivectors,
    write_fake_run,
    write_frames,
)
from tests.stages.stage_runner import each_number_of_workers, inside, run_stage, written

SPEAKERS = {"train": 5, "dev": 2, "test": 3}
EACH = 4
INPUTS = ("corpus", "fbank", "latents", "ivectors", "baselines", "controls")
OUTPUTS = ("scores", "plots")


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_fake_run(folder, SPEAKERS, EACH)
    return folder


def verify(inputs, out, protocol="headline", workers="1"):
    given = inside(inputs, *INPUTS)
    return run_stage(main, given, out, OUTPUTS, {"protocol": protocol}, workers)


@pytest.fixture(scope="module")
def once(fake_run, tmp_path_factory):
    """Metrics of a run, and its folder."""
    out = tmp_path_factory.mktemp("once") / "out"
    return verify(fake_run, out), out


def test_metrics_and_files(once):
    metrics, out = once
    assert metrics["trials"]["target"] == 3 * 6
    assert metrics["trials"]["nontarget"] == 66 - 18
    assert metrics["speakers"] == 3
    assert metrics["mu2"]["cos"]["eer"] == 0.0
    assert metrics["mu1"]["cos"]["eer"] > 0.3
    assert metrics["conditions"]["multi3"]["mu2"]["cos"]["eer"] == 0.0
    assert metrics["difference"]["cos"]["mu2-mu1"]["eer"] == -metrics["mu1"]["cos"]["eer"]
    assert metrics["absent"]["conditions.cross_session"] == "the corpus has no sessions"
    assert metrics["absent"].keys() >= {"intervals", "conditions.multi3.intervals"}
    assert "needs at least 6 test speakers, there are 3" in metrics["absent"]["intervals"]
    for rows in (metrics["mu2"], metrics["conditions"]["multi3"]["mu2"]):
        assert not {"eer_low", "eer_high", "eer_jackknife_low"} & set(rows["cos"])
    assert set(metrics["difference"]["best"]["mu2-mu1"]) == {"eer"}
    assert pd.read_csv(out / "plots" / "det_bands.csv").empty
    assert set(metrics["closed_set"]) == {"z1_stats", "mu2", "fbank"}
    assert metrics["closed_set"]["mu2"]["accuracy"] == 1.0
    assert metrics["closed_set"]["mu2"]["chance"] == pytest.approx(1 / 3, abs=1e-6)
    assert "pauses" not in metrics
    assert metrics["parts"]["pauses"]["utterances"] == 6
    assert metrics["parts"]["pauses"]["whole"]["cos"]["eer"] == 0.0
    assert "6 of 12 test utterances have a segment of pauses" in metrics["absent"]["pauses"]
    assert metrics["parts"]["speech"]["cos"]["eer"] == metrics["speech"]["cos"]["eer"]
    assert metrics["difference"]["cos"]["mu2-baseline"]["baseline"] == "ivector"
    codes = metrics["static_dynamic"]
    assert codes["static"]["eer"] == metrics["mu2"]["cos"]["eer"]
    assert codes["gap"]["eer"] == codes["dynamic"]["eer"] > 0.3
    assert codes["segment_frames"] == 5
    files = set(written(out))
    assert files > {
        "scores/mu2.cos.tsv",
        "scores/dev/mu2.cos.tsv",
        "scores/trials/all_pairs.tsv",
        "scores/trials/multi3.tsv",
        "scores/calibration.csv",
        "plots/det.csv",
        "plots/det_bands.csv",
    }
    read = read_scores(out / "scores" / "mu1.cos.tsv")
    found = read_json(out / "verify.json")["mu1"]["cos"]["eer"]
    assert found == round(eer(read.scores, read.is_target), 6)
    systems = set(pd.read_csv(out / "plots" / "det.csv")["system"])
    assert {"mu2.cos", "mu1.cos", "ivector.cos", "fbank.cos", "untrained.cos"} <= systems


@each_number_of_workers
def test_a_second_run_writes_the_same_bytes(once, fake_run, tmp_path, workers):
    verify(fake_run, tmp_path / "again", workers=workers)
    assert written(tmp_path / "again") == written(once[1])


def test_the_full_protocol_says_the_same_and_more(once, fake_run, tmp_path):
    short = dict(once[0])
    full = verify(fake_run, tmp_path / "full", protocol="full")
    conditions, more = short.pop("conditions"), full.pop("conditions")
    assert full == short
    assert set(conditions["multi3"]["mu2"]) == {"cos", "best"}
    assert set(more["multi3"]["mu2"]) > {"cos", "best", "lda12", "cos_asn"}
    assert (tmp_path / "full" / "scores" / "level.lda12.tsv").exists()


def replace_test_split(fake_run, folder, utterances, frames_of=None):
    """Copy a run with other utterances in the test split of all that verify reads."""
    shutil.copytree(fake_run, folder)
    latents = make_latents(utterances)
    write_latents(folder / "latents" / "test.safetensors", latents)
    write_all_ivectors(folder / "ivectors", "test", latents)
    for other in OTHER_MU2:
        write_latents(folder / other / "test.safetensors", latents)
    pauses = make_latents(utterances[:2])
    write_latents(folder / "controls" / "pauses" / "test.safetensors", pauses)
    write_frames(folder / "fbank" / "test", make_frames(make_latents(frames_of or utterances)))


def test_utterances_that_fbank_dropped_are_in_no_trial(fake_run, tmp_path):
    kept = make_utterances("test", 3, EACH)[1:]
    replace_test_split(fake_run, tmp_path / "run", kept)
    metrics = verify(tmp_path / "run", tmp_path / "out")
    assert metrics["trials"]["target"] == 6 + 6 + 3
    assert metrics["trials"]["nontarget"] == 55 - 15


def test_speakers_of_one_sentence_are_named_by_no_other(fake_run, tmp_path, caplog):
    shutil.copytree(fake_run, tmp_path / "run")
    manifest = tmp_path / "run" / "corpus" / "manifest.csv"
    pd.read_csv(manifest).assign(text="the same").to_csv(manifest, index=False)
    metrics = verify(tmp_path / "run", tmp_path / "out")
    assert "closed_set" not in metrics
    assert "2 sentences each, found 0 among 3" in metrics["absent"]["closed_set"]
    assert "closed_set is absent" in caplog.text


def assert_refused(run, out, error, message):
    with pytest.raises(error, match=message):
        verify(run, out)
    assert set(written(out)) == {"params.yaml"}


def test_latents_of_other_utterances_than_fbank_stop_the_stage(fake_run, tmp_path):
    every = make_utterances("test", 3, EACH)
    replace_test_split(fake_run, tmp_path / "run", every[:-1], frames_of=every)
    message = "test02_03 is in fbank only; rerun latents"
    assert_refused(tmp_path / "run", tmp_path / "out", ArtifactError, message)


def test_a_missing_control_stops_the_stage(fake_run, tmp_path):
    shutil.copytree(fake_run, tmp_path / "run")
    (tmp_path / "run" / "controls" / "level" / "dev.safetensors").unlink()
    message = "level/dev.safetensors must exist"
    assert_refused(tmp_path / "run", tmp_path / "out", ArtifactError, message)


def test_no_target_trial_stops_the_stage(fake_run, tmp_path):
    one_each = make_utterances("test", 3, EACH)[::EACH]
    replace_test_split(fake_run, tmp_path / "run", one_each)
    message = "got 0 target and 3 non-target"
    assert_refused(tmp_path / "run", tmp_path / "out", TrialError, message)
