"""Progress bars tell what is done, in one line."""

from fhvae.progress import progress_bar


def test_the_name_of_a_file_is_no_order_to_a_terminal(capsys):
    list(progress_bar([1, 2], "calm\x1b[2J\nbefore", "block"))
    told = capsys.readouterr().err
    assert r"calm\x1b[2J\nbefore" in told
    assert "\x1b[2J" not in told
