"""Files between stages: whole or not at all, equal when read back."""

import errno
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.manifest import read_table
from fhvae.errors import ArtifactError
from fhvae.files.atomic import (
    check_readable,
    link_folder,
    new_file,
    new_folder,
    read_json,
    write_csv,
    write_json,
    write_metrics,
)
from fhvae.files.packed import SAMPLES, TRACK, PackedWriter, frames_of, read_packed
from fhvae.files.shards import copy_ranges


class StoppedError(Exception):
    """What happens in the middle."""


def write_half_a_file(path):
    with new_file(path) as partial:
        partial.write_text("half")
        raise StoppedError


def write_half_a_folder(path):
    with new_folder(path) as partial:
        (partial / "half.txt").write_text("half")
        raise StoppedError


def pack_half(stem):
    with PackedWriter(stem, "int16") as writer:
        writer.append("a", np.arange(5))
        raise StoppedError


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with new_file(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names_in(path.parent) == ["a.txt"]


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o027, 0o077])
def test_modes_are_what_the_umask_leaves(tmp_path, umask):
    """A library writes in its own way: safetensors replaces the file by one of mode 0600."""
    before = os.umask(umask)
    try:
        with new_folder(tmp_path / "a") as folder:
            for name in ("plain", "own"):
                with new_file(folder / name) as partial:
                    partial.write_text("whole")
                    partial.chmod(0o600 if name == "own" else partial.stat().st_mode)
    finally:
        os.umask(before)
    paths = [tmp_path / "a", *sorted((tmp_path / "a").iterdir())]
    modes = [path.stat().st_mode & 0o777 for path in paths]
    assert modes == [0o777 & ~umask, 0o666 & ~umask, 0o666 & ~umask]


def test_a_file_that_may_not_be_read_is_not_called_missing(tmp_path):
    with pytest.raises(ArtifactError, match=r"gone must exist; rerun the stage train"):
        check_readable(tmp_path / "gone", "train")
    with pytest.raises(ArtifactError, match=r"must be readable, it is not \(Is a directory\)"):
        check_readable(tmp_path, "train")


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(StoppedError):
        write_half_a_file(path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_a_new_folder_replaces_all_of_the_old_one(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "stale.txt").write_text("old")
    with new_folder(folder) as partial:
        (partial / "fresh.txt").write_text("new")
        assert names_in(folder) == ["stale.txt"]
    assert names_in(folder) == ["fresh.txt"]
    assert names_in(tmp_path) == ["data"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with pytest.raises(StoppedError):
        write_half_a_folder(folder)
    assert names_in(folder) == ["old.txt"]
    assert names_in(tmp_path) == ["data"]


@given(
    lengths=st.lists(st.integers(0, 7), max_size=6),
    row_shape=st.sampled_from([(), (3,), (2, 5)]),
    dtype=st.sampled_from(["int16", "float32", "int64"]),
)
def test_packed_arrays_come_back_equal(tmp_path_factory, lengths, row_shape, dtype):
    """Any number of utterances, empty ones and none at all included."""
    stem = tmp_path_factory.mktemp("packed") / "train"
    random = np.random.default_rng(len(lengths))
    arrays = {
        f"u{place}": random.integers(-99, 99, (length, *row_shape)).astype(dtype)
        for place, length in enumerate(lengths)
    }
    with PackedWriter(stem, dtype, row_shape) as writer:
        for name, rows in arrays.items():
            writer.append(name, rows)
    packed = read_packed(stem)
    assert len(packed) == len(lengths)
    assert packed.rows.shape == (sum(lengths), *row_shape)
    assert packed.lengths.tolist() == lengths
    for (name, rows), expected in zip(packed.items(), arrays.items(), strict=True):
        assert name == expected[0]
        assert rows.dtype == dtype
        np.testing.assert_array_equal(rows, expected[1])


def test_utterances_are_found_by_their_id(tmp_path):
    parts = {"b": np.arange(3), "a": np.arange(5, 7), "c": np.arange(9, 13)}
    with PackedWriter(tmp_path / "test", "int16") as writer:
        for name, rows in parts.items():
            writer.append(name, rows)
    packed = read_packed(tmp_path / "test")
    for place, (name, rows) in enumerate(parts.items()):
        assert packed.of(name).tolist() == rows.tolist()
        assert packed.position(name) == place
        assert name in packed
    assert "d" not in packed
    for find in (packed.of, packed.position):
        with pytest.raises(ArtifactError, match="utterance d must be among the 3 packed ones and"):
            find("d")


def test_packed_ids_stay_text(tmp_path):
    names = ("007", "NA", "1e5", "null", "true", "with,comma")
    with PackedWriter(tmp_path / "train", "int16") as writer:
        for name in names:
            writer.append(name, np.arange(2))
    assert read_packed(tmp_path / "train").utterance_ids == names


def test_packed_arrays_are_plain_npy_that_cannot_be_written_to(tmp_path):
    with PackedWriter(tmp_path / "train", "float32", (2,)) as writer:
        writer.append("a", np.ones((3, 2)))
    np.testing.assert_array_equal(np.load(tmp_path / "train.npy"), np.ones((3, 2)))
    with pytest.raises(ValueError, match="read-only"):
        read_packed(tmp_path / "train").rows[0] = 0


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        with PackedWriter(tmp_path / name / "train", "int16") as writer:
            writer.append("a", np.arange(5))
    for suffix in (".npy", ".csv"):
        files = [(tmp_path / name / "train").with_suffix(suffix) for name in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_rows_of_another_shape_are_a_slip(tmp_path):
    with (
        PackedWriter(tmp_path / "train", "float32", (2,)) as writer,
        pytest.raises(ValueError, match=r"b: rows \(3,\), expected \(2,\)"),
    ):
        writer.append("b", np.ones((4, 3)))


def test_packing_that_fails_writes_no_index(tmp_path):
    with pytest.raises(StoppedError):
        pack_half(tmp_path / "train")
    with pytest.raises(ArtifactError, match=r"train\.csv must exist|cannot be read"):
        read_packed(tmp_path / "train")


def test_an_index_that_does_not_fit_its_array_is_refused(tmp_path):
    with PackedWriter(tmp_path / "train", "int16") as writer:
        writer.append("a", np.arange(5))
    write_csv(
        tmp_path / "train.csv",
        pd.DataFrame([("a", 0, 4)], columns=["utterance_id", "offset", "length"]),
    )
    with pytest.raises(ArtifactError, match=r"train\.csv must describe the 5 rows of train\.npy"):
        read_packed(tmp_path / "train")


INDEXES = {
    "negative": ("a,0,3\nb,-3,2\n", "row 3: offset must be a whole number from 0 on, found '-3'"),
    "wrong": ("a,0,3\nb,1,2\n", "utterance b must begin where the one before it ends, .* row 1"),
    "order": ("b,3,2\na,0,3\n", "utterance b must begin where the one before it ends, .* row 3"),
    "twice": ("a,0,3\na,3,2\n", "utterance_id must be another in each row, a occurs twice"),
    "huge": (
        f"a,0,3\nb,3,{2**62}\n",
        f"describe the 5 rows of train.npy, it describes {2**62 + 3}",
    ),
    "nameless": ("a,0,3\n,3,2\n", "row 3: utterance_id must be text, found ''"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_is_not_end_to_end_is_refused(tmp_path, name):
    """Wrong and negative offsets would be other rows, read in silence."""
    rows, said = INDEXES[name]
    with PackedWriter(tmp_path / "train", "int16") as writer:
        for part in ((0, 1, 2), (3, 4)):
            writer.append(f"u{part[0]}", np.array(part))
    (tmp_path / "train.csv").write_text("utterance_id,offset,length\n" + rows)
    with pytest.raises(ArtifactError, match=rf"train\.csv.* {said}"):
        read_packed(tmp_path / "train")


HEADERS = {
    "empty": lambda whole: b"",
    "pickle": lambda whole: whole.replace(b"'<i2'", b"'|O' "),
    "fortran": lambda whole: whole.replace(b"False", b"True "),
    "negative": lambda whole: whole.replace(b"(5,)", b"(-5)"),
    "zip": lambda whole: b"PK\x03\x04" + whole[4:],
    "length": lambda whole: whole[:8] + b"\xff\xff" + whole[10:],
    "open": lambda whole: whole.replace(b"{", b"("),
}


@pytest.mark.parametrize("name", HEADERS)
def test_another_header_than_ours_is_refused(tmp_path, name):
    with PackedWriter(tmp_path / "train", "int16") as writer:
        writer.append("a", np.arange(5))
    path = tmp_path / "train.npy"
    path.write_bytes(HEADERS[name](path.read_bytes()))
    with pytest.raises(ArtifactError, match=r"train\.npy must begin with the header of an array"):
        read_packed(tmp_path / "train")


def test_rows_of_another_kind_are_refused(tmp_path):
    with PackedWriter(tmp_path / "train", "float32", (3,)) as writer:
        writer.append("a", np.zeros((5, 3)))
    assert len(read_packed(tmp_path / "train", frames_of(3))) == 1
    for kind in (SAMPLES, TRACK, frames_of(4)):
        with pytest.raises(ArtifactError, match=r"must hold .*, it holds \[5, 3\] float32; rerun"):
            read_packed(tmp_path / "train", kind)


def test_a_number_that_is_not_finite_is_told_with_its_utterance(tmp_path):
    with PackedWriter(tmp_path / "train", "float32", (2,)) as writer:
        for name in "ab":
            writer.append(name, np.ones((3, 2)))
    path = tmp_path / "train.npy"
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    packed = read_packed(tmp_path / "train")
    assert packed[0].sum() == 6
    with pytest.raises(
        ArtifactError, match=r"train\.npy, utterance b: .* finite, found nan; rerun"
    ):
        packed.of("b")
    with pytest.raises(ArtifactError, match="must be finite, found nan"):
        packed.take(np.arange(6))
    with pytest.raises(ArtifactError, match="must be finite, found nan"):
        copy_ranges(packed.rows, packed.offsets, packed.lengths, np.empty((6, 2), np.float32))


def test_an_array_cut_short_is_refused(tmp_path):
    with PackedWriter(tmp_path / "train", "int16") as writer:
        writer.append("a", np.arange(5000))
    whole = (tmp_path / "train.npy").read_bytes()
    (tmp_path / "train.npy").write_bytes(whole[:-100])
    with pytest.raises(ArtifactError, match=r"train\.npy must have 10128 bytes .* 10028; rerun"):
        read_packed(tmp_path / "train")


def test_a_missing_array_names_the_file(tmp_path):
    with pytest.raises(ArtifactError, match=r"train\.npy must exist; rerun the stage"):
        read_packed(tmp_path / "train")


def test_metrics_are_sorted_rounded_and_plain(tmp_path):
    path = tmp_path / "metrics" / "verify.json"
    write_metrics(
        path,
        {
            "b": {"eer": np.float32(0.125), "count": np.int64(3), "fine": 0.12345678},
            "a": np.bool_(True),
        },
    )
    text = path.read_text()
    assert json.loads(text) == {"a": True, "b": {"count": 3, "eer": 0.125, "fine": 0.123457}}
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float64("nan")])
def test_a_metric_that_is_no_number_is_named(tmp_path, bad):
    with pytest.raises(ArtifactError, match=r"metric mu2\.cos\.eer must be a finite number"):
        write_metrics(tmp_path / "verify.json", {"mu2": {"cos": {"eer": bad}}})
    assert names_in(tmp_path) == []


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert names_in(tmp_path) == []


@given(
    value=st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.one_of(st.integers(-99, 99), st.floats(allow_nan=False, allow_infinity=False)),
            lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_json_comes_back_equal(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", "[]", "null"])
def test_what_is_no_json_object_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=r"a\.json is not a JSON object .*; rerun the stage"):
        read_json(path)


def test_tables_have_unix_line_ends(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"a": [1, 2]}))
    assert (tmp_path / "a.csv").read_bytes() == b"a\n1\n2\n"


@pytest.fixture
def two_folders(tmp_path):
    for name, text in (("source", "new"), ("target", "old")):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text(text)
    (tmp_path / "target" / "left over").write_text("old")
    return tmp_path / "source", tmp_path / "target"


def test_a_linked_folder_is_the_same_files(two_folders):
    source, target = two_folders
    link_folder(source, target)
    assert [path.name for path in target.rglob("*")] == ["inner", "file"]
    assert (target / "inner/file").samefile(source / "inner/file")


def test_without_hard_links_files_are_copied(two_folders, monkeypatch):
    def refuse(*names):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    source, target = two_folders
    link_folder(source, target)
    assert (target / "inner/file").read_text() == "new"
    assert not (target / "inner/file").samefile(source / "inner/file")


def test_a_link_to_the_cache_is_followed(two_folders):
    """With `cache.type symlink` a link to a link would hang in the air after `dvc gc`."""
    source, target = two_folders
    (source / "inner/file").rename(source.parent / "cached")
    (source / "inner/file").symlink_to(source.parent / "cached")
    link_folder(source, target)
    assert not (target / "inner/file").is_symlink()
    assert (target / "inner/file").read_text() == "new"


def test_a_replaced_file_leaves_the_linked_one_alone(two_folders):
    source, target = two_folders
    link_folder(source, target)
    write_json(source / "inner/file", {"other": 1})
    assert (target / "inner/file").read_text() == "new"


@pytest.mark.parametrize(
    "text",
    [
        *("a\rb", "\r", "b\r", "a\r\nb", "a\nb", "a\0b", "a\x85b", "a\u2028b"),
        *("\ufeffa", " a  ", '"', 'a,"\r"', "a\x1cb", "\t", ""),
    ],
    ids=ascii,
)
def test_texts_come_back_from_a_table_on_every_python(tmp_path, text):
    """The csv module of Python 3.11.7 does not quote a lone carriage return."""
    table = pd.DataFrame({"text": ["plain", text, "x"], "seconds": [0.1, 2.0, 1e-7]})
    write_csv(tmp_path / "a.csv", table)
    assert read_table(tmp_path / "a.csv", ["text", "seconds"]).to_numpy().tolist() == [
        ["plain", "0.1"],
        [text, "2.0"],
        ["x", "1e-07"],
    ]
