"""The nouns of a corpus and their checks."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.manifest import (
    COLUMNS,
    PARALLEL,
    PHONE_COLUMNS,
    Phone,
    Utterance,
    assign_splits,
    check_alignment,
    check_splits,
    in_split,
    move_speakers,
    phone_table,
    read_table,
    table_rows,
    utterance_table,
)
from fhvae.errors import CorpusError, TrialError


def utterance(name, speaker="s", split="train"):
    return Utterance(
        utterance_id=name, path="", speaker=speaker, gender="", text="", split=split, duration_s=1.0
    )


def corpus_of(**speakers):
    """One utterance per speaker; `corpus_of(train="ab", dev="cd")`."""
    return [
        utterance(f"{speaker}1", speaker, split)
        for split, names in speakers.items()
        for speaker in names
    ]


def test_in_split_sorts_by_id():
    items = [utterance(name) for name in "cab"] + [utterance("d", split="dev")]
    assert [item.utterance_id for item in in_split(items, "train")] == ["a", "b", "c"]


def test_a_sound_corpus_passes():
    twins = [dataclasses.replace(utterance("e1-noisy", "e", PARALLEL), twin="e1")]
    second = utterance("e2", "e", "test")
    check_splits([*corpus_of(train="ab", dev="cd", test="ef"), second, *twins], "here")


def test_two_utterances_of_test_must_be_of_one_speaker():
    """Told before any training; verify would find no target trial after it."""
    items = corpus_of(train="ab", dev="cd", test="efg")
    noisy = dataclasses.replace(utterance("e1-noisy", "e", PARALLEL), twin="e1")
    with pytest.raises(
        TrialError, match=r"split test must have a speaker with 2 utterances.* its 3 speakers have"
    ):
        check_splits([*items, noisy], "here")


def test_an_id_may_not_occur_twice():
    items = corpus_of(train="ab", dev="cd", test="ef")
    with pytest.raises(CorpusError, match="here: utterance_id must be unique, c1 occurs twice"):
        check_splits([*items, items[2]], "here")


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ({"train": "ab", "dev": "bc", "test": "ef"}, "train and dev must be disjoint, b"),
        ({"train": "ab", "dev": "cd", "test": "ea"}, "train and test must be disjoint, a"),
        ({"train": "ab", "dev": "cd", "test": "de"}, "dev and test must be disjoint, d"),
    ],
)
def test_a_speaker_stands_in_one_split(speakers, message):
    items = [
        dataclasses.replace(item, utterance_id=f"u{place}")
        for place, item in enumerate(corpus_of(**speakers))
    ]
    with pytest.raises(CorpusError, match=message):
        check_splits(items, "here")


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ({"train": "a", "dev": "cd", "test": "ef"}, "split train .* at least 2 speakers, found 1"),
        ({"train": "ab", "test": "ef"}, "split dev must have at least 2 speakers, found 0"),
        ({"train": "ab", "dev": "cd", "test": "e"}, "split test .* found 1"),
    ],
)
def test_a_split_needs_two_speakers(speakers, message):
    with pytest.raises(TrialError, match=message):
        check_splits(corpus_of(**speakers), "here")


@given(
    speakers=st.integers(6, 60),
    dev=st.floats(0.01, 0.4),
    test=st.floats(0.01, 0.4),
    seed=st.integers(0, 5),
)
def test_drawn_splits_follow_the_fractions(speakers, dev, test, seed):
    items = [
        utterance(f"{name}-{take}", str(name), "") for name in range(speakers) for take in "ab"
    ]
    drawn = assign_splits(items, dev, test, np.random.default_rng(seed))
    of_speaker = {item.speaker: item.split for item in drawn}
    assert [item.utterance_id for item in drawn] == [item.utterance_id for item in items]
    assert all(of_speaker[item.speaker] == item.split for item in drawn)
    sizes = [list(of_speaker.values()).count(split) for split in ("train", "dev", "test")]
    expected = [max(2, round(share * speakers)) for share in (dev, test)]
    assert sizes == [speakers - sum(expected), *expected]


def test_a_split_that_is_given_stays():
    items = [*corpus_of(test="ab"), *corpus_of(**{"": "cdefghij"}), utterance("a2", "a", "")]
    drawn = {item.utterance_id: item.split for item in assign_splits(items, 0.1, 0.1, rng())}
    assert drawn["a1"] == drawn["b1"] == drawn["a2"] == "test"
    assert "" not in drawn.values()


def test_the_draw_does_not_depend_on_the_order_of_rows():
    items = corpus_of(**{"": "abcdefghij"})
    forwards = {item.speaker: item.split for item in assign_splits(items, 0.2, 0.3, rng())}
    backwards = {item.speaker: item.split for item in assign_splits(items[::-1], 0.2, 0.3, rng())}
    assert forwards == backwards


@pytest.mark.parametrize(("fraction", "moved"), [(0.01, 2), (0.5, 5), (0.33, 3)])
def test_whole_speakers_are_moved_and_two_at_least(fraction, moved):
    items = [*corpus_of(dev="abcdefghij", train="xyz"), utterance("a2", "a", "dev")]
    found = move_speakers(items, "dev", "test", fraction, rng())
    splits = {item.speaker: item.split for item in found}
    assert [item.utterance_id for item in found] == [item.utterance_id for item in items]
    assert all(splits[item.speaker] == item.split for item in found)
    counts = [list(splits.values()).count(split) for split in ("train", "dev", "test")]
    assert counts == [3, 10 - moved, moved]


def rng():
    return np.random.default_rng(7)


def test_tables_are_written_and_read_alike(tmp_path):
    items = [
        dataclasses.replace(utterance("001", "07"), text='He said "no", then NA', duration_s=0.1),
        dataclasses.replace(utterance("NA", "null"), twin="001"),
    ]
    utterance_table(items).to_csv(tmp_path / "manifest.csv", index=False)
    rows = read_table(tmp_path / "manifest.csv", [*COLUMNS, "twin"]).to_dict("records")
    back = [Utterance(**{**row, "duration_s": float(row["duration_s"])}) for row in rows]
    assert back == items


def test_phone_table_has_the_columns_even_without_phones():
    assert tuple(phone_table([]).columns) == PHONE_COLUMNS
    table = phone_table([("u1", [Phone(0.0, 0.5, "a"), Phone(0.5, 0.75, "b")])])
    assert table.to_numpy().tolist() == [["u1", 0.0, 0.5, "a"], ["u1", 0.5, 0.75, "b"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv must have a header line, it is empty"),
        (b"\n\n", "t.csv must have a header line, it is empty"),
        (b"\xff\xfe\x00junk", "t.csv must be a CSV file in UTF-8: .*codec"),
        (b'a,b\n"1,2\n', "t.csv must be a CSV file in UTF-8: unexpected end of data"),
        (b"a,c\n1,2\n", "t.csv: column b must be there once, found a, c; needed are a, b"),
        (b"a;b\n1;2\n", "t.csv: column a must be there once, found a;b"),
        (b"a,b,a\n1,2,3\n", "t.csv: column a must be there once, found a, b, a"),
        (b"a,b\n1,2\n3\n", "t.csv row 3: must have 2 cells like the header, got 1"),
        (b"a,b\n1,2,3\n", "t.csv row 2: must have 2 cells .*got 3 .* double quotes"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        read_table(path, ["a", "b"])
    with pytest.raises(CorpusError, match=message):
        list(table_rows(path, ["a", "b"]))


def test_rows_are_walked_over_in_the_order_of_the_columns_asked_for(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeffa,b,c\n1,"2, two",3\n\n4,,6\n', encoding="utf-8")
    assert list(table_rows(path, ["c", "b"])) == [("3", "2, two"), ("6", "")]
    assert read_table(path, ["c", "b"]).to_numpy().tolist() == [["3", "2, two"], ["6", ""]]


def test_a_folder_in_place_of_a_table_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="must be a readable file"):
        read_table(tmp_path, ["a"])


ALIGNMENT = (Phone(0.1, 0.3, "a"), Phone(0.3, 0.5, "b"), Phone(0.7, 1.0, "c"))


def test_gaps_and_one_window_beyond_the_end_are_allowed():
    check_alignment("u1", ALIGNMENT, 0.98)
    check_alignment("u1", (), 0.5)


@pytest.mark.parametrize(
    ("place", "phone", "message"),
    [
        (1, Phone(0.2, 0.5, "b"), "phone b must start at or after 0.300 s"),
        (1, Phone(0.4, 0.4, "b"), "phone b must start .* end later, got 0.400 to 0.400"),
        (0, Phone(-0.1, 0.3, "a"), "phone a must start at or after 0.000 s"),
        (2, Phone(0.7, 1.2, "c"), "it ends at 1.200 s, the recording lasts 1.000 s"),
    ],
)
def test_alignments_run_forward_inside_the_utterance(place, phone, message):
    phones = [*ALIGNMENT]
    phones[place] = phone
    with pytest.raises(CorpusError, match=f"utterance u1: .*{message}"):
        check_alignment("u1", phones, 1.0)
