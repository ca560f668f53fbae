"""The mismatch plot: the same bytes twice, other numbers other bytes, and a reason."""

import copy

from fhvae.plots.mismatch import draw_mismatch, shown_pairs


def cell(rate):
    return {"per": rate, "per_low": rate - 0.02, "per_high": rate + 0.03}


def rates(offset):
    tests = ("clean", "female", "male", "noise0", "noise10", "noise5", "room")  # as JSON sorts
    train = ("clean", "male", "female", "few10", "noise10")
    return {one: {test: cell(offset + 0.05 * place) for place, test in enumerate(tests)}
            for one in train}  # fmt: skip


BASELINES, METRICS = {"per": {"fbank": rates(0.1)}}, {"per": {"z1": rates(0.2)}}
ALL = BASELINES["per"] | METRICS["per"]


def test_equal_metrics_equal_bytes_and_other_metrics_other_bytes(tmp_path):
    other = copy.deepcopy(METRICS)
    other["per"]["z1"]["male"]["female"] = cell(0.7)
    louder = {"per": {"fbank": rates(0.3)}}
    drawn = {"a": (BASELINES, METRICS), "b": (BASELINES, METRICS)}
    drawn |= {"c": (BASELINES, other), "d": (louder, METRICS)}
    for name, metrics in drawn.items():
        draw_mismatch(tmp_path / name, *metrics)
    first, again, *others = ((tmp_path / name).read_bytes() for name in drawn)
    assert first == again
    assert first not in others


def test_pairs_go_from_matched_to_mismatched():
    assert shown_pairs(ALL) == [
        ("clean", "clean"),
        ("male", "male"),
        ("male", "female"),
        ("female", "female"),
        ("female", "male"),
        ("clean", "noise10"),
        ("clean", "noise5"),
        ("clean", "noise0"),
        ("clean", "room"),
    ]


def test_a_corpus_without_genders_and_shares_is_drawn(tmp_path):
    plain = {name: {"clean": {"clean": cell(0.3)}} for name in ("fbank", "z1")}
    assert shown_pairs(plain) == [("clean", "clean")]
    draw_mismatch(tmp_path / "plain.png", {"per": plain}, {"per": {}})
    assert (tmp_path / "plain.png").stat().st_size > 0


def test_the_reason_is_drawn_where_nothing_was_recognized(tmp_path):
    for name, reason in (("a", "no transcript"), ("b", "another reason")):
        draw_mismatch(tmp_path / name, {}, {"absent": {"per": reason}})
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
