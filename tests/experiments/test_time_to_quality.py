"""Time to quality: the plan can be trained, and times are read off curves as they should be."""

import pytest

from experiments.time_to_quality import (
    PAGE,
    page,
    params_of,
    planned,
    read_plan,
    seconds_to,
)


@pytest.mark.parametrize("corpus", list(read_plan()["targets"]))
def test_every_course_is_a_set_of_params(corpus):
    courses = list(planned(corpus, [0, 3]))
    assert {params_of(course).seed for course in courses} == {0, 3}
    assert len({course.result for course in courses}) == len(courses)


def curve(*percents):
    return [
        {"cpu_s": 10.0 * (place + 1), "eer_mu2": percent / 100}
        for place, percent in enumerate(percents)
    ]


@pytest.mark.parametrize(
    ("percents", "seconds"),
    [
        pytest.param((9, 5, 4, 4), 20.0, id="reached"),
        pytest.param((9, 5, 6, 5, 5), 40.0, id="one-lucky-look-does-not-count"),
        pytest.param((9, 8, 7), None, id="never"),
        pytest.param((9, 8, 5), None, id="the-last-look-has-no-witness"),
    ],
)
def test_a_target_is_reached_where_two_looks_say_so(percents, seconds):
    assert seconds_to(curve(*percents), 5) == seconds


def test_the_tables_are_those_of_the_committed_curves():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m experiments.time_to_quality table`"
    )
