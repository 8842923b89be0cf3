"""JSON lines: exact numbers, text as it is, and errors that name the row."""

import gzip

import pytest

from tidemill.errors import DataError, SourceError
from tidemill.model.plan import GroupSpan
from tidemill.sources.files import csv_text, json_lines
from tidemill.sources.files.open import open_source
from tidemill.sources.files.read import read_span
from tidemill.sources.files.schema import input_columns


def rows_of(folder, content, *, name="a.jsonl", **roles):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    source = open_source(folder / name, column_id="id", **roles)
    batches = read_span(source, GroupSpan(0, 0, 1), input_columns(source.columns))
    rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert source.rows == len(rows)
    return rows


READ = {
    "integers and floats": ('{"id": 1, "x": 2}\n{"x": 0.1, "id": 2}\n', [(1, 2.0), (2, 0.1)]),
    "missing values": (
        '{"id": 1, "x": null}\n\n{"id": 2}\n{"id":3,"x":1}',
        [(1, None), (2, None), (3, 1.0)],
    ),
    "truth values": ('{"id": 1, "x": true}\r\n{"id": 2, "x": false}\r\n', [(1, 1.0), (2, 0.0)]),
    "text ids": (
        '{"id": "007", "x": 1}\n{"id": "2024-01-01", "x": 2}',
        [("007", 1.0), ("2024-01-01", 2.0)],
    ),
    "the largest id": ('{"id": 9223372036854775807, "x": 1}', [(2**63 - 1, 1.0)]),
    "line ends in text": ('{"id": "a\\n\u00e4", "x": 1}', [("a\n\u00e4", 1.0)]),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case, tmp_path, monkeypatch):
    content, expected = READ[case]
    assert rows_of(tmp_path, content) == expected
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 7)
    monkeypatch.setattr(csv_text, "HEAD_BYTES", 5)
    assert rows_of(tmp_path, content) == expected
    packed = gzip.compress(content.encode())
    assert rows_of(tmp_path, packed, name="a.ndjson.gz") == expected


REFUSED = {
    "no JSON": ('{"id": 1, "x": 2}\n{"id": 2, "x": }\n', r"row 2: '\{\"id\": 2.*is not JSON"),
    "a cut line": ('{"id": 1, "x": 2}\n{"id": 2, "x"', "row 2: .*is not JSON"),
    "two objects": ('{"id": 1, "x": 2}, {"id": 2, "x": 2}\n', "row 1: .*is not JSON"),
    "an array": ("[1, 2]\n", r"row 1: '\[1, 2\]' is not an object"),
    "a nested value": ('{"id": 1, "x": [1]}\n', r"column 'x', row 1: \[1\] is not a number"),
    "text": (
        '{"id": 1, "x": 1}\n{"id": 1, "x": "2"}\n',
        "column 'x', row 2: \"2\" is not a number",
    ),
    "text and number ids": ('{"id": 1, "x": 1}\n{"id": "1", "x": 1}\n', "'id' holds int, str"),
    "ids with fractions": ('{"id": 1.5, "x": 1}\n', "column 'id' holds float: write its values as"),
    "an empty file": ("", "is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, tmp_path):
    content, message = REFUSED[case]
    with pytest.raises(SourceError, match=r"a\.jsonl.*" + message):
        rows_of(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1, "x": 9007199254740993}', "column 'x', row 1: 9007199254740993 is an integer"),
        ('{"id": 9223372036854775808, "x": 1}', "column 'id', row 1: 9223372036854775808 is"),
        ('{"id": 1, "x": 1}\n{"x": 1}', r"column 'id' is null or empty in 1 row \(rows 2\)"),
        ('{"id": "", "x": 1}', r"column 'id' is null or empty in 1 row \(rows 1\)"),
    ],
)
def test_rows_that_break_a_rule(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        rows_of(tmp_path, content)


def test_roles(tmp_path):
    lines = '{"id": 1, "t": %s, "k": %s, "x": 5}\n'
    content = lines % (3, '"a"') + lines % (1.5, 2)
    found = rows_of(tmp_path, content, column_sort="t", column_kind="k")
    assert found == [(1, 3.0, "a", 5.0), (1, 1.5, "2", 5.0)]


def test_times(tmp_path):
    content = '{"id": 1, "t": "2024-01-01T00:00:01", "x": 5}\n'
    (row,) = rows_of(tmp_path, content, column_sort="t")
    assert str(row[1]).startswith("2024-01-01 00:00:01")


def test_a_key_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "x": 1}\n{"id": 1, "x": 2, "x": 3}\n')
    with pytest.raises(SourceError, match=r"row 2: .* is not JSON \(the key 'x' is there twice"):
        open_source(tmp_path, column_id="id")
