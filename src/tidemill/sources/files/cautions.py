"""What a user should know of an input that can be read, but perhaps not as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow.types as pt

from tidemill.errors import shorten
from tidemill.model.source import Source
from tidemill.sources.files.schema import input_columns, read_schema

__all__ = ["caution_of"]

#: Names and values of columns that divide an input by time: an id goes on from one to the next.
_TIME_NAMES = frozenset(
    ["year", "month", "week", "day", "hour", "minute", "date", "time", "dt", "ds", "interval"]
)
_DATE = re.compile(r"\d{4}-?\d{2}(-?\d{2}.*)?")


def caution_of(source: Source) -> str:
    """Sentences about an input; "" if there is nothing to say.

    Examples
    --------
    >>> from tidemill.model.source import ColumnRoles, SourceFile
    >>> files = [SourceFile(f"site={s}/x", 1, "", "", 1, 1, (("site", s),)) for s in "ab"]
    >>> roles = ColumnRoles("id", None, None, ("x",))
    >>> source = Source("/in", "parquet", tuple(files), roles, "int64", ("x",), {}, "")
    >>> caution_of(source)
    "the folders hold column 'site' (a, b), which has no role: rows of one id are one series, \
whatever their 'site'; name it in column_id if it tells series apart"
    """
    return "; ".join([*_without_role(source), *_sorted_as_text(source)])


def _without_role(source: Source) -> Iterator[str]:
    used = set(input_columns(source.columns))
    values: dict[str, dict[str, None]] = {}
    for file in source.files:
        for name, value in file.constants:
            if name not in used:
                values.setdefault(name, {})[str(value)] = None
    for name, found in values.items():
        if len(found) > 1 and not _divides_time(name, found):
            yield (
                f"the folders hold column {name!r} ({shorten(found, 3)}), which has no role: rows "
                f"of one id are one series, whatever their {name!r}; name it in column_id if it "
                "tells series apart"
            )


def _divides_time(name: str, values: dict[str, None]) -> bool:
    words = re.split(r"[^a-z]+", name.lower())
    return not _TIME_NAMES.isdisjoint(words) or all(map(_DATE.fullmatch, values))


def _sorted_as_text(source: Source) -> Iterator[str]:
    sort = source.columns.sort
    if sort is None or not source.schema:
        return
    if pt.is_string(read_schema(source).field(sort).type):
        yield (
            f"column {sort!r} holds text that is neither a time nor a number: rows are sorted as "
            "text"
        )
