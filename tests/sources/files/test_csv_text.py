"""The text behind a CSV file: encodings, comments, and blocks that end anywhere."""

import io

import pytest

from tidemill.errors import SourceError
from tidemill.sources.files import csv_text
from tidemill.sources.files.csv_text import RowText, Utf8Text, comment_marks, split_lines


def read(content, size, *, encoding=None, comment=None, fields=2):
    text = Utf8Text(io.BytesIO(content), "a.csv", encoding)
    rows = RowText(text, 0, comment_marks(comment), fields, ",", is_told=comment is not None)
    pieces = list(iter(lambda: rows.read(size), b""))
    assert all(len(piece) <= size for piece in pieces)
    return b"".join(pieces)


@pytest.fixture(params=[16, 64, 2**18])
def small(request, monkeypatch):
    monkeypatch.setattr(csv_text, "HEAD_BYTES", request.param)
    return request.param


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding, small):
    text = "id,x\n" + "K\xf6ln \u20ac,1\n" * 50
    named = None if encoding in ("utf-8", "utf-8-sig", "utf-16") else encoding
    assert read(text.encode(encoding), small, encoding=named).decode() == text


def test_an_encoding_against_the_mark():
    assert read("\ufeffa,b".encode("utf-16-le"), 64, encoding="utf-16") == b"a,b"
    with pytest.raises(SourceError, match="mark of utf-8, but csv_encoding='cp1252': leave it out"):
        read("\ufeffa,b".encode(), 64, encoding="cp1252")


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"a\x81b" * 99, "cp1252", "not text in cp1252"),
        (b"\xff\xfea\0b", None, "not text in utf-16-le"),
        (b"a,b", "utf9", "csv_encoding='utf9' is not an encoding"),
        (b"a,b\n" * 99 + b"\0", None, "holds NUL bytes"),
    ],
)
def test_what_is_not_text(content, encoding, message, small):
    with pytest.raises(SourceError, match=message):
        read(content, small, encoding=encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_comments_go_wherever_blocks_end(end, small):
    lines = ["#a", "1,2", '"x', "#y", 'z",3', "# c", "//d", "# with, two, commas", "4,#5", "6,7//"]
    kept = ["1,2", '"x', "#y", 'z",3', "4,#5", "6,7//"]
    found = read("".join(line + end for line in lines * 20).encode(), small)
    assert found.decode().splitlines() == kept * 20


@pytest.mark.parametrize("mark", ["#", "//"])
def test_a_comment_that_may_be_a_row(mark, small):
    content = b"1,2\n" * 30 + f"{mark}1,2\n".encode()
    with pytest.raises(SourceError, match=f"'{mark}1,2' may be a comment or a row"):
        read(content, small)
    assert read(content, small, comment=mark) == b"1,2\n" * 30
    assert read(content, small, comment="none") == content


def test_a_quote_that_is_not_closed(small):
    lines = b"1,2\n" * 30
    assert read(lines + b'1,"2"""\n', small) == lines + b'1,"2"""\n'
    with pytest.raises(SourceError, match=r"odd number of quotes.*'1,\"2'"):
        read(lines + b'1,"2\n' + lines, small)


def test_lines():
    assert split_lines("a\n\r\nb\x85c\rd") == ["a\n", "\r\n", "b\x85c\r", "d"]
