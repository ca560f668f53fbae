"""The shipped model's figures: what they are computed of, and how the card writes them."""

import numpy as np
import torch

from experiments.ship import figures, mu1, shipped_card
from fhvae.model.card import Origin
from fhvae.model.network import FHVAE
from fhvae.model.weights import Calibration, TrainedModel
from fhvae.params.segments import SegmentsParams
from tests.latent_factory import make_latents, make_utterances
from tests.params_factory import MELS, fbank_params, model_params


def made(split, speakers, each):
    utterances = make_utterances(split, speakers, each)
    latents = make_latents(utterances)
    speaker_of = {one.utterance_id: one.speaker for one in utterances}
    return latents, [speaker_of[name] for name in latents.utterance_ids]


def test_mu1_is_the_mean_over_the_segments_of_an_utterance():
    latents, _ = made("test", 3, 2)
    for place, (offset, length) in enumerate(zip(latents.offsets, latents.lengths, strict=True)):
        own = latents.z1_mean[offset : offset + length].mean(axis=0)
        assert np.allclose(mu1(latents)[place], own, atol=1e-6)


def test_figures_are_of_all_pairs_and_the_card_has_them_in_percent():
    (dev, in_dev), (test, in_test) = made("dev", 3, 2), made("test", 7, 4)
    segments = SegmentsParams(frames=5, train_shift=3, shift=4)
    torch.manual_seed(0)
    network = FHVAE(MELS, segments.frames, model_params())
    origin = Origin("tones", 30.0, 0, "f" * 40)
    parts = {"origin": origin, "calibration": Calibration(10.0, -4.0)}
    trained = TrainedModel(network, segments, fbank_params(), **parts)
    found = figures(trained, {"dev": dev, "test": test}, {"dev": in_dev, "test": in_test})
    assert (found["target"], found["nontarget"]) == (7 * 6, 28 * 27 // 2 - 7 * 6)
    assert found["mu2"]["eer"] < 0.1 < found["mu1"]["eer"]  # z2 sits at a point of the speaker
    text = shipped_card(trained, {**found, "commit": origin.commit})
    assert f"| {100 * found['mu1']['eer']:.1f} | {100 * found['mu1']['eer_low']:.1f} to " in text
    assert "28 recordings of 7 test speakers, in all 42 pairs of one speaker and 336 of two" in text
    assert "fhvae.load()" in text
