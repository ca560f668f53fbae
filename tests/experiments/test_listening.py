"""Tables of verdicts that were made up, so that their means are known."""

import pandas as pd
import pytest

from experiments.listening import (
    CONTROL,
    conversion_table,
    denoising_table,
    read,
    signed,
    stage_table,
)
from fhvae.intervals import Interval


def verdict(method, number, voice, edits, mos=3.0):
    return {
        "method": method,
        "source": f"s{number}",
        "target": f"s{(number + 1) % 7}",
        "utt": f"u{number}",
        "sim1": voice,
        "src1": 0.5,
        "sim2": voice / 2,
        "src2": 0.5,
        "mos": mos,
        "edits": edits,
        "phones": 10 + number,
    }


def cells(text, label):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_method_is_compared_on_the_pairs_it_has_with_the_control():
    rows = [verdict(CONTROL, number, 0.4 + number / 100, 1) for number in range(7)]
    rows += [verdict("pitch", number, 0.6 + number / 100, 2, mos=3.5) for number in range(6)]
    text = conversion_table(pd.DataFrame(rows))
    found = cells(text, "pitch only")
    assert found[:6] == ["6", "0.625", "0.312", "100 %", "0 %", "3.50"]
    assert found[6] == "16 %"  # 12 edits of 75 phones
    assert found[7] == "+0.200 [+0.200, +0.200]"
    assert found[9] == "+0.50 [+0.50, +0.50]"
    assert found[10].startswith("+8.0 [")
    assert cells(text, r"*control:* pitch + equalizer")[7:] == ["", "", "", ""]


def test_few_speakers_have_a_difference_without_bounds():
    assert signed(Interval(-0.0123), 3) == "-0.012"


def test_denoising_has_a_column_per_measure_and_ratio():
    rows = [
        {"method": method, "utt": utterance, "snr": ratio, "sisdr": ratio + gain, "stoi": 0.9}
        for method, gain in (("noisy", 0.0), ("fhown", 1.5))
        for utterance in ("a", "b", "c")
        for ratio in (10, 0)
    ]
    text = denoising_table(pd.DataFrame(rows), ("sisdr", "stoi"))
    assert cells(text, "noisy") == ["3", "0.00", "10.00", "0.90", "0.90"]
    assert "sisdr, 0 dB | sisdr, 10 dB | stoi, 0 dB" in text


def test_the_table_of_the_stage_says_who_won():
    def away(value, better):
        return {
            "value": value,
            "value_low": value - 0.1,
            "value_high": value + 0.1,
            "better": better,
        }

    found = {
        "utterances": 7,
        "speakers": 7,
        "noisy": {"stoi": 0.8, "lsd": 9.0},
        "fhvae": {"stoi": 0.7, "lsd": 5.0},
        "noisereduce": {"stoi": 0.65, "lsd": 5.0},
        "difference": {
            "fhvae-noisy": {"stoi": away(-0.1, "noisy"), "lsd": away(-4.0, "fhvae")},
            "fhvae-noisereduce": {"stoi": away(0.05, "neither")},
        },
    }
    text = stage_table(found, {"stoi": 2, "lsd": 1})
    assert cells(text, "noisy") == [
        *("0.80", "9.0"),
        "-0.10 [-0.20, +0.00] lost",
        "-4.0 [-4.1, -3.9] won",
    ]
    assert cells(text, "fhvae") == ["0.70", "5.0", "", ""]
    assert cells(text, "noisereduce") == ["0.65", "5.0", "+0.05 [-0.05, +0.15]", ""]


@pytest.mark.parametrize("name", ["conversion.csv", "conversion_dev.csv"])
def test_recorded_verdicts_are_of_disjoint_speakers_and_each_once(name):
    verdicts = read(name)
    assert (verdicts.source != verdicts.target).all()
    assert not verdicts.duplicated(["method", "utt", "target"]).any()
    assert set(verdicts.source) == set(verdicts.target)


def test_no_speaker_that_chose_is_judged():
    assert not set(read("conversion.csv").source) & set(read("conversion_dev.csv").source)
