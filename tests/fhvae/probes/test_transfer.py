"""Leave-speakers-out: who is fitted, chosen and scored on, and codes with a known answer."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.baselines.pca import Pca
from fhvae.corpus.catalogue import recordings as read_recordings
from fhvae.corpus.manifest import Phone, Recording
from fhvae.errors import TrialError
from fhvae.features.normalize import Normalizer
from fhvae.params.whole import load_params
from fhvae.probes.rows import Coders, LabeledRows
from fhvae.probes.transfer import (
    FoldFit,
    leave_speakers_out,
    nested_answers,
    try_folds,
    without_common,
)
from tests.latent_factory import MELS, SEGMENT_FRAMES, make_utterances
from tests.probe_factory import PROBES, write_network
from tests.recorded import TIMIT_SAMPLE, with_timit_sample
from tests.tiny import ROOT

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

PENALTIES = (1e-3, 1e-1, 10.0)
SETTING = replace(PROBES, penalties=PENALTIES)
NORMALIZER = Normalizer(np.full(MELS, -5.0), np.full(MELS, 3.0))
TONES = {"aa": 500.0, "iy": 2500.0, "s": 5500.0}


def rows(signal, speakers=8, each=12, seed=1):
    random = np.random.default_rng(seed)
    labels = np.tile(["a", "b", "c"], speakers * each // 3)
    values = signal * np.eye(3)[np.arange(len(labels)) % 3] + random.normal(size=(len(labels), 3))
    owner = np.repeat([f"s{place}" for place in range(speakers)], each)
    return LabeledRows({"z1": values.astype(np.float32)}, labels, owner)


def folds_of(own, count=4):
    return np.array([f"fold{int(name[1:]) % count}" for name in own.speakers])


def test_a_fold_is_answered_for_by_the_others_only():
    """What a row is told depends on no label of its own fold, nor does the penalty."""
    own = rows(signal=1.0)
    folds = folds_of(own)
    before = nested_answers(own, "z1", folds, SETTING)
    changed = np.where(folds == "fold2", "a", own.labels)
    after = nested_answers(replace(own, labels=changed), "z1", folds, SETTING)
    here = folds == "fold2"
    np.testing.assert_array_equal(
        after.answers.probabilities[here], before.answers.probabilities[here]
    )
    assert after.penalties["fold2"] == before.penalties["fold2"]
    assert (after.answers.probabilities[~here] != before.answers.probabilities[~here]).any()


def test_a_penalty_is_chosen_by_all_the_other_folds():
    """With a code that says nothing the strongest wins; with a clear one, a weak one."""
    for signal, expected in ((0.0, 10.0), (40.0, 1e-3)):
        found = nested_answers(rows(signal), "z1", folds_of(rows(signal)), SETTING)
        assert set(found.penalties.values()) == {expected}
        assert set(found.penalties) == {"fold0", "fold1", "fold2", "fold3"}


def test_answers_are_probabilities_of_all_classes_also_where_a_fold_lacks_one():
    own = rows(signal=40.0)
    folds = folds_of(own)
    labels = np.where((own.labels == "c") & (folds != "fold1"), "b", own.labels)
    found = nested_answers(replace(own, labels=labels), "z1", folds, SETTING).answers
    assert found.classes.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert (found.probabilities[folds == "fold1", 2] == 0).all()  # nobody else says c


def test_one_fit_without_two_folds_is_tried_on_each():
    own = rows(signal=3.0)
    folds = folds_of(own)
    fit = FoldFit(own.inputs["z1"], own.labels, folds, ("fold0", "fold3"), (1e-2, 1.0), 1e-3)
    found = try_folds(fit)
    assert {name: set(bits) for name, bits in found.bits.items()} == {
        "fold0": {1e-2, 1.0},
        "fold3": {1e-2, 1.0},
    }
    kept = ~np.isin(folds, ["fold0", "fold3"])
    seen = kept | (folds == "fold0")
    inputs, labels = own.inputs["z1"][seen], own.labels[seen]
    only = FoldFit(inputs, labels, folds[seen], ("fold0",), (1e-2, 1.0), 1e-3)
    assert try_folds(only).bits["fold0"] == found.bits["fold0"]


def tone_recordings(speakers=6, each=3, common=False):
    """Speech of three tones of 200 ms, in another order in each utterance."""
    made = []
    for item in make_utterances("test", speakers, each):
        number = int(item.utterance_id[-2:])
        order = np.roll(sorted(TONES), number)
        time = np.arange(3200) / 16_000
        waves = [6000 * np.sin(2 * np.pi * TONES[name] * time) for name in order]
        noise = np.random.default_rng(number).normal(scale=60, size=3 * 3200)
        phones = tuple(Phone(0.2 * n, 0.2 * (n + 1), name) for n, name in enumerate(order))
        text = f"text {number}" if common else f"text {item.utterance_id}"
        samples = (np.concatenate(waves) + noise).astype(np.int16)
        made.append(Recording(replace(item, text=text), samples, phones))
    return made


def coders(folder, untrained=True):
    trained = write_network(folder / "model", seed=1)
    size = SEGMENT_FRAMES * MELS
    directions = np.linalg.qr(np.random.default_rng(3).normal(size=(size, 5)))[0]
    return Coders(
        trained=trained,
        untrained=write_network(folder / "untrained", seed=2) if untrained else None,
        pca=Pca(np.zeros(size, np.float32), directions.astype(np.float32)) if untrained else None,
    )


def test_tones_of_unseen_speakers_are_told_from_their_frames(tmp_path):
    found = leave_speakers_out(tone_recordings(), coders(tmp_path), NORMALIZER, SETTING, 0, folds=3)
    assert found["fbank"]["accuracy"] > 0.9
    assert found["fbank"]["accuracy_low"] <= found["fbank"]["accuracy"]
    assert found["fbank"]["information"] > 0.7
    assert set(found["fbank"]["penalty"]) == {"fold0", "fold1", "fold2"}
    gains = found["z1_minus"]
    assert set(gains) == {"fbank", "pca", "untrained", "z2"}
    difference = found["z1"]["accuracy"] - found["pca"]["accuracy"]
    assert gains["pca"]["accuracy"] == pytest.approx(difference)
    assert (found["speakers"], found["folds"], found["classes"]) == (6, 3, 3)
    # 61 frames, segments of 5 at every second frame; the last is centered inside the last phone
    assert found["segments"] == 18 * 29
    assert (found["utterances"], found["left_out_utterances"]) == (18, 0)


def test_the_controls_are_optional(tmp_path):
    found = leave_speakers_out(
        tone_recordings(),
        coders(tmp_path, untrained=False),
        NORMALIZER,
        SETTING,
        0,
        folds=3,
        shift=9,
    )
    assert set(found["z1_minus"]) == {"fbank", "z2"}
    assert "others" not in found["z1"]


def test_speakers_that_chose_a_setting_are_scored_apart_from_the_others(tmp_path):
    first, *rest = tone_recordings()
    wrong = {"aa": "iy", "iy": "s", "s": "aa"}
    mislabeled = tuple(replace(one, phone=wrong[one.phone]) for one in first.phones)
    recordings = [replace(first, phones=mislabeled), *rest]
    made, speakers = coders(tmp_path, untrained=False), {r.utterance.speaker for r in recordings}
    parts = sorted(speakers)[:2], sorted(speakers)[2:]
    shares = []
    for chose in parts:
        found = leave_speakers_out(
            recordings, made, NORMALIZER, SETTING, 0, folds=3, shift=9, chose=chose
        )
        shares.append(found["fbank"]["others"]["accuracy"])
    whole = found["fbank"]["accuracy"]
    assert whole == pytest.approx((4 * shares[0] + 2 * shares[1]) / 6)
    assert shares[0] > 0.9 > shares[1]


def test_sentences_that_all_speakers_read_are_left_out(tmp_path):
    mixed = [
        replace(one, utterance=replace(one.utterance, text="the same"))
        if one.utterance.utterance_id.endswith("_01")
        else one
        for one in tone_recordings()
    ]
    kept = without_common(mixed)
    assert {one.utterance.utterance_id[-2:] for one in kept} == {"00", "02"}
    untexted = [replace(one, utterance=replace(one.utterance, text="")) for one in mixed]
    assert len(without_common(untexted)) == len(untexted)
    setting = replace(SETTING, penalties=(0.1,))
    made = coders(tmp_path, untrained=False)
    found = leave_speakers_out(mixed, made, NORMALIZER, setting, 0, folds=3, shift=9)
    assert (found["utterances"], found["left_out_utterances"]) == (12, 6)


def test_too_few_speakers_and_short_recordings_are_refused(tmp_path):
    made = coders(tmp_path, untrained=False)
    with pytest.raises(TrialError, match="4 folds need as many speakers, found 3"):
        leave_speakers_out(tone_recordings(speakers=3), made, NORMALIZER, SETTING, 0)
    with pytest.raises(ValueError, match="at least 3, got 2"):
        leave_speakers_out(tone_recordings(), made, NORMALIZER, SETTING, 0, folds=2)
    first, *others = tone_recordings()
    short = [replace(first, samples=first.samples[:400]), *others]
    with pytest.raises(TrialError, match="test00_00 must have 5 frames; leave it out"):
        leave_speakers_out(short, made, NORMALIZER, SETTING, 0, folds=3)
    unlabeled = [replace(one, phones=()) for one in tone_recordings()]
    with pytest.raises(TrialError, match="no phone times"):
        leave_speakers_out(unlabeled, made, NORMALIZER, SETTING, 0, folds=3)


@pytest.mark.slow
@with_timit_sample
def test_timit_speakers_are_scored_by_the_others(tmp_path):
    params = load_params(ROOT / "params.yaml")
    corpus = replace(
        params.corpus,
        name="manifest",
        path=str(TIMIT_SAMPLE),
        dev_fraction=0.25,
        test_fraction=0.25,
    )
    spoken = list(read_recordings(corpus))
    trained = write_network(tmp_path / "model", seed=1)
    setting = replace(SETTING, penalties=(1e-2,))
    found = leave_speakers_out(spoken, Coders(trained), NORMALIZER, setting, 0, shift=8)
    assert (found["speakers"], found["utterances"], found["left_out_utterances"]) == (8, 64, 16)
    assert found["classes"] == 39
    assert found["fbank"]["accuracy_low"] > 0.25
    assert found["fbank"]["no_silence"]["accuracy"] < found["fbank"]["accuracy"]
