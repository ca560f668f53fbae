"""The card of a model: what strangers wrote of its origin stays words."""

import pytest
from markdown_it import MarkdownIt

from fhvae.model.card import Origin, card
from fhvae.params.whole import load_params
from tests.params_factory import fbank_params, model_params


def shown(**origin):
    return card(Origin(**origin), model_params(), load_params().segments, fbank_params(), 99)


def test_plain_words_stand_as_they_are():
    text = shown(corpus="speechocean762", data="108 adults (CC BY 4.0): of which 72 train")
    assert (
        "| corpus | speechocean762 |\n| data | 108 adults (CC BY 4.0): of which 72 train |" in text
    )


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        "a | b",
        "a\n\n# A heading\n\n---\nlicense: mit",
        "[a link](javascript:alert)",
        "![a picture](https://host/x.png)",
        "`code` **bold** _low_ \\| \x1b[31m",
    ],
)
def test_words_of_a_stranger_stay_words(words):
    page = shown(corpus=words).split("---\n", 2)[2]
    html = MarkdownIt("gfm-like", {"linkify": False}).render(page)
    cells = html.split("<td>corpus</td>\n")[1].split("\n</tr>")[0]
    assert cells.count("<td>") == 1
    inside = cells.removeprefix("<td>").removesuffix("</td>")
    assert "<" not in inside
    assert html.count("<h1>") == 1


def test_a_licence_adds_no_line_to_the_header():
    text = shown(licence="MIT\npipeline_tag: <x>")
    assert text.splitlines()[3:5] == ["license: mit-pipeline-tag---x-", "---"]
