"""Text of a change stays text in a comment, as another reader of Markdown sees it."""

import comment_text
import pytest
from comment_text import code, folded, literal, table
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

READER = MarkdownIt("commonmark", {"html": True}).enable(["table"])
KEPT = {"table", "thead", "tbody", "tr", "th", "td", "p", "code", "ul", "li"}

HOSTILE = [
    "</details><img src=x>",
    "![x](http://evil.example/x.png)",
    "[a](http://evil.example)",
    "http://evil.example www.evil.example",
    "www.evil.example",
    "@octocat",
    "#1",
    "GH-1",
    "owner/repo#1",
    "0d6480cdeadbeef",
    "**bold** _slanted_ ~~gone~~ :smile: $x$",
    "_slanted_",
    "`code` `` more ``",
    "a | b \\| c",
    "\\",
    "<!-- hidden",
    "&lt;b&gt;",
    "- item",
    "1. item",
    "# head",
]


def seen(markdown: str) -> tuple[str, set[str]]:
    """What a reader sees of one paragraph, row or item, and the tags around it."""
    text, tags = "", set()
    for block in READER.parse(markdown):
        if block.type in ("html_block", "fence", "code_block"):
            tags.add(block.type)
        tags |= {block.tag} if block.tag else set()
        for token in block.children or []:
            if token.type == "html_inline" and token.content in ("<code>", "</code>"):
                continue
            tags |= {token.tag or token.type} - {"text", "text_special"}
            text += token.content
    return text, tags


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write", [literal, code])
def test_marks_stay_text_in_a_cell_and_in_a_sentence(text, write):
    shown = write(text)
    found, tags = seen(f"- {shown} must be there.")
    assert found == f"{text} must be there."
    assert tags <= KEPT
    found, tags = seen(table(["name", "value"], [[shown, "1"]]))
    assert found == f"namevalue{text}1"
    assert tags <= KEPT


@pytest.mark.parametrize("text", HOSTILE)
def test_what_only_github_would_mark_is_code(text):
    """Mentions, references and addresses: github.com makes none of them within code."""
    assert literal(text).startswith(("`", "<code>"))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M"]), min_size=1, max_size=60))
def test_any_letters_stay_what_they_are(text):
    found, tags = seen(table(["name", "value"], [[literal(text), "1"]]))
    assert found == f"namevalue{text}1"
    assert tags <= KEPT


@given(st.text(max_size=200))
def test_any_text_is_one_line_that_can_be_written(text):
    shown = literal(text)
    assert shown.encode().decode().splitlines() in ([shown], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("eer_mu2", "eer_mu2", id="a-name"),
        pytest.param("no such corpus", "no such corpus", id="a-reason"),
        pytest.param("metrics/verify.json", "metrics/verify.json", id="a-path"),
        pytest.param("-1.5", "-1.5", id="a-number"),
        pytest.param("\u00e9t\u00e9", "\u00e9t\u00e9", id="an-accent"),
        pytest.param("[1, 2]", "`[1, 2]`", id="a-list"),
        pytest.param("a\u202eb", "`a\\u202eb`", id="letters-turned-around"),
        pytest.param("a\x1b[31mb", "`a\\u001b[31mb`", id="color-of-a-terminal"),
        pytest.param("a\u200bb\ud800", "`a\\u200bb\\ud800`", id="unseen-and-half"),
        pytest.param("two\n lines\r\n", "two lines", id="lines"),
        pytest.param("a|b", "<code>a&#124;b</code>", id="a-column"),
        pytest.param("x" * 81, "x" * 77 + "...", id="long"),
    ],
)
def test_plain_words_stay_readable(text, expected):
    assert literal(text) == expected


def test_a_text_beyond_the_limit_is_cut_at_a_line_end_and_says_so():
    text = comment_text.capped("\u00e9" * 70 + "\n" + ("\u00e9" * 70 + "\n") * 500)
    assert len(text.encode()) <= comment_text.MOST_BYTES
    assert text.endswith(comment_text.CUT)
    assert set(text.removesuffix(comment_text.CUT).splitlines()) == {"\u00e9" * 70}
    assert comment_text.capped("short\n") == "short\n"


def test_a_cut_within_a_fold_closes_it():
    text = comment_text.capped(
        folded("first", "text") + "\n\n" + folded("second", "`</details>`\n" * 9000)
    )
    assert len(text.encode()) <= comment_text.MOST_BYTES
    assert [line for line in text.splitlines() if "details>" in line and "`" not in line] == [
        "<details><summary>first</summary>",
        "</details>",
        "<details><summary>second</summary>",
        "</details>",
    ]
    assert text.endswith("</details>" + comment_text.CUT)
