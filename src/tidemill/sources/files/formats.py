"""The file formats that can be read. A new one is a module beside ``csv`` and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.sources.files.arrow_ipc import ARROW_IPC
from tidemill.sources.files.compression import without_compression
from tidemill.sources.files.csv import CSV
from tidemill.sources.files.file_format import Format
from tidemill.sources.files.json_lines import JSON_LINES
from tidemill.sources.files.orc import ORC
from tidemill.sources.files.parquet import PARQUET

__all__ = ["FORMATS", "SUFFIXES", "format_of", "is_any_text"]

#: The name of each format, as in ``Source.format``.
FORMATS: Mapping[str, Format] = {
    "parquet": PARQUET,
    "csv": CSV,
    "json_lines": JSON_LINES,
    "arrow_ipc": ARROW_IPC,
    "orc": ORC,
}

#: The format's name for every suffix.
SUFFIXES: Mapping[str, str] = {
    suffix: name for name, one in FORMATS.items() for suffix in one.suffixes
}
#: What files of any text end in: rows if one is named, perhaps a note beside others.
ANY_TEXT = ".txt"


def format_of(path: str) -> str | None:
    """Name of a file's format, by its suffix; None for files that are not input.

    Files of text may be compressed; the others compress their own columns.

    Examples
    --------
    >>> format_of("rows.CSV.gz"), format_of("rows.parquet.gz"), format_of("notes.doc")
    ('csv', None, None)
    """
    name = path.lower()
    bare = without_compression(name)
    found = _by_suffix(bare)
    if found is None or (bare != name and FORMATS[found].is_self_describing):
        return _by_suffix(name)
    return found


def _by_suffix(name: str) -> str | None:
    return next((found for suffix, found in SUFFIXES.items() if name.endswith(suffix)), None)


def is_any_text(path: str) -> bool:
    """Whether a file's name leaves open if it holds rows or a note.

    Examples
    --------
    >>> is_any_text("README.txt"), is_any_text("rows.csv.gz")
    (True, False)
    """
    return without_compression(path).endswith(ANY_TEXT)
