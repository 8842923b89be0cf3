"""The errors tidemill raises, in one tree.

::

    TidemillError
    ├── InputError (ValueError)         the caller's input cannot be used; a retry will not help
    │   ├── ArgumentError               an argument's value is not allowed
    │   │   ├── NoContainerError        an estimator was given no time series (RuntimeError)
    │   │   └── SelectionError          an argument of tidemill.selection cannot be used
    │   │       └── NoSharedIdError     no id has a time series (DataError)
    │   ├── SettingsError               settings name something that does not exist
    │   │   └── ParameterError          a parameter's value is not allowed (AssertionError)
    │   ├── SourceError                 the files or the schema of the input cannot be used
    │   │   ├── NoRowsError             an interval's window holds no rows
    │   │   ├── SourceChangedError      the input changed after the run was planned
    │   │   └── UnfinishedFileError     a file that cannot be read was written a moment ago
    │   └── DataError                   values, ids or sort keys violate a policy
    ├── SinkError                       the output cannot be written or read
    │   ├── DamagedFileError            a file of the output is not what was written
    │   ├── SinkBusyError               another live run owns the sink
    │   └── LeaseLostError              this run no longer owns the sink and must stop
    ├── ResourceError                   not enough disk space or memory
    ├── IntervalsError                  some intervals of a run failed
    ├── BackfillError                   some intervals of a backfill failed
    ├── CheckError                      a result failed a check and was not published
    ├── ClusterError                    workers are missing, unreachable or unfit
    │   └── UnfitWorkerError            a worker lacks what the run needs; a retry will not help
    ├── ServerError                     Prefect's server is missing, unreachable or refuses
    ├── StackError                      a process of `tidemill up` cannot be kept running
    ├── MissingExtraError               a package is not installed (ImportError)
    └── CalculationError                a calculator raised under ``on_error="raise"``

``QuadraticWarning`` and ``TextOrderWarning`` (both UserWarning) are the only warnings.

Every message names the argument or file, the value found, what is allowed and what to do. As ids,
kinds and paths may hold anything, ``str(error)`` shows what a terminal or log could obey escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

__all__ = [
    "ArgumentError",
    "BackfillError",
    "CalculationError",
    "CheckError",
    "ClusterError",
    "DamagedFileError",
    "DataError",
    "InputError",
    "IntervalsError",
    "LeaseLostError",
    "MissingExtraError",
    "NoContainerError",
    "NoRowsError",
    "NoSharedIdError",
    "ParameterError",
    "QuadraticWarning",
    "ResourceError",
    "SelectionError",
    "ServerError",
    "SettingsError",
    "SinkBusyError",
    "SinkError",
    "SourceChangedError",
    "SourceError",
    "StackError",
    "TextOrderWarning",
    "TidemillError",
    "UnfinishedFileError",
    "UnfitWorkerError",
    "explains_itself",
    "printable",
    "shorten",
    "shown_url",
]


#: Characters of a sentence, and of one item in a list.
SENTENCE = 4_000
ITEM = 200
#: Line breaks and tabs, with the white space around them.
_BREAKS = re.compile(r"\s*[\t-\r\x1c-\x1f\x85\u2028\u2029]\s*")


def printable(text: object, limit: int = SENTENCE) -> str:
    r"""Text from outside for a report, a log or a terminal: on one line, harmless and not too long.

    Ids, kinds, paths and messages of other programs may hold anything. A line break with the white
    space around it becomes one space. Other characters that cannot be printed are escaped as in
    Python: control characters such as those that colour a terminal, marks that turn the direction
    of writing, halves of surrogate pairs. What exceeds ``limit`` characters is cut off.

    Examples
    --------
    >>> print(printable("pump 1\n\x1b[2J\u202etxt\0"), printable("0123456789", limit=4))
    pump 1 \x1b[2J\u202etxt\x00 0123...
    """
    given = str(text)
    line = _BREAKS.sub(" ", given[:limit])
    shown = line if line.isprintable() else "".join(map(_escaped, line))
    return shown if max(len(given), len(shown)) <= limit else f"{shown[:limit]}..."


def _escaped(character: str) -> str:
    if character.isprintable() or character.isspace():
        return character
    return character.encode("unicode_escape").decode()


class TidemillError(Exception):
    """Base of all errors raised by tidemill.

    Each argument is a sentence. ``str`` gives them line by line, made :func:`printable`.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, self.args))


class InputError(TidemillError, ValueError):
    """The caller's input cannot be used; a retry would fail the same way."""


class ArgumentError(InputError):
    """An argument's value is not allowed."""


class NoContainerError(ArgumentError, RuntimeError):
    """An estimator was given no time series.

    Also a RuntimeError, as in tsfresh, so that code that catches it keeps working.
    """


class SelectionError(ArgumentError, AssertionError, AttributeError, TypeError):
    """An argument of a function of ``tidemill.selection`` cannot be used.

    Also an AssertionError, an AttributeError and a TypeError: tsfresh's functions of these names
    raise one of them or a ValueError, so code that catches any of them keeps working.
    """


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


class UnfinishedFileError(SourceError):
    """A file that cannot be read was written a moment ago, and may not be whole yet."""


class NoRowsError(SourceError):
    """An interval's window holds no rows."""


class DataError(InputError):
    """Values, ids or sort keys of the input violate a policy."""


class NoSharedIdError(SelectionError, DataError):
    """No row of X, or no id of an index, has a time series.

    Also an AttributeError, as in tsfresh, so that code that catches it keeps working.
    """


class SinkError(TidemillError):
    """The output cannot be written or read."""


class DamagedFileError(SinkError):
    """A file of the output is there, but is not what was written."""


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

    #: What is known of the result: fields of the run record.
    found: Mapping[str, Any] = MappingProxyType({})


class ServerError(TidemillError):
    """Prefect's server is missing, unreachable, or refuses."""

    @classmethod
    def unreachable(cls, url: str, fault: Exception) -> Self:
        """The error for a server that does not answer; omits a password in its address."""
        return cls(
            f"the Prefect server at PREFECT_API_URL={shown_url(url)} cannot be reached ({fault}); "
            "start it, or set the address of another"
        )

    @classmethod
    def not_started(cls, reason: str) -> Self:
        """The error for an embedded server that does not start."""
        return cls(
            f"Prefect's embedded server cannot start ({reason}); make room in PREFECT_HOME and "
            "the temporary folder, set PREFECT_HOME to another folder, or PREFECT_API_URL to the "
            "address of a server that runs"
        )


class StackError(TidemillError):
    """A process of ``tidemill up`` did not start, or died again and again."""


class MissingExtraError(TidemillError, ImportError):
    """A package that an optional part needs is not installed."""


class CalculationError(TidemillError):
    """A calculator raised an error under the policy ``on_error="raise"``."""

    #: The number of the series in its block, while its id is not known.
    series: int | None = None


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

    Each is made :func:`printable` and cut after 200 characters.

    Examples
    --------
    >>> shorten([1, 2, 3])
    '1, 2, 3'
    >>> shorten(range(12), limit=3)
    '0, 1, 2, ... (12 in all)'
    """
    listed = list(items)
    text = ", ".join(printable(item, ITEM) for item in listed[:limit])
    return text if len(listed) <= limit else f"{text}, ... ({len(listed)} in all)"


def shown_url(url: str) -> str:
    """A URL for a message, without a password.

    Examples
    --------
    >>> shown_url("http://me:secret@host:4200/api")
    'http://host:4200/api'
    """
    return re.sub(r"//[^/@]*@", "//", url)
