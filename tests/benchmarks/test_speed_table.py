"""The page of speed is what the committed benchmarks say."""

from benchmarks.speed_table import PAGE, page, percent


def test_the_page_is_that_of_the_committed_results():
    """No number is typed by hand."""
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m benchmarks.speed_table`"


def test_shares_are_written_with_the_digits_that_count():
    assert percent(0.0312) == "3.1 %"
    assert percent(0.000417) == "0.042 %"
    assert percent(0.936) == "94 %"
