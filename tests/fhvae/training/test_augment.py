"""How segments are heard: levels as of louder samples and of added noise, bands that are hidden."""

import math

import numpy as np
import pytest
import torch

from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.model.network import FHVAE
from fhvae.model.objective import segment_terms
from fhvae.training.augment import Augmentation, Hearing, decibel_of
from tests.params_factory import fbank_params, model_params
from tests.training_factory import make_setting

FRAMES, SEGMENTS, MELS, BATCHES = 5, 4, 7, 3
STARTS = torch.zeros(BATCHES, SEGMENTS, dtype=torch.int64)
DECIBEL = torch.linspace(0.03, 0.09, MELS)
LEVERS = {"gain_db": 6.0, "noise_floor_db": (-30.0, -10.0), "mask_mels": 3}


def augmentation(rank: int = 0, decibel: torch.Tensor = DECIBEL, **levers) -> Augmentation:
    return Augmentation(make_setting(**levers).training, 0, rank, decibel)


def segments() -> torch.Tensor:
    return torch.randn(FRAMES, SEGMENTS, MELS, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_gain_is_that_of_louder_samples(power):
    params = fbank_params(power=power)
    random = np.random.default_rng(0)
    samples = random.integers(-3000, 3000, 4000).astype(np.int16)
    quiet, loud = log_mel(samples, params), log_mel(4 * samples, params)
    normalizer = Normalizer(random.normal(size=MELS), random.uniform(0.5, 3, MELS))
    one, four = (torch.from_numpy(normalizer.apply(one))[:, None] for one in (quiet, loud))
    gain = torch.tensor([[20 * math.log10(4)]])
    own = augmentation(decibel=decibel_of(normalizer, power), gain_db=20.0)
    found = own.change(one, Hearing(gain, None, None), 0)
    torch.testing.assert_close(found, four, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("over_db", "louder_db"),
    [
        pytest.param(0.0, 10 * math.log10(2), id="as-loud-doubles-the-power"),
        pytest.param(-10.0, 10 * math.log10(1.1), id="a-tenth-of-the-power"),
        pytest.param(-200.0, 0.0, id="far-below-nothing"),
        pytest.param(60.0, 60.0, id="far-above-the-floor-itself"),
    ],
)
def test_powers_of_sound_and_floor_add(over_db, louder_db):
    """Sound and floor lie at the same level in all bands, in decibels of the mean of train."""
    level = -7.0
    sound = (level * DECIBEL).expand(FRAMES, SEGMENTS, MELS)
    floor = torch.full((1, SEGMENTS), level + over_db)
    own = augmentation(noise_floor_db=(-30.0, -10.0))
    found = own.change(sound, Hearing(None, floor, None), 0)
    torch.testing.assert_close(found / DECIBEL, sound / DECIBEL + louder_db, rtol=0, atol=1e-4)


def test_each_segment_has_its_own_draw_within_the_limits():
    drawn = augmentation(**LEVERS).draw(0, torch.zeros(200, 50, dtype=torch.int64), MELS)
    assert drawn.gain_db.shape == drawn.floor_db.shape == (200, 50)
    for values, low, high in ((drawn.gain_db, -6, 6), (drawn.floor_db, -30, -10)):
        assert low <= values.min() < low + 0.1
        assert high - 0.1 < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.3
        assert len(set(values[0].tolist())) == 50
    first, end = drawn.hidden.unbind(-1)
    assert set((end - first).flatten().tolist()) == {0, 1, 2, 3}
    assert first.min() == 0
    assert end.max() == MELS


def test_levers_do_not_move_the_draws_of_each_other():
    together = augmentation(**LEVERS).draw(4, STARTS, MELS)
    for name, field in (
        ("gain_db", "gain_db"),
        ("noise_floor_db", "floor_db"),
        ("mask_mels", "hidden"),
    ):
        alone = augmentation(**{name: LEVERS[name]}).draw(4, STARTS, MELS)
        assert torch.equal(getattr(alone, field), getattr(together, field))
        assert [vars(alone)[other] for other in vars(alone) if other != field] == [None, None]
        for changed in (augmentation(1, **LEVERS).draw(4, STARTS, MELS),
                        augmentation(**LEVERS).draw(5, STARTS, MELS)):  # fmt: skip
            assert not torch.equal(getattr(changed, field), getattr(together, field))


def test_encoders_do_not_see_a_hidden_band_and_the_decoder_generates_it():
    own = augmentation(mask_mels=3)
    hidden = torch.tensor([[[0, 0], [2, 5], [6, 7], [0, 3]]])
    hearing = Hearing(None, None, hidden)
    whole = segments()
    (seen,) = own.hide(whole, hearing, 0)
    for segment, (first, end) in enumerate(hidden[0].tolist()):
        assert not seen[:, segment, first:end].any()
        kept = [band for band in range(MELS) if not first <= band < end]
        assert torch.equal(seen[:, segment, kept], whole[:, segment, kept])
    torch.manual_seed(0)
    network = FHVAE(MELS, FRAMES, model_params())
    loud = whole.clone()
    loud[:, 1, 2:5] += 3  # where segment 1 is hidden
    found = []
    for one in (whole, loud):
        noise = torch.Generator().manual_seed(1)
        mu2 = torch.zeros(SEGMENTS, 2)
        shown = own.hide(one, hearing, 0)
        found.append(segment_terms(network, one, mu2, torch.ones(SEGMENTS), noise, *shown))
    for name in ("kl_z1", "kl_z2"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name))
    same = (found[0].log_px == found[1].log_px).tolist()
    assert same == [True, False, True, True]


def test_without_levers_segments_are_not_touched():
    own, whole = augmentation(), segments()
    drawn = own.draw(0, STARTS, MELS)
    assert drawn == Hearing(None, None, None)
    assert own.change(whole, drawn, 0) is whole
    assert own.hide(whole, drawn, 0) == ()


@pytest.mark.parametrize("lever", ["gain_db", "noise_floor_db"])
def test_levels_need_the_scale_of_the_frames(lever):
    with pytest.raises(ValueError, match="need the scale of the frames"):
        Augmentation(make_setting(**{lever: LEVERS[lever]}).training, 0, 0, None)
