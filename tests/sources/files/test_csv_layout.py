"""The layout of a file is told from its first lines, or the option that decides is named."""

import io

import pytest

from tidemill.errors import SourceError
from tidemill.model.source import Reading
from tidemill.sources.files.csv_layout import find_layout
from tidemill.sources.files.csv_text import Utf8Text


def layout(text, **options):
    content = text if isinstance(text, bytes) else text.encode()
    reading = Reading(**options)
    return find_layout(Utf8Text(io.BytesIO(content), "a.csv", reading.csv_encoding), reading)


@pytest.mark.parametrize(
    ("text", "delimiter", "header"),
    [
        ("id,x\n1,2\n", ",", "id x"),
        ("id,x\n", ",", "id x"),
        ("time;temp, C\n0;1,5\n1;1,7\n", ";", "time|temp, C"),
        ("Logger, X\ntime;temp\n0;1,5\n1;1,7\n", ";", "time temp"),
        ("time\tvalue\n2024-01-01 10:00:00\t1,5\n", "\t", "time value"),
        ("a,b\n1.234,5\n2.500,7\n", ",", "a b"),
        ('id,"a, b"\n1,2\n', ",", "id|a, b"),
        ("id; x ;\n1;2;\n", ";", "id x"),
        ("x\n1\n2\n", ",", "x"),
    ],
)
def test_delimiter_and_names(text, delimiter, header):
    found = layout(text)
    names = header.split("|") if "|" in header else header.split()
    assert (found.delimiter, list(found.header)) == (delimiter, names)


@pytest.mark.parametrize(
    ("text", "first_row"),
    [
        ("id,t,x\n,,degC\n1,0,2\n2,1,3\n", "1,0,2"),
        ("n,s,v\n-,s,m/s\na,1,2\nb,2,3\n", "a,1,2"),
        ("id,x\na,oops\nb,1\n", "a,oops"),  # text in a column of text: a row with a fault
        ("id,x\n1,oops\n2,1\n", "1,oops"),
        ("id,x\n-,n/a\n2,1\n", "-,n/a"),  # nothing but missing values
        ("id,x\na,b\n", "a,b"),
        ("id,x,y\na,,NA\n1,2,3\n", "a,,NA"),  # an id without values
        ('id,"x\ny"\n1,2\n', "1,2"),
        ("# c\n\nid,x\n# d\n1,2\n", "# d\n1,2"),
    ],
)
def test_where_rows_begin(text, first_row):
    assert text.encode()[layout(text).skip :].decode().startswith(first_row)


def test_names_by_the_user():
    found = layout("1,2\n3,4\n", columns=("a", "b"))
    assert (found.names, found.skip, found.rows[0]) == (("a", "b"), 0, ("1", "2"))
    with pytest.raises(SourceError, match=r"2 fields in its first row .* names 3: a, b, c"):
        layout("1,2\n", columns=("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id;temp, C\n", "',' or ';': say which in csv_delimiter"),
        ("a;b,c\nx;y,z\n", "',' or ';': say which in csv_delimiter"),
        ("id x\n1 2\n", "only one column .*say in csv_delimiter"),
        ("x\n1,5\n2,5\n", "has no header"),
        ("17,2024-01-01,0.5\n", "has no header"),
        ("x" * 300_000, "first line is longer than 64 KiB"),
        ("\n\n", "no line besides comments"),
    ],
)
def test_what_is_left_open(text, message):
    with pytest.raises(SourceError, match=r"a\.csv .*" + message):
        layout(text)
