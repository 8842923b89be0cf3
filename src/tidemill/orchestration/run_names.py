"""Names of flow runs, by which a person finds them: the table, and what the run is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect.runtime import flow_run

from tidemill.errors import printable

__all__ = ["backfill_name", "extract_name", "retention_name", "select_name", "table_name"]

#: Characters of a name of a table.
LONGEST = 80


def table_name(given: Mapping[str, Any]) -> str:
    """The last part of a sink's path.

    Examples
    --------
    >>> table_name({"sink": "s3://bucket/features/buoys/"})
    'buoys'
    """
    path = str(given.get("sink", given.get("matrix", "")))
    return printable(path.rstrip("/").rpartition("/")[2], LONGEST)


def extract_name() -> str:
    """Such as ``buoys-2026-11-20T0230``: the table, and when the run was due, in UTC."""
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{table_name(flow_run.parameters)}-{due.astimezone(UTC):%Y-%m-%dT%H%M}"


def backfill_name() -> str:
    """Such as ``buoys-backfill-2026-11-01-2026-11-20``: the table, and the span of time."""
    given = flow_run.parameters
    span = (printable(given.get(name), 40) for name in ("start", "end"))
    return "-".join([table_name(given), "backfill", *span])


def select_name() -> str:
    """Such as ``buoys-select-2026-11-20T0300``: the table, and when the run was due, in UTC."""
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"{table_name(flow_run.parameters)}-select-{due.astimezone(UTC):%Y-%m-%dT%H%M}"


def retention_name() -> str:
    """Such as ``retention-2026-11-20T0300``: when the run was due, in UTC."""
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    return f"retention-{due.astimezone(UTC):%Y-%m-%dT%H%M}"
