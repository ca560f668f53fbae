"""Rows of probes: the frame, the phone and the speaker at the center of each segment."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.baselines.pca import Pca
from fhvae.corpus.manifest import Phone
from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.probes.rows import Controls, by_utterance, join, label, phones_of, segment_rows, take
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
    center = 2 * SHIFT + (SEGMENT_FRAMES - 1) // 2
    assert rows.center_frames[place] == center
    np.testing.assert_array_equal(rows.inputs["fbank"][place], FRAMES[4][center])
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


def test_the_phone_is_that_of_the_center_frame():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    phones = {item.utterance_id: alignment(item, 4) for item in UTTERANCES}
    expected = [name for item in UTTERANCES for name in segment_phones(item, 4)]
    assert phones_of(rows, phones, 1000 * HOP_S) == expected


def test_the_phone_is_looked_up_in_milliseconds_of_the_hop():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES[:])
    # Centers are frames 2, 6, 10, 14: at a hop of 20 ms 0.04, 0.12, 0.20 and 0.28 s.
    phones = {"test00_00": (Phone(0.05, 0.13, "aa"), Phone(0.13, 0.28, "iy"))}
    found = phones_of(rows, phones, 20.0)
    assert found[:4] == [None, "aa", "iy", None]  # before the first; an end is no longer in it
    assert set(found[4:]) == {None}  # no alignment


def test_rows_without_a_label_are_left_out():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    names = [None if place % 3 else f"p{place}" for place in range(24)]
    labeled = label(rows, names)
    assert labeled.labels.tolist() == [f"p{place}" for place in range(0, 24, 3)]
    np.testing.assert_array_equal(labeled.inputs["z1"], LATENTS.z1_mean[::3])
    assert labeled.speakers.tolist() == ["test00"] * 4 + ["test01"] * 4
    assert len(label(rows, [None] * 24)) == 0


def test_mu2_is_repeated_for_each_segment_of_its_utterance():
    inputs = segment_rows(LATENTS, FRAMES, UTTERANCES).inputs
    np.testing.assert_array_equal(inputs["mu2"], np.repeat(LATENTS.mu2, 4, axis=0))
    np.testing.assert_array_equal(inputs["z1z2"][:, : LATENTS.z1_mean.shape[1]], LATENTS.z1_mean)
    np.testing.assert_array_equal(inputs["z1z2"][:, LATENTS.z1_mean.shape[1] :], LATENTS.z2_mean)


def test_controls_stand_beside_the_codes_of_the_same_segment(monkeypatch):
    monkeypatch.setattr("fhvae.probes.rows.CHUNK", 5)  # the 24 segments go in five parts
    random = np.random.default_rng(1)
    mels = FRAMES.rows.shape[1]
    mean, directions = (random.normal(size=size) for size in (SEGMENT_FRAMES * mels, (35, 2)))
    untrained = make_latents(UTTERANCES, segments=4, seed=9)
    controls = Controls(untrained, Pca(mean, directions), stacked=True)
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES, controls)
    place = 4 * 4 + 2  # third segment of the fifth utterance
    frames = FRAMES[4][2 * SHIFT : 2 * SHIFT + SEGMENT_FRAMES].ravel()
    labeled = label(rows, [None] * place + ["aa"] + [None] * (24 - place - 1))
    np.testing.assert_array_equal(labeled.inputs["stacked"], frames[None])
    np.testing.assert_allclose(
        labeled.inputs["pca"], ((frames - mean) @ directions)[None], rtol=1e-5
    )
    np.testing.assert_array_equal(labeled.inputs["untrained"], untrained.z1_mean[[place]])


def test_controls_of_other_segments_are_refused():
    other = make_latents(UTTERANCES, segments=3)
    with pytest.raises(ArtifactError, match="same segments as the latents, found 18 and 24"):
        segment_rows(LATENTS, FRAMES, UTTERANCES, Controls(other))


def test_a_sample_is_seeded_without_repeats_and_in_order():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    names = [f"{place:02d}" if place else None for place in range(24)]
    drawn = [
        label(rows, names, 9, np.random.default_rng(seed)).labels.tolist() for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 9
    assert len(label(rows, names, 23, np.random.default_rng(1))) == 23


def test_a_label_of_the_utterance_goes_to_all_its_segments():
    rows = segment_rows(LATENTS, FRAMES, UTTERANCES)
    found = by_utterance(rows, {"test00_01": 5.25, "test01_02": None})
    assert found == [None] * 4 + [5.25] * 4 + [None] * 16
    labeled = label(rows, found)
    assert labeled.labels.dtype == np.float64
    assert labeled.labels.tolist() == [5.25] * 4


def test_joined_rows_stand_end_to_end():
    labeled = label(segment_rows(LATENTS, FRAMES, UTTERANCES), [str(n) for n in range(24)])
    parts = take(labeled, np.array([3, 1])), take(labeled, labeled.labels == "7")
    joined = join(parts)
    assert joined.labels.tolist() == ["3", "1", "7"]
    np.testing.assert_array_equal(joined.inputs["z2"], LATENTS.z2_mean[[3, 1, 7]])
    assert joined.speakers.tolist() == ["test00"] * 3


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
        ArtifactError, match=r"test00_00: the latents reach frame 106, fbank has 17"
    ):
        segment_rows(late, FRAMES, UTTERANCES)
