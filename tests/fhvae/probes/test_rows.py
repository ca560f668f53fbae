"""Rows of probes: the frame, the phone and the speaker at the centre of each segment."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.artifacts import Packed
from fhvae.corpus.manifest import Phone
from fhvae.errors import ArtifactError
from fhvae.probes.rows import label, phones_of, sample_rows, segment_rows
from tests.latent_factory import (
    HOP_S,
    SEGMENT_FRAMES,
    SHIFT,
    alignment,
    make_frames,
    make_latents,
    make_utterances,
    segment_phones,
)

UTTERANCES = make_utterances("test", 2, 3)
LATENTS = make_latents(UTTERANCES, segments=4)
FRAMES = make_frames(LATENTS)


def test_each_row_holds_its_own_segment():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    assert len(rows) == 6 * 4
    place = 4 * 4 + 2  # third segment of the fifth utterance
    assert rows.utterance_ids[place] == "test01_01"
    assert rows.speakers[place] == "test01"
    centre = 2 * SHIFT + (SEGMENT_FRAMES - 1) // 2
    assert rows.centre_frames[place] == centre
    np.testing.assert_array_equal(rows.inputs["fbank"][place], FRAMES[4][centre])
    np.testing.assert_array_equal(rows.inputs["z1"][place], LATENTS.z1_mean[place])
    np.testing.assert_array_equal(rows.inputs["z2"][place], LATENTS.z2_mean[place])


def test_frames_packed_in_another_order_are_found():
    backwards = Packed(
        FRAMES.rows, FRAMES.utterance_ids[::-1], FRAMES.offsets[::-1], FRAMES.lengths[::-1]
    )
    np.testing.assert_array_equal(
        segment_rows(LATENTS, backwards, UTTERANCES).inputs["fbank"],
        segment_rows(LATENTS, FRAMES, UTTERANCES).inputs["fbank"],
    )


def test_the_phone_is_that_of_the_centre_frame():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    phones = {item.utterance_id: alignment(item, 4) for item in UTTERANCES}
    expected = [name for item in UTTERANCES for name in segment_phones(item, 4)]
    assert phones_of(rows, phones, 1000 * HOP_S) == expected


def test_the_phone_is_looked_up_in_milliseconds_of_the_hop():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES[:])
    # Centres are frames 2, 6, 10, 14: at a hop of 20 ms 0.04, 0.12, 0.20 and 0.28 s.
    phones = {"test00_00": (Phone(0.05, 0.13, "aa"), Phone(0.13, 0.28, "iy"))}
    found = phones_of(rows, phones, 20.0)
    assert found[:4] == [None, "aa", "iy", None]  # before the first; an end is no longer in it
    assert set(found[4:]) == {None}  # no alignment


def test_rows_without_a_label_are_left_out():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    names = [None if place % 3 else f"p{place}" for place in range(24)]
    labelled = label(rows, names)
    assert labelled.labels.tolist() == [f"p{place}" for place in range(0, 24, 3)]
    np.testing.assert_array_equal(labelled.inputs["z1"], LATENTS.z1_mean[::3])
    assert labelled.speakers.tolist() == ["test00"] * 4 + ["test01"] * 4
    assert len(label(rows, [None] * 24)) == 0


def test_a_sample_is_seeded_without_repeats_and_in_order():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    labelled = label(rows, [f"{place:02d}" for place in range(24)])
    drawn = [
        sample_rows(labelled, 9, np.random.default_rng(seed)).labels.tolist() for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 9
    assert sample_rows(labelled, 24, np.random.default_rng(1)) is labelled


def test_an_utterance_on_one_side_only_is_named():
    fewer = make_latents(UTTERANCES[:5], segments=4)
    with pytest.raises(ArtifactError, match="test01_02 is in fbank only"):
        segment_rows(fewer, FRAMES, UTTERANCES)
    with pytest.raises(ArtifactError, match="test01_02 is in latents only"):
        segment_rows(LATENTS, make_frames(fewer), UTTERANCES)


def test_an_utterance_outside_the_manifest_is_named():
    with pytest.raises(ArtifactError, match="test01_02 of the latents must be in the same split"):
        segment_rows(LATENTS, FRAMES, UTTERANCES[:5])


def test_latents_longer_than_the_frames_are_named():
    late = replace(LATENTS, starts=LATENTS.starts + np.int32(90))
    with pytest.raises(
        ArtifactError, match=r"test00_00: the latents reach frame 104, fbank has 17"
    ):
        segment_rows(late, FRAMES, UTTERANCES)
