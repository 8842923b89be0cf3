"""The errors tidemill raises, in one tree.

::

    TidemillError
    ├── InputError (ValueError)         the caller's input cannot be used; a retry will not help
    │   ├── ArgumentError               an argument's value is not allowed
    │   ├── SettingsError               settings name something that does not exist
    │   │   └── ParameterError          a parameter's value is not allowed (AssertionError)
    │   ├── SourceError                 the files or the schema of the input cannot be used
    │   │   ├── NoRowsError             an interval's window holds no rows
    │   │   └── SourceChangedError      the input changed after the run was planned
    │   └── DataError                   values, ids or sort keys violate a policy
    ├── SinkError                       the output cannot be written or read
    │   ├── SinkBusyError               another live run owns the sink
    │   └── LeaseLostError              this run no longer owns the sink and must stop
    ├── ResourceError                   not enough disk space or memory
    ├── IntervalsError                  some intervals of a run failed
    ├── BackfillError                   some intervals of a backfill failed
    ├── CheckError                      a result failed a check and was not published
    ├── ClusterError                    workers are missing, unreachable or unfit
    │   └── UnfitWorkerError            a worker lacks what the run needs; a retry will not help
    ├── ServerError                     Prefect's server is missing, unreachable or refuses
    └── CalculationError                a calculator raised under ``on_error="raise"``

``QuadraticWarning`` and ``TextOrderWarning`` (both UserWarning) are the only warnings.

Every message names the argument or file, the value found, what is allowed and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

__all__ = [
    "ArgumentError",
    "BackfillError",
    "CalculationError",
    "CheckError",
    "ClusterError",
    "DataError",
    "InputError",
    "IntervalsError",
    "LeaseLostError",
    "NoRowsError",
    "ParameterError",
    "QuadraticWarning",
    "ResourceError",
    "ServerError",
    "SettingsError",
    "SinkBusyError",
    "SinkError",
    "SourceChangedError",
    "SourceError",
    "TextOrderWarning",
    "TidemillError",
    "UnfitWorkerError",
    "explains_itself",
    "shorten",
    "shown_url",
]


class TidemillError(Exception):
    """Base of all errors raised by tidemill."""


class InputError(TidemillError, ValueError):
    """The caller's input cannot be used; a retry would fail the same way."""


class ArgumentError(InputError):
    """An argument's value is not allowed."""


class SettingsError(InputError):
    """Settings name a calculator, parameter or value that does not exist."""


class ParameterError(SettingsError, AssertionError):
    """A parameter's value is not allowed.

    Also an AssertionError: some of tsfresh's calculators raise that and others a ValueError, so
    code that catches either keeps working.
    """


class SourceError(InputError):
    """The files or the schema of the input cannot be used."""


class SourceChangedError(SourceError):
    """The input changed after the run was planned."""


class NoRowsError(SourceError):
    """An interval's window holds no rows."""


class DataError(InputError):
    """Values, ids or sort keys of the input violate a policy."""


class SinkError(TidemillError):
    """The output cannot be written or read."""


class SinkBusyError(SinkError):
    """Another live run owns the sink."""


class LeaseLostError(SinkError):
    """This run no longer owns the sink and must stop."""


class ResourceError(TidemillError):
    """There is not enough disk space or memory."""


class ClusterError(TidemillError):
    """Workers are missing, unreachable or unfit for the run."""


class UnfitWorkerError(ClusterError):
    """A worker lacks what the run needs; a retry would fail the same way."""


class BackfillError(TidemillError):
    """Some intervals of a backfill failed."""


class IntervalsError(TidemillError):
    """Some intervals of a run failed."""


class CheckError(TidemillError):
    """A result failed a check and was not published."""


class ServerError(TidemillError):
    """Prefect's server is missing, unreachable, or refuses."""

    @classmethod
    def unreachable(cls, url: str, fault: Exception) -> Self:
        """The error for a server that does not answer; omits a password in its address."""
        return cls(
            f"the Prefect server at PREFECT_API_URL={shown_url(url)} cannot be reached ({fault}); "
            "start it, or set the address of another"
        )


class CalculationError(TidemillError):
    """A calculator raised an error under the policy ``on_error="raise"``."""


class QuadraticWarning(UserWarning):
    """Long series meet calculators whose time grows with the square of their length."""


class TextOrderWarning(UserWarning):
    """The rows of a series are ordered by text that is neither a time nor a number."""


def explains_itself(error: BaseException) -> bool:
    """Whether the message says what is wrong and what to do, so that no traceback is needed.

    Not so if the code of a calculator raised an error: that is found by its traceback only.

    Examples
    --------
    >>> explains_itself(SinkError("the sink is a file")), explains_itself(KeyError("x"))
    (True, False)
    """
    causes = (error, error.__cause__)
    return isinstance(error, TidemillError) and not any(
        isinstance(one, CalculationError) for one in causes
    )


def shorten(items: Iterable[object], limit: int = 10) -> str:
    """Join the first ``limit`` items for a message, with the full count if there are more.

    Examples
    --------
    >>> shorten([1, 2, 3])
    '1, 2, 3'
    >>> shorten(range(12), limit=3)
    '0, 1, 2, ... (12 in all)'
    """
    listed = list(items)
    text = ", ".join(str(item) for item in listed[:limit])
    return text if len(listed) <= limit else f"{text}, ... ({len(listed)} in all)"


def shown_url(url: str) -> str:
    """A URL for a message, without a password.

    Examples
    --------
    >>> shown_url("http://me:secret@host:4200/api")
    'http://host:4200/api'
    """
    return re.sub(r"//[^/@]*@", "//", url)
