"""Retry work after transient errors. Prefect's own retries would repeat it after any error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tidemill.errors import (
    ClusterError,
    SinkBusyError,
    SourceChangedError,
    UnfinishedFileError,
    UnfitWorkerError,
    explains_itself,
)
from tidemill.model.logs import engine_log
from tidemill.storage.transient import is_transient

__all__ = ["is_retryable", "log_failure", "with_retries"]

log = engine_log(__name__)

#: Errors of our own that may be gone at the next attempt, which looks at the input anew.
_MAY_PASS = (ClusterError, SinkBusyError, SourceChangedError, UnfinishedFileError)

R = TypeVar("R")


def with_retries(
    attempt: Callable[[], R],
    retries: int,
    delay: float,
    sleep: Callable[[float], None] = time.sleep,
) -> R:
    """Call ``attempt`` until it succeeds, as long as its errors may pass.

    Parameters
    ----------
    attempt : what to do
    retries : calls after the first one, 0 or more
    delay : seconds before each of them
    sleep : waits; may raise to stop retrying

    Raises
    ------
    Exception
        The error of the last attempt, or the first one that is not transient.

    Examples
    --------
    >>> answers = iter([ConnectionError("lost"), "done"])
    >>> def attempt():
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> with_retries(attempt, retries=1, delay=0.0)
    'done'
    """
    for left in range(retries, 0, -1):
        try:
            return attempt()
        except Exception as error:
            if not is_retryable(error):
                raise
            log.warning("%s: %s; %d more attempts", type(error).__name__, error, left)
            sleep(delay)
    return attempt()


def is_retryable(error: BaseException) -> bool:
    """Whether the next attempt may succeed after this error.

    Examples
    --------
    >>> is_retryable(ClusterError("no worker")), is_retryable(UnfitWorkerError("numpy is 1.26"))
    (True, False)
    """
    if isinstance(error, UnfitWorkerError):
        return False
    return is_transient(error) or isinstance(error, _MAY_PASS)


def log_failure(logger: logging.Logger, interval: str, error: Exception) -> None:
    """Log that an interval failed; with a traceback unless the error explains itself."""
    traceback = not explains_itself(error) or logger.isEnabledFor(logging.DEBUG)
    told = "interval %s: failed, %s: %s"
    logger.error(told, interval, type(error).__name__, error, exc_info=error if traceback else None)
