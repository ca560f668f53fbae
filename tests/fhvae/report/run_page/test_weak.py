"""What is weak: verdicts follow from intervals, thin counts and absent values are named."""

from fhvae.report.run_page.weak import (
    absent_table,
    changed_table,
    differences,
    differences_table,
    thin_table,
)


def bounds(name: str, value: float, half: float) -> dict:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


METRICS = {
    "verify": {
        "difference": {
            "cos": {
                "mu2-fbank": {**bounds("eer", -0.1, 0.02), "better": "mu2"},
                "mu2-ivector": {**bounds("eer", 0.01, 0.02), "better": "neither"},
                "mu2-pca": {**bounds("eer", 0.1, 0.02), "better": "pca"},
                "mu2-level": {**bounds("eer", 0.1, 0.02), "better": "level"},
                "mu2-baseline": {**bounds("eer", 0.1, 0.02), "better": "pca", "baseline": "pca"},
            },
            "best": {"mu2-untrained": {"eer": -0.2}},
        }
    },
    "probe": {
        "phone": {
            "z1_minus": {
                "linear": {
                    "pca": bounds("accuracy", 0.06, 0.01),
                    "z1z2": bounds("accuracy", -1, 0.1),
                },
                "mlp": {
                    "pca": bounds("accuracy", -0.01, 0.02),
                    "fbank": bounds("accuracy", -0.1, 0.02),
                },
            }
        }
    },
    "recognize": {"gap": {"z1": {"male": {"female": bounds("gain", 0.2, 0.05)}}}},
}


def test_verdicts_follow_from_the_intervals():
    found = {one.what: one.verdict for one in differences(METRICS)}
    assert found == {
        "EER of mu2 minus that of FBANK, cosine": "better",
        "EER of mu2 minus that of the i-vector best on dev by cosine, cosine": "level",
        "EER of mu2 minus that of PCA, cosine": "worse",
        "EER of mu2 minus that of untrained networks, best supervised back-end": "no verdict",
        "phone accuracy of z1 minus that of PCA, linear probe": "better",
        "phone accuracy of z1 minus that of PCA, probe with a hidden layer": "level",
        "phone accuracy of z1 minus that of FBANK, probe with a hidden layer": "worse",
        "PER of FBANK minus that of z1, male to female": "better",
    }


def test_a_table_holds_the_verdicts_that_were_asked_for():
    rows = differences_table(differences(METRICS), ("worse",), "").rows
    assert [row[1:] for row in rows] == [
        ("10.0 [8.0, 12.0]", "worse"),
        ("-10.0 [-12.0, -8.0]", "worse"),
    ]
    assert differences({"verify": {}, "probe": {}}) == []


def test_changed_speech_is_sorted_by_who_won_a_measure():
    one = {"stoi": {"better": "noisy"}, "lsd": {"better": "fhvae"}, "mcd": {"better": "neither"}}
    convert = {
        "conversion": {"difference": {"fhvae-pitch": {"f0": {"value": 1.0}}}},
        "denoising": {
            "noise0": {"difference": {"fhvae-noisy": one}},
            "noise20": {"difference": {"fhvae-noisy": {"si_sdr": {"better": "noisy"}}}},
        },
    }
    assert changed_table(convert).rows == [
        ("noise at 20 dB, beside: noisy", "-", "-", "SI-SDR"),
        ("noise at 0 dB, beside: noisy", "LSD", "MCD", "STOI"),
    ]
    assert changed_table({"absent": {"conversion": "one speaker"}}).rows == []


def test_error_rates_of_few_errors_are_named():
    few = {**bounds("eer", 0.01, 0.005), "n_err_eer": 7, "rule_of_30": 0}
    many = {**bounds("eer", 0.2, 0.05), "n_err_eer": 134, "rule_of_30": 1}
    verify = {
        "speakers": 24,
        "random": {"cos": few},
        "mu2": {"cos": many, "best": few, "plda": few},
        "absent": {"x": "y"},
    }
    assert thin_table(verify).rows == [("mu2.best", "7", "1.0 [0.5, 1.5]")]


def test_what_is_absent_stands_with_its_reason():
    metrics = {
        "verify": {"absent": {"b": "no sessions", "a": "no pauses", "c": "no pauses"}},
        "f0": {},
        "x": {"absent": {}},
    }
    assert absent_table(metrics).rows == [
        ("verify", "a, c", "no pauses"),
        ("verify", "b", "no sessions"),
    ]
    assert absent_table(metrics).caption == "Absent or partial, and why."
