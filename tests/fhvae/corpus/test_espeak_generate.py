"""The corpus as a whole: repeatable, disjoint, aligned, unclipped."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.espeak.generate import (
    align,
    fold,
    phone_classes,
    plan_corpus,
    record,
    recordings,
)
from fhvae.corpus.espeak.synthesizer import RATE_HZ, PhoneOnset, SpeechRequest, synthesize
from fhvae.corpus.espeak.text import COMMON_SENTENCES, WORDS
from fhvae.corpus.manifest import (
    ALL_SPLITS,
    COMMON,
    SAMPLE_RATE_HZ,
    SPLITS,
    Phone,
    check_alignment,
    check_splits,
)
from fhvae.corpus.text import heard_in_training, normalize_text
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
        ["train"] * 8 + ["dev"] * 6 + ["test"] * 9 + ["common"] * 14 + ["parallel"] * 2
    )
    for split in ALL_SPLITS:
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


def test_each_speaker_reads_the_common_sentences_apart_and_all_others_are_said_once(corpus):
    utterances = [item.utterance for item in corpus]
    speakers = {item.speaker for item in utterances if item.split in SPLITS}
    for speaker in speakers:
        own = [one.text for one in utterances if (one.speaker, one.split) == (speaker, COMMON)]
        assert own == list(COMMON_SENTENCES)
    texts = [normalize_text(item.text) for item in utterances if item.split in SPLITS]
    assert len(texts) == len(set(texts))
    assert set(texts).isdisjoint(map(normalize_text, COMMON_SENTENCES))
    assert heard_in_training(utterances) == set()


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
    first, second = (
        next(plan for plan in plan_corpus(TINY, seed) if plan.utterance.split == COMMON)
        for seed in (5, 6)
    )
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


ACCENTS = (
    "gmw/en-US",
    "gmw/en",
    "gmw/en-GB-x-rp",
    "gmw/en-GB-scotland",
    "gmw/en-029",
    "gmw/en-GB-x-gbclan",
    "gmw/en-GB-x-gbcwmd",
    "gmw/en-US-nyc",
)


def _onsets(*pairs: tuple[float, str]) -> list[PhoneOnset]:
    return [PhoneOnset(round(seconds * RATE_HZ), mnemonic) for seconds, mnemonic in pairs]


def test_a_stretch_before_the_first_phone_is_silence():
    phones = align(_onsets((0.02, "s"), (0.10, "'i:"), (0.30, "_:")), duration_s=0.32)
    assert phones == (
        Phone(0.0, 0.02, "sil"),
        Phone(0.02, 0.10, "s"),
        Phone(0.10, 0.30, "iy"),
        Phone(0.30, 0.32, "sil"),
    )


def test_neighboring_silences_are_one():
    phones = align(_onsets((0.0, "_:"), (0.1, "_"), (0.2, "m"), (0.3, "_:"), (0.4, "_")), 0.5)
    assert [(phone.start_s, phone.end_s, phone.phone) for phone in phones] == [
        (0.0, 0.2, "sil"),
        (0.2, 0.3, "m"),
        (0.3, 0.5, "sil"),
    ]


def test_a_phone_without_time_of_its_own_has_no_row():
    """The synthesizer merges an l into the diphthong before it and lists it at its end."""
    phones = align(_onsets((0.0, "'OI"), (0.3, "l"), (0.3, "_:"), (0.4, "_")), duration_s=0.4)
    assert [phone.phone for phone in phones] == ["oy", "sil"]


@given(
    st.lists(st.tuples(st.integers(0, 3 * RATE_HZ), st.sampled_from(sorted(phone_classes())))),
    st.floats(0.1, 4.0),
)
def test_any_alignment_is_contiguous_from_0_to_the_end(items, duration_s):
    phones = align([PhoneOnset(*item) for item in sorted(items)], duration_s)
    assert phones[0].start_s == 0.0
    assert phones[-1].end_s == duration_s
    assert all(one.end_s == two.start_s for one, two in pairwise(phones))
    assert all(phone.end_s > phone.start_s for phone in phones)


def test_an_unknown_mnemonic_is_refused():
    with pytest.raises(CorpusError, match=r"must have a row in .*phones\.csv, \"'Q9\" has none"):
        fold("'Q9")


def test_stress_marks_do_not_matter():
    assert fold("'eI") == fold(",eI") == fold("%eI") == fold("eI") == "ey"


def test_the_table_has_about_40_classes_and_no_mnemonic_twice():
    assert len(set(phone_classes().values())) == 42  # ARPAbet's 39, ax, dx and silence


@pytest.mark.slow
@pytest.mark.parametrize("accent", ACCENTS)
def test_the_table_covers_every_word_in_every_accent(accent):
    entries = [word for words in WORDS.values() for word in words]
    found = set()
    for start in range(0, len(entries), 10):
        text = "the " + " the ".join(entries[start : start + 10])
        found |= {
            fold(onset.mnemonic)
            for onset in synthesize(SpeechRequest(text=text, accent=accent)).onsets
        }
    assert len(found) > 38
