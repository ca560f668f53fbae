"""Static and dynamic codes of made-up latents whose speakers and phones are known."""

from dataclasses import replace

import numpy as np

from fhvae.trials import Vectors, pairs_of
from fhvae.verification.static_dynamic import compare_codes, static_dynamic, utterance_codes
from tests.latent_factory import make_latents, make_utterances

SPEAKERS, EACH, SEGMENTS = 9, 4, 7
UTTERANCES = make_utterances("test", SPEAKERS, EACH)
TRIALS = pairs_of([one.utterance_id for one in UTTERANCES], [one.speaker for one in UTTERANCES])
LATENTS = make_latents(UTTERANCES, segments=SEGMENTS)


def swapped(latents):
    return replace(
        latents,
        z1_mean=latents.z2_mean,
        z1_log_variance=latents.z2_log_variance,
        z2_mean=latents.z1_mean,
        z2_log_variance=latents.z1_log_variance,
    )


def test_speakers_in_z2_and_phones_in_z1_make_a_gap_and_codes_swapped_turn_it():
    found = static_dynamic(LATENTS, TRIALS, seed=0)
    assert found["static"]["eer_fa"] == found["static"]["eer"] == 0
    for code, gap in (("dynamic", "gap"), ("dynamic_sample", "gap_sample")):
        for rule in ("eer_fa", "eer"):
            assert found[code][rule] > 0.3
            assert found[gap][rule] == found[code][rule]
            low, high = found[gap][f"{rule}_low"], found[gap][f"{rule}_high"]
            assert 0 < low <= found[gap][rule] <= high
    turned = static_dynamic(swapped(LATENTS), TRIALS, seed=0)
    assert turned["gap"]["eer_fa"] == -found["gap"]["eer_fa"]
    assert turned["gap"]["eer_high"] < 0
    assert found["segment_frames"] == LATENTS.segment_frames


def test_the_gap_of_a_code_to_itself_is_surely_nothing():
    """Both do without the same speaker."""
    random = np.random.default_rng(5)
    codes = Vectors(TRIALS.utterance_ids, random.normal(size=(len(UTTERANCES), 3)))
    same = dict.fromkeys(("static", "dynamic", "dynamic_sample"), codes)
    found = compare_codes(same, TRIALS)
    assert found["static"]["eer_fa_low"] < found["static"]["eer_fa_high"]
    assert set(found["gap"].values()) == {0.0}


def test_codes_are_averaged_over_the_segments_of_their_utterance():
    codes = utterance_codes(LATENTS, np.random.default_rng(0))
    own = slice(3 * SEGMENTS, 4 * SEGMENTS)
    for name, values in (("static", LATENTS.z2_mean), ("dynamic", LATENTS.z1_mean)):
        np.testing.assert_allclose(codes[name].values[3], values[own].mean(axis=0), rtol=1e-6)
        assert codes[name].utterance_ids == LATENTS.utterance_ids


def test_a_sample_lies_as_far_from_the_mean_as_the_posterior_says():
    many = make_latents(make_utterances("test", 40, 50), segments=2)
    spread = np.linspace(-3, 1, many.z1_mean.shape[1], dtype=np.float32)
    wide = replace(many, z1_log_variance=np.tile(spread, (len(many.z1_mean), 1)))
    codes = utterance_codes(wide, np.random.default_rng(1))
    away = codes["dynamic_sample"].values - codes["dynamic"].values
    expected = np.exp(0.5 * spread) / np.sqrt(2)  # the mean of two segments
    np.testing.assert_allclose(away.std(axis=0), expected, rtol=0.06)
    np.testing.assert_allclose(away.mean(axis=0), 0, atol=0.1)
    sure = replace(many, z1_log_variance=np.full_like(many.z1_mean, -80))
    codes = utterance_codes(sure, np.random.default_rng(1))
    np.testing.assert_allclose(codes["dynamic_sample"].values, codes["dynamic"].values, atol=1e-12)


def test_the_seed_draws_the_sample_and_nothing_else():
    first, again, other = (static_dynamic(LATENTS, TRIALS, seed) for seed in (1, 1, 2))
    assert first == again
    assert first["dynamic_sample"] != other["dynamic_sample"]
    assert first["gap"] == other["gap"]
