"""Loggers of the engine, whose lines may name ids, kinds, paths and errors of other programs."""

from __future__ import annotations

import logging

from tidemill.errors import printable

__all__ = ["engine_log"]

_formatter = logging.Formatter()


def engine_log(name: str) -> logging.Logger:
    r"""The logger of a module; each of its records is one line that nothing foreign can break.

    A traceback keeps its lines, but holds no character that a terminal would obey.

    Examples
    --------
    >>> log = engine_log("tidemill.example")
    >>> about = {"msg": "id %s", "args": ("a\n\x1b[2J",)}
    >>> record = logging.makeLogRecord(about)
    >>> log.filter(record) and print(record.getMessage())
    id a \x1b[2J
    """
    log = logging.getLogger(name)
    if _harmless not in log.filters:
        log.addFilter(_harmless)
    return log


def _harmless(record: logging.LogRecord) -> bool:
    """Make a record's text printable; it always passes."""
    told = record.getMessage()
    if (shown := printable(told)) != told:
        record.msg, record.args = shown, ()
    if isinstance(record.exc_info, tuple) and record.exc_info[0]:
        # The text that handlers take instead of formatting the exception themselves.
        lines = _formatter.formatException(record.exc_info).split("\n")
        record.exc_text = "\n".join(map(printable, lines))
    return True
