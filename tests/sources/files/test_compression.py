"""Compression is told by the content of a file, not by its name."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.sources.files.compression import COMPRESSED, open_plain, without_compression

TEXT = b"id,x\n" + b"1,0.5\n" * 1000


def arrow(codec):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(TEXT)
    return sink.getvalue().to_pybytes()


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/", 1).replace("MAC", "__MACOSX"), content)
    return buffer.getvalue()


PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "two gzip members": gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]),
    "bz2": bz2.compress(TEXT),
    "two bz2 streams": bz2.compress(TEXT[:9]) + bz2.compress(TEXT[9:]),
    "zstd": arrow("zstd"),
    "lz4": arrow("lz4"),
    "xz": lzma.compress(TEXT),
    "zip": zipped(rows=TEXT),
    "zip of a folder": zipped(folder__=b"", folder__rows=TEXT),
    "zip by macOS": zipped(rows=TEXT, MAC__rows=b"junk"),
}


def plain(content):
    with open_plain(pa.BufferReader(content), "a.csv") as stream:
        return stream.read()


@pytest.mark.parametrize("how", PACKED)
def test_content_is_unpacked(how):
    assert plain(PACKED[how]) == TEXT


@pytest.mark.parametrize("how", ["gzip", "bz2", "zstd", "lz4", "xz", "zip"])
def test_a_file_that_was_cut_off_is_damaged(how):
    with pytest.raises((OSError, pa.ArrowException)):
        plain(PACKED[how][:-12])


def test_short_files_are_plain():
    assert [plain(content) for content in (b"", b"P", b"BZ")] == [b"", b"P", b"BZ"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "archive of 0 files"),
        ({"a.csv": TEXT, "b.csv": TEXT}, r"archive of 2 files \(a.csv, b.csv\).*exactly one"),
        ({"xl__workbook.xml": b"", "xl__sheet": b""}, "Excel workbook: save its sheet as CSV"),
    ],
)
def test_archives_that_are_not_one_file(members, message):
    with pytest.raises(SourceError, match=message):
        plain(zipped(**members))


def test_an_encrypted_archive():
    content = bytearray(zipped(rows=TEXT))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceError, match="encrypted zip archive: unpack it"):
        plain(bytes(content))


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_names(suffix):
    assert without_compression(f"A.CSV{suffix.upper()}") == "a.csv"
    assert without_compression(f"{suffix[1:]}.csv") == f"{suffix[1:]}.csv"
