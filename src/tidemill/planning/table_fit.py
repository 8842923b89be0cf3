"""Fit the input of an interval to the table that its rows go to."""

from __future__ import annotations

from tidemill.errors import ArgumentError
from tidemill.model.source import Source
from tidemill.planning.request import Request
from tidemill.sources.files.schema import NAIVE, time_zone, with_id_types
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import published_id_types

__all__ = ["fit_table"]


def fit_table(request: Request, source: Source) -> Source:
    """The source with ids of the table's types, if the days of its times are known.

    Raises
    ------
    ArgumentError
        If times name no zone and the table's days are not those of UTC.
    """
    _check_clock(request, source)
    layout = SinkLayout.of(request.sink, request.storage_options)
    return with_id_types(source, published_id_types(layout))


def _check_clock(request: Request, source: Source) -> None:
    """Refuse times without a zone if the table's days are not those of UTC."""
    if time_zone(source) != NAIVE or request.timezone == "UTC":
        return
    raise ArgumentError(
        f"the times in column {request.column_sort!r} name no time zone, and "
        f"timezone={request.timezone!r}: if they are UTC, say input_timezone='UTC' "
        f"(--input-timezone UTC); if they are local, input_timezone={request.timezone!r}"
    )
