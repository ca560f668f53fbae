"""Frames that say alike: an equalizer in the limit, nothing between a voice and itself."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.conversion.change import Change, changed_blocks
from fhvae.conversion.matching import (
    Matching,
    bank_of,
    common_bank,
    likeness,
    matched_gains,
    moved_mix,
)
from fhvae.conversion.pitch import PitchMove, PitchRange, track_pitch
from fhvae.params.conversion import ConversionParams
from fhvae.recording import from_samples, mixed
from tests.fhvae.conversion.test_change import noise, voiced

MU2 = np.array([0.7, -0.3])
PARAMS = ConversionParams(shift=2)


def speech(seconds, seed, rate_hz=16000):
    return voiced(seconds, rate_hz) + noise(seconds, rate_hz, seed=seed) / 100


def test_far_frames_all_alike_make_it_the_equalizer(trained):
    params = replace(PARAMS, match=1000.0)
    with (
        mixed(from_samples(noise(2.1, 16000, seed=2), 16000)) as source,
        mixed(from_samples(speech(1.1, 1), 16000)) as other,
    ):
        own, target = (bank_of(trained, mix, MU2, 2) for mix in (source, other))
        frames = source.frames(trained.fbank)
        found = matched_gains(trained, Matching(source, MU2, own, target), 0, frames, params)
    wanted = target.nats.mean(axis=0) - own.nats.mean(axis=0)
    assert np.abs(wanted).max() > 1
    assert np.abs(found - np.clip(wanted, -3, 3)).max() < 0.1  # seven frames are left out


def test_a_voice_matched_with_itself_stays_nearly(trained):
    params = replace(PARAMS, match=1.0)
    with (
        mixed(from_samples(speech(1.1, 1), 16000)) as source,
        mixed(from_samples(noise(0.9, 16000, seed=2), 16000)) as other,
    ):
        own, target = (bank_of(trained, mix, MU2, 2) for mix in (source, other))
        frames = source.frames(trained.fbank)
        itself, moved = (
            matched_gains(trained, Matching(source, MU2, own, bank), 0, frames, params)
            for bank in (own, target)
        )
    assert np.abs(itself).mean() < 0.1 * np.abs(moved).mean()


def test_level_of_the_references_does_not_matter(trained):
    given = noise(0.9, 16000, seed=2)
    with (
        mixed(from_samples(given, 16000)) as loud,
        mixed(from_samples(given / 4, 16000)) as soft,
    ):
        banks = [bank_of(trained, mix, MU2, 2) for mix in (loud, soft)]
    assert np.allclose(banks[0].nats, banks[1].nats, atol=0.02)


def test_the_neighbours_of_a_frame_do_not_speak_for_it():
    asked = np.array([[0.0], [1.0]])
    known = np.array([[0.0], [1.0], [5.0]])
    left_out = np.array([[True, False, False], [True, True, True]])
    found = likeness(asked, known, 2.0, left_out)
    assert found[0, 0] == 0
    assert found[0, 1] / found[0, 2] == pytest.approx(np.exp((25 - 1) / 2))
    assert found[1].tolist() == pytest.approx(likeness(asked, known, 2.0)[1].tolist())
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_a_bank_is_bounded_and_evenly_thinned(trained):
    with mixed(from_samples(noise(3.1, 16000), 16000)) as mix:
        whole, thin = bank_of(trained, mix, MU2, 2), bank_of(trained, mix, MU2, 2, most=11)
    assert len(thin.frames) == 11
    assert np.ptp(np.diff(thin.frames)) <= 2
    here = np.isin(whole.frames, thin.frames)
    assert np.allclose(whole.keys[here], thin.keys)
    assert len(common_bank([whole, thin]).keys) == len(whole.keys) + 11


def test_chunks_leave_no_seam(trained, monkeypatch):
    with mixed(from_samples(speech(1.3, 3), 16000)) as mix:
        whole = bank_of(trained, mix, MU2, 2)
        monkeypatch.setattr("fhvae.conversion.matching.CHUNK_FRAMES", 17)
        pieces = bank_of(trained, mix, MU2, 2)
    assert whole.frames.tolist() == pieces.frames.tolist()
    assert np.allclose(whole.keys, pieces.keys, atol=1e-5)
    assert np.allclose(whole.nats, pieces.nats, atol=1e-5)


def test_blocks_leave_no_seam(trained, monkeypatch):
    given = speech(1.3, 4, 22050)
    move = PitchMove(PitchRange(np.log(120), 0.1), np.log(150), 1.2)
    outputs = []
    for block, block_s in ((64_000, 8.0), (1777, 0.11)):
        monkeypatch.setattr("fhvae.conversion.matching.BLOCK", block)
        recording = from_samples(given, 22050)
        with mixed(recording) as mix, mixed(from_samples(noise(0.9, 16000), 16000)) as other:
            f0 = track_pitch(mix)
            target = bank_of(trained, other, MU2, 2)
            with moved_mix(mix, f0, move) as heard:
                matching = Matching(heard, MU2, bank_of(trained, heard, MU2, 2), target)
                change = Change(np.zeros(2), move, f0, matching)
                blocks = changed_blocks(trained, recording, mix, change, PARAMS, block_s)
                outputs.append(np.concatenate(list(blocks)))
    assert outputs[0].shape == given.shape
    assert np.abs(outputs[0] - given).max() > 1e-3
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-6
