"""The status of tables as a text file that Prometheus reads.

The exposition format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from tidemill.recurring.table_status import TableStatus

__all__ = ["metrics_text"]

_Value = Callable[[TableStatus], float | int | None]

#: Name, meaning and value of each gauge; None: not known, and left out.
_GAUGES: Sequence[tuple[str, str, _Value]] = (
    ("readable", "1 if the table has good rows, 0 if not.", lambda one: int(one.good is not None)),
    (
        "last_good_end_timestamp_seconds",
        "End of the last good interval; of a matrix, when it was published.",
        lambda one: _moment(one.good.end) if one.good else None,
    ),
    (
        "last_good_published_timestamp_seconds",
        "When the last good rows were published.",
        lambda one: _moment(one.good.published) if one.good else None,
    ),
    ("ids", "Rows of the last good interval.", lambda one: one.good.ids if one.good else None),
    (
        "input_rows",
        "Rows of the input of the last good interval.",
        lambda one: one.good.input_rows if one.good else None,
    ),
    (
        "quarantined_ids",
        "Ids without a row in the last good interval.",
        lambda one: one.good.quarantined if one.good else None,
    ),
    ("behind_intervals", "Closed intervals that are not published.", lambda one: one.behind),
    ("hole_intervals", "Unpublished intervals between others.", lambda one: one.holes.count),
    ("failed_intervals", "Intervals whose last run failed.", lambda one: len(one.failed)),
    (
        "warnings",
        "Warnings of the last runs of all intervals of the last week.",
        lambda one: sum(len(run.sentences) for run in one.warned),
    ),
    ("running_runs", "Runs that work on the table now.", lambda one: len(one.running)),
    ("last_run_seconds", "Seconds that the last finished run took.", lambda one: one.seconds),
)


def metrics_text(tables: Sequence[TableStatus]) -> str:
    r"""The gauges of some tables, labelled with their paths.

    Examples
    --------
    >>> print(metrics_text([TableStatus("a\"b", "nothing")]).partition("\n# HELP tidemill_last")[0])
    # HELP tidemill_readable 1 if the table has good rows, 0 if not.
    # TYPE tidemill_readable gauge
    tidemill_readable{table="a\"b"} 0
    """
    lines: list[str] = []
    for name, meaning, value in _GAUGES:
        lines += [f"# HELP tidemill_{name} {meaning}", f"# TYPE tidemill_{name} gauge"]
        known = [(one.sink, value(one)) for one in tables]
        lines += [
            f'tidemill_{name}{{table="{_label(sink)}"}} {number:.17g}'
            for sink, number in known
            if number is not None
        ]
    return "\n".join([*lines, ""])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _label(text: str) -> str:
    """A value of a label: backslashes, quotes and line breaks are escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
