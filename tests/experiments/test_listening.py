"""Tables of verdicts that were made up, so that their means are known."""

import pandas as pd
import pytest

from experiments.listening import CONTROL, conversion_table, denoising_table, read, signed
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


@pytest.mark.parametrize("name", ["conversion.csv", "conversion_dev.csv"])
def test_recorded_verdicts_are_of_disjoint_speakers_and_each_once(name):
    verdicts = read(name)
    assert (verdicts.source != verdicts.target).all()
    assert not verdicts.duplicated(["method", "utt", "target"]).any()
    assert set(verdicts.source) == set(verdicts.target)


def test_no_speaker_that_chose_is_judged():
    assert not set(read("conversion.csv").source) & set(read("conversion_dev.csv").source)
