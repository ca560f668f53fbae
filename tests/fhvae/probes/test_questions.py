"""All questions on codes with a known answer: perfect, swapped on purpose, and random."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.corpus.manifest import Phone
from fhvae.errors import TrialError
from fhvae.probes.classifiers import LINEAR
from fhvae.probes.questions import (
    ask_f0,
    ask_phone,
    ask_sentence,
    ask_sex,
    ask_snr,
    ask_speaker,
    plan_tasks,
)
from fhvae.probes.rows import segment_rows
from fhvae.probes.run import purities, run_probes, summarize
from fhvae.report.figures.matrix import matrix_cells
from tests.latent_factory import make_frames, make_latents, make_utterances, segment_phones
from tests.probe_factory import (
    EACH,
    PROBES,
    SEGMENTS_EACH,
    SPEAKERS,
    make_material,
    randomize,
    split_latents,
    split_utterances,
    swap,
)

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

SETTING = replace(PROBES, penalties=(1e-4, 1e-2, 1.0))
UTTERANCES = split_utterances()
LATENTS = split_latents(UTTERANCES, noise=0.1)
MATERIAL = make_material(LATENTS, UTTERANCES)


def metrics_of(latents, utterances=UTTERANCES, **more):
    plan = plan_tasks(make_material(latents, utterances, **more))
    return summarize(plan, run_probes(plan.tasks, SETTING, 0))


@pytest.fixture(scope="module")
def perfect():
    return metrics_of(LATENTS)


def test_z1_tells_the_phone_and_z2_and_mu2_the_speaker(perfect):
    phone, speaker = perfect["phone"], perfect["speaker"]
    assert phone["z1"]["accuracy"] == speaker["z2"]["accuracy"] == speaker["mu2"]["accuracy"] == 1
    assert phone["z1"]["information"] > 0.9
    assert speaker["mu2"]["information"] > 0.9
    for nothing in (phone["z2"], phone["mu2"], speaker["z1"]):
        assert nothing["information"] < 0.05
    assert phone["classes"] == 4
    assert phone["segments"] == {"train": 144, "dev": 48, "test": 96}
    assert speaker["speakers"] == 4
    assert speaker["segments"] == {"fit": 48, "choose": 24, "score": 24}
    assert speaker["chance"] == 0.25


def test_both_purities_are_high_and_have_their_parts_beside_them(perfect):
    purity = perfect["purity"]
    assert purity["content"] > 0.8
    assert purity["speaker"] > 0.8
    parts = purity["parts"]
    assert parts["phone_z1"] == perfect["phone"]["z1"]["information"]
    assert purity["content"] == parts["phone_z1"] - parts["speaker_z1"]
    assert purity["speaker"] == parts["speaker_mu2"] - parts["phone_z2"]


def test_swapped_codes_flip_the_sign_of_every_purity(perfect):
    swapped = metrics_of({split: swap(one) for split, one in LATENTS.items()})
    assert set(swapped["purity"]) == {"content", "speaker", "parts"}
    for name in ("content", "speaker"):
        assert perfect["purity"][name] > 0.8
        assert swapped["purity"][name] < -0.8
    assert swapped["speaker"]["z1"]["accuracy"] == 1
    assert swapped["phone"]["z2"]["accuracy"] == 1


def test_random_codes_have_no_information_within_noise():
    utterances = {
        split: make_utterances(split, count, each=20) for split, count in SPEAKERS.items()
    }
    made = split_latents(utterances, noise=0.1)
    latents = {split: randomize(one, seed) for seed, (split, one) in enumerate(made.items())}
    found = metrics_of(latents, utterances)
    for code in ("z1", "z2", "mu2"):
        phone, speaker = found["phone"][code], found["speaker"][code]
        assert phone["information"] < 0.01
        assert phone["information_low"] < 0
        assert speaker["information"] < 0.05  # 96 rows of 16 utterances: coarser
    assert abs(found["purity"]["content"]) < 0.05


def test_the_frame_shows_both_and_the_matrix_has_every_cell(perfect):
    cells = matrix_cells(perfect)
    assert set(cells) == {"fbank", "z1", "z2", "mu2"}
    assert {factor for row in cells.values() for factor in row} == {"phone", "speaker", "sex"}
    z1 = cells["z1"]["phone"]
    assert z1["information"] == perfect["phone"]["z1"]["information"]
    assert z1["low"] <= z1["information"] <= z1["high"]
    assert z1["accuracy"] == 1
    assert "z1z2" in perfect["phone"]  # a probe, but not a row of the matrix


def test_what_a_corpus_does_not_allow_is_absent_with_its_reason(perfect):
    assert set(perfect["absent"]) == {"snr", "f0", "sentence"}
    assert "2 levels at least, found 0; see domains.test" in perfect["absent"]["snr"]
    assert "voiced frame" in perfect["absent"]["f0"]
    assert "spoken in each of train, dev and test, found 0" in perfect["absent"]["sentence"]
    unknown = {
        split: [replace(item, gender="") for item in own] for split, own in UTTERANCES.items()
    }
    found = metrics_of(LATENTS, unknown, phones={})
    assert found["absent"]["phone"] == "the corpus has no phone times (phones.csv is empty)"
    assert "women or men" in found["absent"]["sex"]
    assert found["purity"] == {}
    assert set(matrix_cells(found)["z1"]) == {"speaker"}


def test_selectivity_stands_beside_the_accuracy_on_phones(perfect):
    z1 = perfect["phone"]["z1"]
    assert z1["selectivity"] == pytest.approx(z1["accuracy"] - z1["control_accuracy"])
    assert z1["control_accuracy"] < 0.7
    assert perfect["phone"]["control_clusters"] == 144 // 16
    assert "selectivity" not in perfect["speaker"]["z1"]


def test_timit_is_fitted_as_48_classes_and_scored_as_39():
    """aa and ao are two classes to fit and one to score; q is dropped; kcl is a pause."""
    names = {"aa": "aa", "iy": "ao", "s": "kcl", "t": "q"}
    phones = {
        name: tuple(Phone(one.start_s, one.end_s, names[one.phone]) for one in own)
        for name, own in MATERIAL.phones.items()
    }
    task = ask_phone(replace(MATERIAL, phones=phones)).task
    assert set(task.fit.labels.tolist()) == {"aa", "ao", "cl"}
    assert task.folding["ao"] == "aa"
    assert task.folding["cl"] == "sil"
    assert task.silence == {"sil"}
    counts = ask_phone(replace(MATERIAL, phones=phones)).counts
    assert (counts["classes"], counts["fitted_classes"]) == (2, 3)
    said = [name for item in UTTERANCES["test"] for name in segment_phones(item, SEGMENTS_EACH)]
    assert counts["unlabelled"]["test"] == said.count("t")
    assert counts["silence"] == said.count("s")


def test_other_inventories_keep_their_phones(perfect):
    task = ask_phone(MATERIAL).task
    assert task.folding == {}
    assert perfect["phone"]["fitted_classes"] == perfect["phone"]["classes"] == 4


def test_segments_outside_the_alignments_are_counted():
    fewer = {name: items for name, items in MATERIAL.phones.items() if name != "dev00_01"}
    counts = ask_phone(replace(MATERIAL, phones=fewer)).counts
    assert counts["unlabelled"] == {"train": 0, "dev": SEGMENTS_EACH, "test": 0}
    assert counts["segments"]["dev"] == 48 - SEGMENTS_EACH


def test_no_phone_is_asked_of_a_sentence_that_train_has():
    heard = {"dev00_01", "test01_02", "test03_00"}
    question, everything = (ask_phone(replace(MATERIAL, heard=one)) for one in (heard, set()))
    assert question.counts["heard_utterances"] == {"train": 0, "dev": 1, "test": 2}
    assert question.counts["unlabelled"] == {"train": 0, "dev": 0, "test": 0}
    left = len(everything.task.score) - len(question.task.score)
    assert left == 2 * SEGMENTS_EACH
    kept = question.task.score.speakers.tolist()
    assert [kept.count(f"test{number:02d}") for number in range(4)] == [24, 18, 24, 18]


def test_more_fitting_segments_than_allowed_are_sampled():
    few = replace(MATERIAL, params=replace(PROBES, max_segments=30))
    assert [len(ask(few).task.fit) for ask in (ask_phone, ask_speaker, ask_sex)] == [30, 30, 30]
    again, other = (ask_phone(replace(few, seed=seed)).task.fit.inputs["z1"] for seed in (0, 1))
    first = ask_phone(few).task.fit.inputs["z1"]
    np.testing.assert_array_equal(again, first)
    assert (other != first).any()


def test_the_share_of_a_speaker_that_fits_is_that_of_the_params():
    few = replace(MATERIAL, params=replace(PROBES, fit_share=0.3))
    usual, other = (len(ask_speaker(material).task.fit) for material in (MATERIAL, few))
    assert usual == 2 * other  # 2 of 4 utterances, 1 of 4


def test_sex_is_asked_of_speakers_never_fitted_on():
    task = ask_sex(MATERIAL).task
    assert set(task.fit.speakers).isdisjoint(task.score.speakers)
    genders = {item.speaker: item.gender for own in UTTERANCES.values() for item in own}
    for part in (task.fit, task.choose, task.score):
        assert part.labels.tolist() == [genders[name] for name in part.speakers.tolist()]


def test_sentences_are_those_of_all_splits_without_case_and_points():
    utterances = split_utterances(["Come here.", "come HERE", "Go, now!", "Only once."])
    own = utterances["train"]
    utterances["train"] = [replace(item, text=item.text.replace("Only", "Train")) for item in own]
    material = make_material(split_latents(utterances, 0.1), utterances)
    question = ask_sentence(material)
    assert set(question.task.fit.labels.tolist()) == {"come here", "go now"}
    assert question.counts["segments"]["fit"] == 6 * 3 * SEGMENTS_EACH
    assert question.counts["classes"] == 2


def test_sentences_that_stand_apart_are_dealt_out_by_the_split_of_their_speakers():
    """As in the embedded corpus: no other sentence is shared, and nothing else of them is asked."""
    utterances = split_utterances()
    apart = [
        replace(item, utterance_id=f"{item.utterance_id}-{text}", text=text, split="common")
        for own in utterances.values()
        for item in own[::EACH]
        for text in ("come here", "go now")
    ]
    common = make_latents(apart, segments=SEGMENTS_EACH)
    material = make_material(split_latents(utterances, 0.1), utterances)
    material = replace(
        material,
        utterances=[*material.utterances, *apart],
        common=segment_rows(common, make_frames(common), apart),
    )
    task = ask_sentence(material).task
    for part, split in ((task.fit, "train"), (task.choose, "dev"), (task.score, "test")):
        assert len(part) == 2 * SPEAKERS[split] * SEGMENTS_EACH
        assert {name[: len(split)] for name in part.speakers.tolist()} == {split}
        assert set(part.labels.tolist()) == {"come here", "go now"}
    assert len(ask_phone(material).task.score) == len(ask_phone(MATERIAL).task.score)
    with pytest.raises(TrialError, match="2 sentences spoken in each of train, dev and test"):
        ask_sentence(replace(material, utterances=material.utterances[:-12]))  # of train alone


def test_f0_is_that_of_the_utterance_and_is_read_where_it_is():
    """The first dimension of z2 stands for the mean log F0; nothing of z1 does."""
    values = {
        utterance_id: float(one.mu2[place, 0]) / 10 + 5
        for one in LATENTS.values()
        for place, utterance_id in enumerate(one.utterance_ids)
    }
    values["train00_00"] = None
    question = ask_f0(replace(MATERIAL, log_f0=values))
    assert question.counts["unvoiced_utterances"] == 1
    assert question.counts["segments"] == {"fit": 138, "choose": 48, "score": 96}
    found = run_probes([question.task], SETTING, 0)["f0"]
    assert found["mu2"][LINEAR].scores.value > 0.99
    assert found["z1"][LINEAR].scores.value < 0.1


def test_snr_is_asked_of_speakers_never_fitted_on():
    noisy = {
        level: replace(
            MATERIAL.rows["test"],
            inputs={name: one + level for name, one in MATERIAL.rows["test"].inputs.items()},
        )
        for level in (0.0, 20.0)
    }
    question = ask_snr(replace(MATERIAL, noisy=noisy))
    task = question.task
    assert question.counts["levels_db"] == [0, 20]
    assert question.counts["segments"] == {"fit": 96, "choose": 48, "score": 48}
    parts = [set(part.speakers.tolist()) for part in (task.fit, task.choose, task.score)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 4
    assert run_probes([task], SETTING, 0)["snr"]["z1"][LINEAR].scores.value > 0.9
    few = [item for own in UTTERANCES.values() for item in own if item.speaker != "test03"]
    with pytest.raises(TrialError, match="snr probe needs 4 test speakers, found 3"):
        ask_snr(replace(MATERIAL, noisy=noisy, utterances=few))


def test_speakers_with_few_utterances_are_counted_or_make_the_task_absent():
    def material(kept):
        return make_material({"test": make_latents(kept, segments=SEGMENTS_EACH)}, {"test": kept})

    utterances = make_utterances("test", 4, 4)
    question = ask_speaker(material(utterances[:-2]))
    assert (question.counts["left_out"], question.counts["speakers"]) == (1, 3)
    with pytest.raises(TrialError, match="found 0; 4 speakers have fewer"):
        ask_speaker(material(utterances[::2]))


def test_purities_need_both_factors():
    assert purities({"phone": {}}) == {}
