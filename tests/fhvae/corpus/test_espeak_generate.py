"""The corpus as a whole: repeatable, disjoint, aligned, unclipped."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fhvae.corpus.espeak.generate import plan_corpus, record, recordings
from fhvae.corpus.espeak.phones import phone_classes
from fhvae.corpus.espeak.text import COMMON
from fhvae.corpus.manifest import SAMPLE_RATE_HZ, check_alignment, check_splits
from fhvae.errors import CorpusError
from fhvae.params.corpus import EspeakParams

TINY = EspeakParams(
    train_speakers=2,
    train_utterances=4,
    dev_speakers=2,
    dev_utterances=3,
    test_speakers=3,
    test_utterances=3,
    parallel_speakers=2,
    parallel_utterances=1,
    speaker_scale=0.8,
    female_formants=1.12,
    male_formants=0.99,
    female_pitch_hz=150.0,
    male_pitch_hz=85.0,
    accents=("gmw/en-US",),
)
FULL = EspeakParams(
    train_speakers=60,
    train_utterances=10,
    dev_speakers=12,
    dev_utterances=8,
    test_speakers=24,
    test_utterances=8,
    parallel_speakers=12,
    parallel_utterances=4,
    speaker_scale=0.8,
    female_formants=1.12,
    male_formants=0.99,
    female_pitch_hz=150.0,
    male_pitch_hz=85.0,
    accents=("gmw/en-US",),
)


@pytest.fixture(scope="module")
def corpus():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FHVAE_WORKERS", "1")
        return list(recordings(TINY, seed=5))


def test_sizes_ids_and_order(corpus):
    ids = [(item.utterance.split, item.utterance.utterance_id) for item in corpus]
    train = [name for split, name in ids if split == "train"]
    assert train[:4] == ["f0000_00", "f0000_01", "f0000_02", "f0000_03"]
    assert [split for split, _ in ids] == (
        ["train"] * 8 + ["dev"] * 6 + ["test"] * 9 + ["parallel"] * 2
    )
    for split in ("train", "dev", "test", "parallel"):
        names = [name for found, name in ids if found == split]
        assert names == sorted(names)


def test_the_manifest_rules_hold(corpus):
    check_splits([item.utterance for item in corpus], "tiny corpus")
    for item in corpus:
        check_alignment(item.utterance.utterance_id, item.phones, item.utterance.duration_s)


def test_alignments_run_from_0_to_the_end_without_a_gap(corpus):
    for item in corpus:
        assert item.phones[0].start_s == 0.0
        assert item.phones[-1].end_s == item.utterance.duration_s
        assert item.utterance.duration_s == pytest.approx(len(item.samples) / SAMPLE_RATE_HZ)
        for one, two in pairwise(item.phones):
            assert one.end_s == two.start_s
        assert {phone.phone for phone in item.phones} <= set(phone_classes().values())


def test_samples_are_int16_and_none_clips(corpus):
    for item in corpus:
        assert item.samples.dtype == np.int16
        assert 1000 < np.abs(item.samples.astype(int)).max() < 32_767


def test_each_speaker_says_the_common_sentences_and_only_those_are_shared(corpus):
    studio = [item.utterance for item in corpus if item.utterance.split != "parallel"]
    for speaker in {utterance.speaker for utterance in studio}:
        own = [utterance.text for utterance in studio if utterance.speaker == speaker]
        assert own[:2] == list(COMMON)
    unique = [utterance.text for utterance in studio if utterance.text not in COMMON]
    assert len(unique) == len(set(unique))


def test_a_twin_is_the_same_speech_in_another_room(corpus):
    by_id = {item.utterance.utterance_id: item for item in corpus}
    twins = [item for item in corpus if item.utterance.split == "parallel"]
    assert [item.utterance.utterance_id for item in twins] == [
        "f6000_00-multi",
        "m6001_00-multi",
    ]
    for item in twins:
        original = by_id[item.utterance.twin]
        assert original.utterance.split == "test"
        assert original.phones == item.phones
        assert original.utterance.text == item.utterance.text
        assert original.samples.shape == item.samples.shape
        assert not np.array_equal(original.samples, item.samples)


def test_background_voices_speak_nowhere_else():
    plans = plan_corpus(TINY, seed=5)
    voices = {plan.request.variant for plan in plans}
    babble = [request for plan in plans for request in plan.babble]
    assert len(babble) == 2 * 5
    assert voices.isdisjoint(request.variant for request in babble)
    assert {plan.request.text for plan in plans}.isdisjoint(request.text for request in babble)


def test_more_speakers_leave_the_other_plans_as_they_are():
    larger = replace(TINY, train_speakers=5, train_utterances=6, test_speakers=7)
    plans = {plan.utterance.utterance_id: plan for plan in plan_corpus(larger, seed=5)}
    assert all(plans[plan.utterance.utterance_id] == plan for plan in plan_corpus(TINY, seed=5))


def test_another_seed_gives_another_corpus():
    first, second = plan_corpus(TINY, seed=5)[0], plan_corpus(TINY, seed=6)[0]
    assert first.utterance == second.utterance
    assert not np.array_equal(record(first).samples, record(second).samples)


def test_a_voice_that_is_not_heard_is_refused():
    """A missing variant plays the plain voice without an error."""
    plan = plan_corpus(TINY, seed=5)[0]
    silent = replace(plan, request=replace(plan.request, variant=""))
    with pytest.raises(CorpusError, match=r"utterance f0000_00: espeak-ng must use the speaker"):
        record(silent)


@pytest.mark.slow
def test_two_workers_give_what_one_gives(corpus, monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "2")
    for one, two in zip(corpus, recordings(TINY, seed=5), strict=True):
        assert one.utterance == two.utterance
        assert one.phones == two.phones
        assert np.array_equal(one.samples, two.samples)


@pytest.mark.slow
def test_the_default_corpus_has_every_phone_class_every_voice_and_no_clipping():
    phones, speakers, peak = set(), {}, 0
    for item in recordings(FULL, seed=0):
        peak = max(peak, int(np.abs(item.samples.astype(int)).max()))
        speakers.setdefault(item.utterance.speaker, item.samples.tobytes())
        if item.utterance.split == "train":
            phones |= {phone.phone for phone in item.phones}
    assert phones == set(phone_classes().values())
    assert len(speakers) == len(set(speakers.values())) == 96
    assert peak < 32_767
