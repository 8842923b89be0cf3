"""The file formats that can be read. A new one is a module beside ``csv`` and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.sources.files.csv import CSV
from tidemill.sources.files.file_format import Format
from tidemill.sources.files.parquet import PARQUET

__all__ = ["FORMATS", "SUFFIXES", "format_of"]

#: The name of each format, as in ``Source.format``.
FORMATS: Mapping[str, Format] = {"parquet": PARQUET, "csv": CSV}

#: The format's name for every suffix.
SUFFIXES: Mapping[str, str] = {
    suffix: name for name, one in FORMATS.items() for suffix in one.suffixes
}


def format_of(path: str) -> str | None:
    """Name of a file's format, by its suffix; None for files that are not input.

    Examples
    --------
    >>> format_of("rows.CSV.gz"), format_of("notes.txt")
    ('csv', None)
    """
    name = path.lower()
    return next((found for suffix, found in SUFFIXES.items() if name.endswith(suffix)), None)
