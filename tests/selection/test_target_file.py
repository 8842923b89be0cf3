"""Targets from files: ids by value and type, one target for each, in plain words if not."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import ArgumentError
from tidemill.selection.target_file import read_target_file
from tidemill.storage.layout import SinkLayout

INTEGERS = (pa.int64(),)


@pytest.fixture
def read(tmp_path):
    """The target of a table of Arrow or the text of a CSV file."""

    def read(given, id_types=INTEGERS, ids=("id",), column="y", interval=None):
        path = tmp_path / ("target.csv" if isinstance(given, str) else "target.parquet")
        if isinstance(given, str):
            path.write_text(given, encoding="utf-8")
        else:
            pq.write_table(given if isinstance(given, pa.Table) else pa.table(given), path)
        return read_target_file(SinkLayout.of(path), column, ids, id_types, interval)

    return read


def test_classes_numbers_and_switches_keep_their_types(read):
    assert read({"id": [1, 2], "y": [True, False]}).dtype == bool
    assert read({"id": [1, 2], "y": [0.5, 1.0]}).dtype == float
    assert read({"id": [1, 2], "y": [Decimal("0.5"), Decimal(1)]}).tolist() == [0.5, 1.0]
    assert read("id,y\n1,3\n2,4\n").dtype == "int64"
    assert read("id,y\n1,true\n2,false\n").dtype == bool
    assert read("id,y\n1,worn\n2,new\n").tolist() == ["worn", "new"]


def test_a_target_that_is_missing_is_left_out(read):
    assert read({"id": [1, 2, 3], "y": [3, None, 4]}).to_dict() == {1: 3, 3: 4}
    assert read({"id": [1, 2], "y": [float("nan"), 0.5]}).to_dict() == {2: 0.5}
    assert read("id,y\n1,3\n2,\n").to_dict() == {1: 3}


def test_an_empty_text_is_no_target_but_may_be_an_id(read):
    assert read('id,y\n1,good\n2,\n3,bad\n4,""\n').to_dict() == {1: "good", 3: "bad"}
    assert read("id,y\n1,good\n2,NA\n").to_dict() == {1: "good", 2: "NA"}
    assert read("id,y\n1,0.5\n2,NA\n").to_dict() == {1: 0.5}
    assert read('id,y\n"",good\nb,bad\n', [pa.string()]).to_dict() == {"": "good", "b": "bad"}
    assert read({"id": [1, 2], "y": ["good", ""]}).to_dict() == {1: "good", 2: ""}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_numbers_may_have_decimal_commas_between_other_delimiters(read, delimiter):
    rows = ["id;y", "1;0,25", "2;", "3;NA", "4;2", "5;-1,5e2"]
    text = "\n".join(rows).replace(";", delimiter)
    found = read(text)
    assert found.dtype == float
    assert found.to_dict() == {1: 0.25, 4: 2.0, 5: -150.0}
    classes = read(text.replace("NA", "none"))
    assert classes.to_dict() == {1: "0,25", 3: "none", 4: "2", 5: "-1,5e2"}


def test_ids_of_a_file_with_decimal_commas_stay_as_they_are(read):
    assert read("id;y\n1,5;0,5\n2;1\n", [pa.string()]).to_dict() == {"1,5": 0.5, "2": 1.0}


def test_ids_are_read_in_the_type_of_the_matrix(read):
    assert list(read("id,y\n007,1\n008,2\n", [pa.string()]).index) == ["007", "008"]
    assert list(read({"id": pa.array([1, 2], pa.int8()), "y": [1, 2]}).index) == [1, 2]
    text = pa.array(["a", "b"]).dictionary_encode()
    assert list(read({"id": text, "y": [1, 2]}, [pa.string()]).index) == ["a", "b"]
    found = read("plant,pump,y\na,1,5\na,2,6\n", [pa.string(), pa.int64()], ["plant", "pump"])
    assert list(found.index) == [("a", 1), ("a", 2)]
    assert found.index.names == ["plant", "pump"]


@pytest.mark.parametrize(
    "text", ["id;y\n1;5\n", "id\ty\n1\t5\n", '"id","more, or less",y\n1,x,5\n']
)
def test_the_delimiter_is_told_from_the_first_line(read, text):
    assert read(text).to_dict() == {1: 5}


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ("id,z\n1,2\n", {}, r"has no column 'y'; it has 'id', 'z'"),
        ({"id": [1], "z": [2]}, {}, r"has no column 'y'; it has 'id', 'z'"),
        ("id,y\n1,2\n1,3\n", {}, r"has several rows for the ids 1; keep one"),
        ({"id": [1, None], "y": [2, 3]}, {}, "column_id='id' of the target lacks 1 ids"),
        ({"id": ["1"], "y": [2]}, {}, "holds string in the target and int64 in the matrix"),
        ("id,y\nx,2\n", {}, "cannot be read: .*conversion error to int64"),
        ({"id": [300], "y": [2]}, {"id_types": [pa.int8()]}, "holds ids that int8 cannot hold"),
        ("id,y\n1,2\n", {"column": "id"}, "column_target='id' is not allowed"),
        ("id,y,y\n1,2,3\n", {}, r"has several columns 'y'; rename or drop all but one"),
        ("id,id,y\n1,2,3\n", {}, r"has several columns 'id'; rename"),
        (
            pa.table([[1], [2], [3]], names=["id", "y", "y"]),
            {},
            r"target.parquet' has several columns 'y'; rename",
        ),
        (
            {"id": [1], "y": [2]},
            {"ids": ["id", "id"], "id_types": INTEGERS * 2},
            r"column_id=\['id', 'id'\] names a column twice; name each",
        ),
        ({"id": [1], "y": [[2]]}, {}, r"column_target='y' of .* holds list<.*; give a column of t"),
        ({"id": [1], "y": [{"a": 2}]}, {}, r"holds struct<.*; give a column of text"),
        ('id,y\n1,"0,5"\n2,"1"\n', {}, r"holds numbers with commas, such as '0,5', which is not"),
    ],
)
def test_what_cannot_be_used_is_named(read, given, options, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        read(given, **options)


def test_a_file_that_is_not_there_or_damaged_is_named(tmp_path):
    missing = SinkLayout.of(tmp_path / "none.csv")
    with pytest.raises(ArgumentError, match="does not exist; check the path"):
        read_target_file(missing, "y", ["id"], [pa.int64()])
    (tmp_path / "half.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArgumentError, match=r"half.parquet' cannot be read"):
        read_target_file(SinkLayout.of(tmp_path / "half.parquet"), "y", ["id"], [pa.int64()])


@pytest.mark.parametrize("name", ["folder.csv", "folder.parquet"])
def test_a_folder_is_no_target(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(ArgumentError, match=rf"{name}' is a folder; give one Parquet or CSV file"):
        read_target_file(SinkLayout.of(tmp_path / name), "y", ["id"], [pa.int64()])


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("id,y\n1,grün\n2,rot\n".encode("latin-1"))
    with pytest.raises(ArgumentError, match="holds text that is not UTF-8; save the file as UTF-8"):
        read_target_file(SinkLayout.of(path), "y", ["id"], [pa.int64()])


def test_timestamps_with_and_without_zone_are_not_the_same(read):
    times = pd.Series(pd.date_range("2030-01-01", periods=2))
    with pytest.raises(ArgumentError, match="so no ids can be the same"):
        read({"id": pa.array(times), "y": [1, 2]}, [pa.timestamp("us", "UTC")])


@pytest.mark.parametrize(
    "given",
    [
        "day,id,y\n2026-11-17,1,3\n2026-11-18,1,4\n",
        {"day": ["2026-11-17", "2026-11-18"], "id": [1, 1], "y": [3, 4]},
        {"day": pd.DatetimeIndex(["2026-11-17", "2026-11-18"]), "id": [1, 1], "y": [3, 4]},
    ],
    ids=["csv", "text", "times"],
)
def test_the_start_of_an_interval_is_the_first_level(read, given):
    found = read(given, interval="day")
    assert found.index.names == ["interval", "id"]
    assert [(str(day)[:10], id_) for day, id_ in found.index] == [
        ("2026-11-17", 1), ("2026-11-18", 1),
    ]  # fmt: skip
    assert found.tolist() == [3, 4]


def test_a_column_has_one_role(read):
    for interval in ("id", "y"):
        with pytest.raises(ArgumentError, match=f"column_interval='{interval}' is not allowed"):
            read("id,y\n1,2\n", interval=interval)
    with pytest.raises(ArgumentError, match="has no column 'day'"):
        read("id,y\n1,2\n", interval="day")
