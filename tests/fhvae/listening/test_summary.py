"""Means, paired differences and verdicts, worked out by hand; sounds come back as they were."""

import numpy as np
import pytest
import soundfile

from fhvae.listening.conversions import Converted
from fhvae.listening.denoisings import Denoised
from fhvae.listening.pairs import Pair
from fhvae.listening.summary import summarize, summarize_ratios, table, write_sounds

SPEAKERS = 7


def ring(rows):
    """One conversion of each speaker into the next."""
    names = [f"s{number}" for number in range(SPEAKERS)]
    return [
        Converted(Pair(name, names[(place + 1) % SPEAKERS]), f"{name}_1", rows(place), {})
        for place, name in enumerate(names)
    ]


def test_means_and_the_direction_of_better():
    jitter = [0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.02]
    found = summarize(
        ring(
            lambda place: {
                "fhvae": {"lsd": 5.0 + place, "stoi": 0.5, "mcd": 4.0 + jitter[place]},
                "control": {"lsd": 6.0 + place + jitter[place], "stoi": 0.9, "mcd": 4.0},
            }
        ),
        "fhvae",
    )
    assert (found["utterances"], found["speakers"]) == (SPEAKERS, SPEAKERS)
    assert found["fhvae"]["lsd"] == pytest.approx(8.0)
    difference = found["difference"]["fhvae-control"]
    assert difference["lsd"]["value"] == pytest.approx(-1.0)
    assert difference["lsd"]["value_high"] < -0.8  # although each alone varies by 2
    assert found["fhvae"]["lsd_low"] < 7
    verdicts = {measure: one["better"] for measure, one in difference.items()}
    assert verdicts == {"lsd": "fhvae", "stoi": "control", "mcd": "neither"}


def test_edits_are_shares_of_all_phones():
    found = summarize(
        ring(lambda place: {"fhvae": {"phone_edits": float(place), "phones": 10.0 + place}}),
        "fhvae",
    )
    assert found["fhvae"]["phone_edits"] == pytest.approx(21 / 91)
    assert "phones" not in found["fhvae"]


def test_what_is_unknown_of_one_utterance_leaves_it_out_of_the_mean_alone():
    found = summarize(
        ring(
            lambda place: {
                "fhvae": {"f0": 2.0, "lsd": 1.0} if place else {"lsd": 8.0},
                "control": {"f0": 3.0 if place else 99.0, "lsd": 1.0},
            }
        ),
        "fhvae",
    )
    assert found["fhvae"]["f0"] == pytest.approx(2.0)
    assert found["fhvae"]["lsd"] == pytest.approx(2.0)
    assert found["difference"]["fhvae-control"]["f0"]["value"] == pytest.approx(-1.0)


def denoised(domain, speaker, value):
    rows = {"noisy": {"si_sdr": 0.0}, "fhvae": {"si_sdr": value}}
    return Denoised(domain, Pair(speaker, speaker), f"{speaker}_1", rows, {})


def test_ratios_stand_apart_and_few_speakers_have_no_verdict():
    items = [denoised(f"noise{ratio}", who, ratio) for ratio in (5.0, 0.0) for who in "abc"]
    found = summarize_ratios(items, "fhvae")
    assert list(found) == ["noise5.0", "noise0.0"]
    assert found["noise5.0"]["difference"]["fhvae-noisy"] == {"si_sdr": {"value": 5.0}}


def test_a_row_per_utterance_and_method():
    found = table([denoised("noise5", "a", 1 / 3)])
    assert found.to_dict("records") == [
        {
            "domain": "noise5",
            "utterance_id": "a_1",
            "source": "a",
            "target": "a",
            "method": method,
            "si_sdr": value,
        }
        for method, value in (("noisy", "0"), ("fhvae", "0.333333"))
    ]


def test_sounds_that_are_kept_come_back_bit_for_bit(tmp_path):
    samples = np.random.default_rng(1).integers(-20000, 20000, 999).astype(np.int16)
    kept = {"fhvae": samples, "target": samples[:500]}
    pair = Pair("a", "b")
    items = [
        Converted(pair, "a_1", {}, {}),
        Converted(pair, "a_2", {}, kept),
        Converted(pair, "a_3", {}, kept),
        Denoised("noise5", pair, "a_1", {}, {"noisy": samples}),
    ]
    write_sounds(tmp_path, items)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("convert-1-fhvae.flac", "convert-1-target.flac"),
        *("convert-2-fhvae.flac", "convert-2-target.flac", "noise5-1-noisy.flac"),
    ]
    found, rate_hz = soundfile.read(tmp_path / "convert-2-target.flac", dtype="int16")
    assert rate_hz == 16_000
    assert np.array_equal(found, samples[:500])
