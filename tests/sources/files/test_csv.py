"""CSV: files as people have them, errors that name the place, and the partition step."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import DataError, SourceError
from tidemill.execution.spill import run_spill_task, spill_tasks
from tidemill.model.plan import GroupSpan, Plan
from tidemill.model.policies import Policies
from tidemill.model.source import Reading
from tidemill.planning.parts import make_parts
from tidemill.sources.files import csv_rows, csv_text
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_part, read_span
from tidemill.sources.files.schema import input_columns
from tidemill.sources.files.statistics import gather_statistics


def read_series(location, spill_dir, **roles):
    source = open_source(location, column_id="id", **roles)
    statistics = gather_statistics(source)
    layout, parts = make_parts(source, statistics, lambda *_: 0.0, part_bytes=3000)
    plan = Plan("key", source, {}, Policies(), layout, parts, (), {})
    for task in spill_tasks(plan):
        run_spill_task(plan, task, str(spill_dir))
    return {
        (id_, kind): block.values[block.starts[place] : block.stops[place]].tolist()  # noqa: PD011
        for part in parts
        for batch in read_part(plan, part, str(spill_dir), needs_times=False)
        for kind, block in batch.blocks.items()
        for place, id_ in enumerate(batch.ids.to_pylist())
    }


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": rng.integers(0, 20, 1000),
            "time": pd.date_range("2024-01-01", periods=1000, freq="min"),
            "x": rng.normal(size=1000).round(3),
        }
    )


def expected(frame):
    return {(id_, "x"): rows["x"].tolist() for id_, rows in frame.groupby("id")}


@pytest.mark.parametrize("as_text", [False, True])
def test_series_of_several_files(tmp_path, frame, as_text):
    if as_text:
        frame["id"] = frame["id"].map('id "{:02d}", \n'.format)  # quotes, commas, line ends
    (tmp_path / "in").mkdir()
    frame.iloc[:600].to_csv(tmp_path / "in/a.csv", index=False)
    with gzip.open(tmp_path / "in/b.csv.gz", "wt") as file:
        frame.iloc[600:].to_csv(file, index=False)
    series = read_series(tmp_path / "in", tmp_path / "spill", column_sort="time")
    assert series == expected(frame)


def test_long_format(tmp_path, frame):
    frame["kind"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "a.csv", index=False)
    series = read_series(tmp_path, tmp_path / "spill", column_sort="time", column_kind="kind")
    groups = frame.groupby(["id", "kind"])["x"]
    assert series == {key: values.tolist() for key, values in groups}


def test_whole_numbers_may_go_on_with_fractions(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(csv_text, "HEAD_BYTES", 500)
    frame.loc[:800, "x"] = 7
    text = frame.to_csv(index=False).replace(",7.0", ",7")
    (tmp_path / "a.csv").write_text(text)
    assert read_series(tmp_path, tmp_path / "spill", column_sort="time") == expected(frame)


def test_a_value_that_does_not_parse_is_named(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(csv_text, "HEAD_BYTES", 500)
    lines = frame.to_csv(index=False).splitlines()
    lines[900] = lines[900].rpartition(",")[0] + ",oops"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(
        SourceError, match=r"a\.csv: column 'x', row 900: 'oops' is not a number.*csv_null"
    ):
        read_series(tmp_path, tmp_path / "spill", column_sort="time")


def test_files_of_different_columns_or_types(tmp_path, frame):
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.drop(columns="x").assign(y=1).to_csv(tmp_path / "b.csv", index=False)
    source = open_source(tmp_path, column_id="id", column_sort="time")
    assert (source.kinds, source.lacking) == (("x", "y"), ("x", "y"))
    frame.assign(id="one").to_csv(tmp_path / "b.csv", index=False)
    assert open_source(tmp_path, column_id="id", column_sort="time").id_type == "string"


def test_text_in_a_column_of_values(tmp_path, frame):
    frame.assign(x="n.a.").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SourceError, match=r"column 'x', row 1: 'n\.a\.' is not a number"):
        open_source(tmp_path, column_id="id", column_sort="time")


@pytest.mark.parametrize("id_", ["", "1"])
def test_missing_ids(tmp_path, id_):
    (tmp_path / "a.csv").write_text(f"id,x\n{id_ or 'a'},1\n,2\n")
    with pytest.raises(DataError, match=r"a\.csv: column 'id' is (empty|null) in 1"):
        gather_statistics(open_source(tmp_path, column_id="id"))


def test_an_empty_file(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(SourceError, match=r"a\.csv is empty"):
        open_source(tmp_path, column_id="id")
    (tmp_path / "a.csv").write_text("id,x\n")
    with pytest.raises(SourceError, match="has no rows"):
        open_source(tmp_path, column_id="id")
    (tmp_path / "b.csv").write_text("id,x\n1,0.5\n")
    assert open_source(tmp_path, column_id="id").id_type == "int64"


# Files as people have them: the bytes of a file, the options, and what is read


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def rows_of(folder, content, *, name="a.csv", reading=None, **roles):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    reading = Reading(**(reading or {}))
    source = open_source(folder / name, column_id="id", reading=reading, **roles)
    columns = input_columns(source.columns)
    batches = read_span(source, GroupSpan(0, 0, 1), columns)
    rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert source.rows == len(rows)
    return rows


TWO = [(1, 0.5), (2, 1.5)]
READ = {
    "semicolons and decimal commas": ("id;x\n1;0,5\n2;1,5\n", {}, TWO),
    "tabs": ("id\tx\n1\t0.5\n2\t1.5\n", {}, TWO),
    "pipes": ("id|x\n1|0.5\n2|1.5", {}, TWO),
    "a delimiter by name": ("id x\n1 0.5\n2 1.5\n", {"csv_delimiter": " "}, TWO),
    "Excel's line": ("sep=;\r\nid;x\r\n1;0,5\r\n2;1,5\r\n", {}, TWO),
    "old line ends": ("id,x\r1,0.5\r2,1.5\r", {}, TWO),
    "quotes": ('"id","x"\n"1","0.5"\n"2","1.5"\n', {}, TWO),
    "a mark": ("\ufeffid,x\n1,0.5\n2,1.5\n", {}, TWO),
    "UTF-16": ("id,x\n1,0.5\n2,1.5\n".encode("utf-16"), {}, TWO),
    "UTF-16 BE": ("\ufeffid,x\n1,0.5\n2,1.5\n".encode("utf-16-be"), {}, TWO),
    "a unit in latin-1": ("id;x\n;\xb0C\n1;0,5\n2;1,5\n".encode("latin-1"), {}, TWO),
    "gzip": (gzip.compress(b"id,x\n1,0.5\n2,1.5\n"), {}, TWO),
    "zip": (zipped(a=b"id,x\n1,0.5\n2,1.5\n"), {}, TWO),
    "comments": ('# logger\nid,x\n1,0.5\n# "pause\n2,1.5\n// end', {}, TWO),
    "comments by name": ("% a,b\nid,x\n1,0.5\n% a,b\n2,1.5\n", {"csv_comment": "%"}, TWO),
    "lines of a logger": ("Logger 7\nSerial: 12\n\nid;x\n1;0,5\n2;1,5\n", {}, TWO),
    "units": ("id,x\n-,m/s\n1,0.5\n2,1.5\n", {}, TWO),
    "trailing delimiters": ("id;x;\n1;0,5;\n2;1,5;\n", {}, TWO),
    "trailing delimiters of rows": ("id;x\n1;0,5;\n2;1,5;\n", {}, TWO),
    "empty lines": ("id,x\n\n1,0.5\n\n2,1.5\n\n\n", {}, TWO),
    "spaces": ("id, x\n1, 0.5\n2, 1.5\n", {}, TWO),
    "no header": ("1,0.5\n2,1.5\n", {"columns": ("id", "x")}, TWO),
    "words for nothing": (
        "id,x\n1,NA\n2,-\n3,\n4, n/a \n5,gone\n6,+1\n",
        {"csv_null": ("gone",)},
        [(1, None), (2, None), (3, None), (4, None), (5, None), (6, 1.0)],
    ),
    "points and commas": (
        "id;x\n1;1.234,5\n2;1.000\n3;-\n",
        {},
        [(1, 1234.5), (2, 1000.0), (3, None)],
    ),
    "commas and points": (
        'id,x\n1,"1,234.5"\n2,"1,000"\n',
        {},
        [(1, 1234.5), (2, 1000.0)],
    ),
    "apostrophes": ("id,x\n1,1'234.5\n2,7\n", {}, [(1, 1234.5), (2, 7.0)]),
    "no-break spaces": ("id;x\n1;1\xa0234,5\n2;7\n", {}, [(1, 1234.5), (2, 7.0)]),
    "a comma by name": ("id;x\n1;1,234\n", {"csv_decimal": ","}, [(1, 1.234)]),
    "thousands by name": ("id;x\n1;1,234\n", {"csv_thousands": ","}, [(1, 1234.0)]),
    "a point of decimals": ("id;x\n1;1.234\n2;0.5\n", {}, [(1, 1.234), (2, 0.5)]),
    "a point by name": ("id;x\n1;1.234\n", {"csv_decimal": "."}, [(1, 1.234)]),
    "a missing value that is a number": (
        "id,x\n1,-999\n2,3\n",
        {"csv_null": ("-999",)},
        [(1, None), (2, 3.0)],
    ),
    "truth values": ("id,x\n1,True\n2,false\n", {}, [(1, 1.0), (2, 0.0)]),
    "exact floats": (
        "id,x\n1,0.1\n2,1e300\n3,2.2250738585072014e-308\n",
        {},
        [(1, 0.1), (2, 1e300), (3, 2.2250738585072014e-308)],
    ),
    "ids with zeros": ("id,x\n007,1\n12,2\n", {}, [("007", 1.0), ("12", 2.0)]),
    "ids like floats": ("id,x\n12E4,1\n", {}, [("12E4", 1.0)]),
    "long ids": ("id,x\n89490200001234567890,1\n", {}, [("89490200001234567890", 1.0)]),
    "ids that are words": ("id,x\nNA,1\nnull,2\n", {}, [("NA", 1.0), ("null", 2.0)]),
    "ids with a hash": ("id,x\n#1,1\n", {"csv_comment": "none"}, [("#1", 1.0)]),
    "ids over lines": ('id,x\n"a ""b""\n# c",1\n', {}, [('a "b"\n# c', 1.0)]),
    "an encoding by name": (
        "id,x\nK\xf6ln,1\n".encode("cp1252"),
        {"csv_encoding": "cp1252"},
        [("K\xf6ln", 1.0)],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case, tmp_path, monkeypatch):
    content, reading, expected = READ[case]
    assert rows_of(tmp_path, content, reading=reading) == expected
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 64)
    assert rows_of(tmp_path, content, reading=reading) == expected


REFUSED = {
    "1,234 alone": ("id;x\n1;1,234\n", "'1,234' is 1234 or 1.234: say csv_decimal=.*thousands"),
    "1.234 between semicolons": ("id;x\n1;5\n2;1.234\n", "'1.234' is 1234 or 1.234: say csv_dec"),
    "a word in the first row": ("id,x\nA,oops\n1,2\n3,4\n", "row 1: 'oops' is not a number"),
    "both decimals": ("id;x\n1;0,5\n2;0.5\n", "'0,5' and '0.5' do not show one decimal"),
    "a comma later": ("id;x\n1;5\n" * 1 + "2;7\n3;x\n", "row 3: 'x' is not a number"),
    "no delimiter": ("id x\n1 2\n", "only one column .*csv_delimiter"),
    "two delimiters": ("id;a,x\nu;b,c\n", "separated by ',' or ';': say which in csv_delimiter"),
    "no header": ("1,0.5\n2,1.5\n", "has no header: .*'1', '0.5'.*name the columns in columns"),
    "a header as a comment": ("#id,x\n1,0.5\n", "has no header"),
    "a row or a comment": ("id,x\n1,2\n#1,2\n", "'#1,2' may be a comment or a row: .*csv_comment"),
    "too few fields": ("id,x,y\n1,2,3\n4,5\n6,7,8\n", r"row 2: 2 fields instead of 3: '4,5'"),
    "too many fields": ("id,x\n1,2\n4,5,6\n6,7\n", r"row 2: 3 fields instead of 2: '4,5,6'"),
    "a cut row": ("id,x,y\n1,2,3\n4,5,6\n7,", "row 3: 2 fields instead of 3: '7,'"),
    "an open quote": ('id,x,y\n1,2,"3\n4,5,6\n', "odd number of quotes.*'1,2,\"3'"),
    "NUL bytes": (b"id,x\n1,2\n\0\0\0\0", "NUL bytes: it is damaged"),
    "UTF-16 without a mark": ("id,x\n1,2\n".encode("utf-16-le"), "NUL bytes.*csv_encoding"),
    "no UTF-8 in a name": (b"id,Gr\xf6\xdfe\n1,2\n", "'Gr\xf6\xdfe' in latin-1.*csv_encoding"),
    "no UTF-8 in an id": (b"id,x\nK\xf6ln,2\n", "column 'id', row 1: text is not in utf-8"),
    "a name twice": ("id,x,x\n1,2,3\n", "several columns named 'x'"),
    "pandas' index": (",id,x\n0,1,2\n", "without a name, as pandas writes.*column_value"),
    "one column of commas": ("id\n1,5\n", "has no header"),
    "a web page": ("<html><p>log in</p></html>", "is a web page"),
    "only comments": ("# a\n", "no line besides comments"),
    "spaces before quotes": ('id, x\n"1", "2"\n', "spaces between delimiters and quotes"),
    "hexadecimal": ("id,x\n1,0x10\n", "'0x10' is not a number"),
    "Parquet": (b"PAR1\n1", "is a Parquet file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    content, message = REFUSED[case]
    with pytest.raises(SourceError, match=r"a\.csv.*" + message):
        rows_of(tmp_path, content)


def test_integers_beyond_those_of_float64(tmp_path):
    edge = 2**53
    assert rows_of(tmp_path, f"id,x\n1,{edge}\n2,-{edge}\n") == [(1, edge), (2, -edge)]
    with pytest.raises(DataError, match=f"column 'x', row 2: -{edge + 1} is an integer beyond"):
        rows_of(tmp_path, f"id,x\n1,{edge}\n2,-{edge + 1}\n")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["3", "-1"], [3, -1]),
        (["3", "1.5", "2e3"], [3.0, 1.5, 2000.0]),
        (["a1", "b"], ["a1", "b"]),
        (["1,5", "2,25"], [1.5, 2.25]),
    ],
)
def test_sort_columns(texts, expected, tmp_path):
    content = "id;t;x\n" + "".join(f"1;{text};0\n" for text in texts)
    rows = rows_of(tmp_path, content, column_sort="t")
    assert [row[1] for row in rows] == expected


def test_kinds_stay_as_written(tmp_path):
    content = "id,k,x\n1,01,5\n1,NA,6\n"
    assert rows_of(tmp_path, content, column_kind="k") == [(1, "01", 5.0), (1, "NA", 6.0)]


def test_a_contradiction_far_from_the_first_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "HEAD_BYTES", 100)
    content = "id;x\n" + "1;5\n" * 1000
    with pytest.raises(SourceError, match=r"row 1001: '1,5' .*decimal separator '.'.*csv_decimal"):
        rows_of(tmp_path, content + "1;1,5\n")
    with pytest.raises(SourceError, match="'#1;5' may be a comment or a row"):
        rows_of(tmp_path, content + "#1;5\n")
    assert len(rows_of(tmp_path, content + "# end\n1;5\n")) == 1001


def test_unused_columns_may_hold_anything(tmp_path):
    content = b"id,x,note,note,\n1,0.5,\xff,1,a\n2,1.5,b,c,d\n"
    assert rows_of(tmp_path, content, column_value="x") == TWO


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.csv.bz2", "A.CSV.ZST", "a.txt.xz"])
def test_names_that_are_read_by_content(name, tmp_path):
    assert rows_of(tmp_path, "id;x\n1;0,5\n2;1,5\n", name=name) == TWO
