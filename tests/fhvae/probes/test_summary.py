"""The stage as a whole on latents with a known answer, and tasks that a corpus does not allow."""

import numpy as np
import pytest

from fhvae.probes.accuracy import run_probes
from fhvae.probes.rows import segment_rows
from fhvae.probes.summary import Labelling, plan_tasks, summarize
from tests.latent_factory import HOP_S, alignment, make_frames, make_latents, make_utterances

SPEAKERS = {"train": 5, "dev": 2, "test": 4}
EACH = 4
SEGMENTS = 6


def utterances_of(split):
    return make_utterances(split, SPEAKERS[split], EACH)


@pytest.fixture(scope="module")
def rows():
    found = {}
    for place, split in enumerate(SPEAKERS):
        latents = make_latents(utterances_of(split), noise=0.1, segments=SEGMENTS, seed=place)
        found[split] = segment_rows(latents, make_frames(latents), utterances_of(split))
    return found


@pytest.fixture(scope="module")
def labelling():
    phones = {
        item.utterance_id: alignment(item, SEGMENTS)
        for split in SPEAKERS
        for item in utterances_of(split)
    }
    return Labelling(phones, 1000 * HOP_S)


def test_z1_tells_the_phone_and_z2_the_speaker(rows, labelling):
    plan = plan_tasks(rows, labelling, max_segments=1000, seed=0)
    metrics = summarize(plan, run_probes(plan.tasks, [1e-3, 1e-1], draws=50, seed=0))
    assert metrics["phone"]["z1"]["accuracy"] > 0.95
    assert metrics["phone"]["z2"]["accuracy"] < 0.5
    assert metrics["speaker"]["z2"]["accuracy"] > 0.95
    assert metrics["speaker"]["z1"]["accuracy"] < 0.5
    assert metrics["absent"] == {}
    assert metrics["phone"]["classes"] == 4
    assert metrics["phone"]["segments"] == {"train": 120, "dev": 48, "test": 96}
    assert metrics["speaker"]["speakers"] == 4
    assert metrics["speaker"]["segments"] == {"fit": 48, "choose": 24, "score": 24}
    assert metrics["speaker"]["chance"] == 0.25
    assert set(metrics["phone"]["fbank"]) == {
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "penalty",
    }


def test_a_corpus_without_phone_times_has_no_phone_probe_and_says_why(rows):
    plan = plan_tasks(rows, Labelling({}, 10.0), max_segments=1000, seed=0)
    assert [task.name for task in plan.tasks] == ["speaker"]
    assert plan.absent == {"phone": "the corpus has no phone times (phones.csv is empty)"}


def test_segments_outside_the_alignments_are_counted(rows, labelling):
    fewer = {name: items for name, items in labelling.phones.items() if name != "dev00_01"}
    plan = plan_tasks(rows, Labelling(fewer, labelling.hop_ms), max_segments=1000, seed=0)
    assert plan.counts["phone"]["unlabelled"] == {"train": 0, "dev": SEGMENTS, "test": 0}
    assert plan.counts["phone"]["segments"]["dev"] == 48 - SEGMENTS


def test_more_train_segments_than_allowed_are_sampled(rows, labelling):
    plan = plan_tasks(rows, labelling, max_segments=30, seed=0)
    assert {task.name: len(task.fit) for task in plan.tasks} == {"phone": 30, "speaker": 30}
    assert plan.counts["phone"]["segments"] == {"train": 30, "dev": 48, "test": 96}
    again, other = (plan_tasks(rows, labelling, max_segments=30, seed=seed) for seed in (0, 1))
    first = plan.tasks[0].fit.inputs["z1"]
    np.testing.assert_array_equal(again.tasks[0].fit.inputs["z1"], first)
    assert (other.tasks[0].fit.inputs["z1"] != first).any()


def test_speakers_with_few_utterances_are_counted_or_make_the_task_absent(rows, labelling):
    def test_rows(kept):
        latents = make_latents(kept, segments=SEGMENTS)
        return {**rows, "test": segment_rows(latents, make_frames(latents), kept)}

    utterances = utterances_of("test")
    plan = plan_tasks(test_rows(utterances[:-2]), labelling, max_segments=1000, seed=0)
    assert plan.counts["speaker"]["left_out"] == 1
    assert plan.counts["speaker"]["speakers"] == 3
    plan = plan_tasks(test_rows(utterances[::2]), labelling, max_segments=1000, seed=0)
    assert "found 0; 4 speakers have fewer" in plan.absent["speaker"]
