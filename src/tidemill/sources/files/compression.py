"""See through the compression of a file, which its first bytes tell, whatever its name says."""

from __future__ import annotations

import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from tidemill.errors import SourceError, shorten

__all__ = ["COMPRESSED", "open_plain", "without_compression"]

#: What compressed files may end in, behind the suffix of their format.
COMPRESSED = (".gz", ".bz2", ".zst", ".zip", ".xz", ".lz4")
#: The first bytes of what pyarrow's codecs decompress.
CODECS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
XZ = b"\xfd7zXZ\x00"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
LONGEST = 6  # bytes of the longest of these
#: In zip archives, what is encrypted has this bit.
ENCRYPTED = 1


def without_compression(name: str) -> str:
    """The name of a file in lower case, without the suffix of a compression.

    Examples
    --------
    >>> without_compression("Rows.CSV.gz"), without_compression("rows.csv")
    ('rows.csv', 'rows.csv')
    """
    lower = name.lower()
    return next((lower.removesuffix(end) for end in COMPRESSED if lower.endswith(end)), lower)


@contextmanager
def open_plain(file: pa.NativeFile, name: str) -> Iterator[Any]:
    """Give a stream of what was compressed, or the file itself if it is not compressed.

    Parameters
    ----------
    file : an open file, at its start
    name : its name, for messages

    Yields
    ------
    file-like
        With ``read``; only a file that is not compressed can be sought in.

    Raises
    ------
    SourceError
        If a zip archive does not hold exactly one file, or is encrypted.

    Examples
    --------
    >>> import gzip
    >>> with open_plain(pa.BufferReader(gzip.compress(b"id,x")), "a.csv") as plain:
    ...     plain.read()
    b'id,x'
    """
    start = file.read(LONGEST)
    file.seek(0)
    codec = next((codec for mark, codec in CODECS.items() if start.startswith(mark)), None)
    if start.startswith(ZIP):
        with _open_member(file, name) as member:
            yield member
    elif start == XZ:
        with _damage_told(), lzma.open(file) as stream:
            yield stream
    elif codec is not None:
        with pa.CompressedInputStream(file, codec) as stream:
            yield stream
    else:
        yield file


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn what the standard library raises for damaged files into what pyarrow raises."""
    try:
        yield
    except (lzma.LZMAError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise OSError(str(error)) from error


@contextmanager
def _open_member(file: pa.NativeFile, name: str) -> Iterator[Any]:
    """Open the one file of a zip archive."""
    with _damage_told(), zipfile.ZipFile(file) as archive:
        members = [one for one in archive.infolist() if _is_file(one)]
        names = [one.filename for one in members]
        if "xl/workbook.xml" in names:
            raise SourceError(f"{name} is an Excel workbook: save its sheet as CSV")
        if len(members) != 1:
            raise SourceError(
                f"{name} is a zip archive of {len(members)} files ({shorten(names, 3)}), but it "
                "must hold exactly one: unpack it, and give the folder or the files to read"
            )
        if members[0].flag_bits & ENCRYPTED:
            raise SourceError(f"{name} is an encrypted zip archive: unpack it")
        with archive.open(members[0]) as member:
            yield member


def _is_file(member: zipfile.ZipInfo) -> bool:
    """Whether it is a file that somebody packed, not one that macOS added."""
    return not member.is_dir() and not member.filename.startswith("__MACOSX/")
