"""Tables between stages: cells come back as what they are, anything else is told with its row."""

import math
import os

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.manifest import read_lines
from fhvae.errors import ArtifactError, CorpusError
from fhvae.files.atomic import read_json, write_csv
from fhvae.files.columns import ANY_TEXT, COUNT, MEASURE, SHARE, UNIQUE, Column, read_csv

COLUMNS = {"id": UNIQUE, "said": ANY_TEXT, "count": COUNT, "share": SHARE, "measure": MEASURE}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@given(
    ids=st.lists(texts.filter(bool), unique=True, max_size=5),
    said=st.lists(texts, min_size=5, max_size=5),
    count=st.integers(0, 2**63 - 1),
    share=st.floats(0, 1),
    measure=st.floats(allow_infinity=False),
)
def test_what_is_written_comes_back(tmp_path_factory, ids, said, count, share, measure):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    rows = [(name, said[place], count, share, measure) for place, name in enumerate(ids)]
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))
    table = read_csv(path, COLUMNS, "fbank")
    assert list(table) == list(COLUMNS)
    for found, row in zip(table.itertuples(index=False), rows, strict=True):
        assert tuple(found)[:4] == row[:4]
        assert found.measure == row[4] or (math.isnan(found.measure) and math.isnan(row[4]))


BROKEN = {
    "missing": (None, r"t\.csv must exist;"),
    "empty": (b"", r"t\.csv must have a header line, it is empty"),
    "column": (b"id,said,count,share\n", "column measure must be there once"),
    "twice": (b"id,id,said,count,share,measure\n", "column id must be there once"),
    "short": (b"id,said,count,share,measure\na,b\n", "row 2: must have 5 cells .* got 2"),
    "long": (b"id,said,count,share,measure\na,b,1,0,0,9\n", "row 2: must have 5 cells .* got 6"),
    "no-id": (b"id,said,count,share,measure\n,b,1,0,0\n", "row 2: id must be text, found ''"),
    "word": (
        b"id,said,count,share,measure\na,,1,0,0\nb,,x,0,0\n",
        "row 3: count must be a whole number from 0 on, found 'x'",
    ),
    "negative": (b"id,said,count,share,measure\na,,-1,0,0\n", "row 2: count .* found '-1'"),
    "fraction": (b"id,said,count,share,measure\na,,1.0,0,0\n", "row 2: count .* found '1.0'"),
    "underscore": (b"id,said,count,share,measure\na,,1_0,0,0\n", "row 2: count .* found '1_0'"),
    "huge": (b"id,said,count,share,measure\na,,%d,0,0\n" % 2**63, "row 2: count must be a whole"),
    "endless": (b"id,said,count,share,measure\na,," + b"9" * 400 + b",0,0\n", "count must be a"),
    "above": (b"id,said,count,share,measure\na,,1,1.5,0\n", "share .* from 0 on up to 1, found"),
    "nan": (b"id,said,count,share,measure\na,,1,nan,0\n", "share must be a finite number"),
    "infinite": (b"id,said,count,share,measure\na,,1,0,inf\n", "measure .* found 'inf'"),
    "repeated": (
        b"id,said,count,share,measure\na,,1,0,0\nb,,1,0,0\na,,1,0,0\n",
        "id must be another in each row, a occurs twice",
    ),
    "latin": (b"id,said,count,share,measure\na,\xe9,1,0,0\n", "must be a CSV file in UTF-8"),
    "quote": (b'id,said,count,share,measure\na,"b,1,0,0\n', "must be a CSV file in UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_told(tmp_path, name):
    content, said = BROKEN[name]
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{said}.*rerun the stage fbank$"):
        read_csv(tmp_path / "t.csv", COLUMNS, "fbank")


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(ArtifactError, match="must be a readable file"):
        read_csv(tmp_path, COLUMNS, "fbank")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(ArtifactError, match="must be a readable file: it is no regular file"):
        read_csv(tmp_path / "t.csv", COLUMNS, "fbank")
    with pytest.raises(ArtifactError, match=r"must be readable, it is not \(it is no regular file"):
        read_json(tmp_path / "t.csv")
    with pytest.raises(CorpusError, match=r"must be a readable text .*: .* no regular file"):
        read_lines(tmp_path / "t.csv")


def test_optional_columns_may_be_left_out_and_others_are(tmp_path):
    (tmp_path / "t.csv").write_text("label,more,lsd\ntarget,x,\n")
    columns = {
        "label": Column(among=("target", "nontarget")),
        "lsd": Column(float, empty=True, optional=True),
        "mcd": Column(float, optional=True),
    }
    table = read_csv(tmp_path / "t.csv", columns, "verify")
    assert list(table) == ["label", "lsd"]
    assert math.isnan(table["lsd"][0])
    (tmp_path / "t.csv").write_text("label\nboth\n")
    with pytest.raises(ArtifactError, match="label must be one of target, nontarget, found 'both'"):
        read_csv(tmp_path / "t.csv", {"label": columns["label"]}, "verify")
