"""Names of members: the safe ones pass unchanged, each unsafe one is refused for its reason."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.fetch.names import Tree, folded, name_problem, plain_name


@pytest.mark.parametrize(
    "name", ["a", "a/b.flac", "LibriSpeech/dev-clean/84/1-2.flac", "é", "a b", "ab:c", "...", "a.."]
)
def test_usual_names_pass(name):
    assert name_problem(name) is None
    assert plain_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "must be relative"),
        ("//a", "must be relative"),
        ("/", "must be relative"),
        ("C:/a", "must be relative"),
        ("c:a", "must be relative"),
        ("..", "must not lead out"),
        ("../a", "must not lead out"),
        ("a/../../b", "must not lead out"),
        ("a/..", "must not lead out"),
        ("a\\b", "must have no backslash"),
        ("..\\a", "must have no backslash"),
        ("a\0b", "must have no backslash and no control"),
        ("a\nb", "must have no backslash and no control"),
        ("a\x7f", "must have no backslash and no control"),
        ("a\x85", "must have no backslash and no control"),
        ("", "must have no empty part"),
        ("a//b", "must have no empty part"),
        ("a/./b", "must have no empty part"),
        ("a" * 256, "must have at most 255 bytes"),
        ("é" * 128, "must have at most 255 bytes"),
        ("abc/" * 256 + "a", "must have at most 255 bytes in a part, 1024 in all"),
        ("a\udcff", "must be UTF-8"),
    ],
)
def test_unsafe_names_are_refused(name, problem):
    assert name_problem(plain_name(name) or name).startswith(problem)


@pytest.mark.parametrize(
    ("packed", "plain"),
    [("./a", "a"), ("././a/", "a"), (".", ""), ("./", ""), (".//a", "a"), (".a", ".a")],
)
def test_what_packers_add_is_taken_off(packed, plain):
    assert plain_name(packed) == plain


@given(st.text(max_size=20))
def test_a_name_without_a_problem_stays_inside(name):
    if name_problem(name) is None:
        parts = name.split("/")
        assert parts
        assert {"", ".", ".."}.isdisjoint(parts)


@given(st.text(max_size=10))
def test_names_equal_up_to_case_and_normalization_fold_alike(name):
    assert folded(unicodedata.normalize("NFC", name)) == folded(name)
    assert folded(unicodedata.normalize("NFD", name)) == folded(name)
    assert folded(name.casefold()) == folded(name)


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        (("a", False), ("a", False), "must be there once only"),
        (("A", False), ("a", False), "must differ from 'A'"),
        (("A/x", False), ("a/y", False), "must differ from 'A'"),
        (("e\u0301", False), ("é", False), "must differ from"),
        (("straße", False), ("STRASSE", False), "must differ from"),
        (("a", False), ("a/b", False), "needs a folder where 'a' is a file"),
        (("a", False), ("a", True), "needs a folder where 'a' is a file"),
        (("a", True), ("a", False), "must not also be a folder"),
        (("a/b", False), ("a", False), "must not also be a folder"),
    ],
)
def test_collisions_are_told(first, second, problem):
    tree = Tree()
    assert tree.problem_of(*first) is None
    assert tree.problem_of(*second).startswith(problem)


def test_a_folder_may_be_named_again():
    tree = Tree()
    assert [tree.problem_of(*item) for item in (("a/b", False), ("a", True), ("a", True))] == [
        None
    ] * 3
