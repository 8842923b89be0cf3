"""Errors of the caller as one sentence in Prefect's log, without a traceback.

Prefect logs every exception with its traceback, once for each flow that it passes through. Errors
that say themselves what is wrong and what to do need none; those of the program keep theirs. At log
level DEBUG all have one.
"""

from __future__ import annotations

import logging

from tidemill.errors import explains_itself

__all__ = ["OneSentence", "shorten_errors"]

#: Loggers of Prefect that log exceptions of flows and tasks.
_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


class OneSentence(logging.Filter):
    """Replaces an exception that explains itself by its message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record; it always passes.

        Examples
        --------
        >>> from tidemill.errors import ArgumentError
        >>> error = ArgumentError("every='1y' is not allowed: give '365d'")
        >>> about = {"msg": "Encountered %r", "args": (error,), "exc_info": (None, error, None)}
        >>> record = logging.makeLogRecord(about)
        >>> OneSentence().filter(record), record.getMessage(), record.exc_info
        (True, "ArgumentError: every='1y' is not allowed: give '365d'", None)
        """
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None and explains_itself(error) and not _debugging(record):
            record.msg, record.args = f"{type(error).__name__}: {error}", ()
            record.exc_info = record.exc_text = None
        return True


def _debugging(record: logging.LogRecord) -> bool:
    return any(
        logging.getLogger(one).isEnabledFor(logging.DEBUG) for one in ("tidemill", record.name)
    )


def shorten_errors() -> None:
    """Let Prefect's loggers in this process shorten errors; once is enough.

    On loggers and not on handlers, because Prefect makes its handlers anew when it is set up.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OneSentence) for one in logger.filters):
            logger.addFilter(OneSentence())
