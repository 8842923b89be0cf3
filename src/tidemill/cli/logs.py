"""What the command shows of logs: nothing, lines for people, or lines of JSON for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

__all__ = ["JsonLines", "is_json", "show_logs", "shown_logs"]

_ENGINE = "tidemill"
_PLAIN = logging.Formatter(
    "%(asctime)s.%(msecs)03d | %(levelname)-7s | %(name)s - %(message)s", "%H:%M:%S"
)


class _JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "flow_run": getattr(record, "flow_run_name", None),
            "task_run": getattr(record, "task_run_name", None),
        }
        if isinstance(record.exc_info, tuple) and record.exc_info[0]:
            values["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in values.items() if value is not None})


class JsonLines(logging.StreamHandler[Any]):
    r"""Writes records to standard error, as JSON, a line each.

    Examples
    --------
    >>> record = logging.makeLogRecord({"name": "a", "msg": "two\nlines"})
    >>> json.loads(JsonLines().format(record))["message"]
    'two\nlines'
    """

    def __init__(self, **_: Any) -> None:  # Prefect's configuration gives a stream and colours
        super().__init__(sys.stderr)
        self.setFormatter(_JsonFormatter())

    def setFormatter(self, formatter: logging.Formatter | None) -> None:  # noqa: N802  logging's
        """Keep the form of lines, whatever a configuration says."""
        super().setFormatter(
            formatter if isinstance(formatter, _JsonFormatter) else _JsonFormatter()
        )


def is_json() -> bool:
    """Whether this command writes its log as JSON."""
    return any(isinstance(one, JsonLines) for one in logging.getLogger(_ENGINE).handlers)


@contextmanager
def shown_logs() -> Iterator[None]:
    """At the end, take away what :func:`show_logs` has set up."""
    engine = logging.getLogger(_ENGINE)
    before = engine.level, engine.propagate, engine.handlers[:]
    try:
        yield
    finally:
        engine.setLevel(before[0])
        engine.propagate, engine.handlers[:] = before[1:]


def show_logs(*, verbose: bool = False, log_format: str = "text") -> None:
    """Show the log of the engine and of Prefect; before Prefect is imported.

    Parameters
    ----------
    verbose : show lines for people; without it there is a progress bar instead
    log_format : "text", or "json" for lines of JSON, whether verbose or not
    """
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    as_json = log_format == "json"
    if as_json:
        place = "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS"
        os.environ.setdefault(place, f"{JsonLines.__module__}.{JsonLines.__name__}")
    elif not verbose:
        logging.raiseExceptions = False  # Prefect prints each log line that it cannot send
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        return
    handler = JsonLines() if as_json else logging.StreamHandler(sys.stderr)
    if not as_json:
        handler.setFormatter(_PLAIN)
    engine = logging.getLogger(_ENGINE)
    engine.addHandler(handler)
    engine.propagate = False
    if engine.level == logging.NOTSET or engine.level > logging.INFO:
        engine.setLevel(logging.INFO)
