"""Durations as people write them, in nanoseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Any

import numpy as np

from tidemill.errors import ArgumentError

__all__ = ["likely_duration", "parse_duration"]

_UNITS = {"ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_UNITS["w"] = 7 * _UNITS["d"]
_TERM = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|[shdw])\s*", re.IGNORECASE)
_LONGEST = np.iinfo(np.int64).max
#: Units as people say them.
_WORDS = {
    "ms": ("msec", "millisecond"), "s": ("sec", "second"), "min": ("m", "minute"),
    "h": ("hr", "hour", "hourly"), "d": ("day", "daily"), "w": ("wk", "week", "weekly"),
}  # fmt: skip
_UNIT_OF = {
    one: unit for unit, words in _WORDS.items() for word in words for one in (word, f"{word}s")
}
_SAID = re.compile(r"(\d+(?:\.\d+)?)?\s*([a-z]+)[\s,]*(?:and\s+)?", re.IGNORECASE)


def parse_duration(argument: str, value: Any, *, allow_zero: bool = False) -> int:
    """Convert a duration to nanoseconds.

    Parameters
    ----------
    argument : name of the argument, for the message
    value : text such as "90s", "15min", "1h", "1h30min" or "7d", or a timedelta
    allow_zero : whether "0s" is allowed

    Raises
    ------
    ArgumentError
        If it is not a duration, or not above zero.

    Examples
    --------
    >>> parse_duration("window", "1h30min") // 10**9
    5400
    >>> parse_duration("lag", "0s", allow_zero=True)
    0
    """
    nanoseconds = _nanoseconds(value)
    if not (0 < nanoseconds <= _LONGEST or (allow_zero and nanoseconds == 0)):
        kind = "a duration, such as '0s'," if allow_zero else "a duration above zero, such as"
        meant = likely_duration(value)
        remedy = f"write {meant!r}:" if meant else "give"
        raise ArgumentError(
            f"{argument}={value!r} is not allowed; {remedy} {kind} '90s', '15min', '1h' or '7d'"
        )
    return nanoseconds


def likely_duration(value: Any) -> str | None:
    """The duration that a person may have meant, in words or with another unit's name.

    Examples
    --------
    >>> likely_duration("1 day"), likely_duration("2 hours and 30 minutes")
    ('1d', '2h30min')
    >>> likely_duration("1 month")
    """
    text = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(f"(?:{_SAID.pattern})+", text, re.IGNORECASE):
        return None
    terms = [(number or "1", unit.lower()) for number, unit in _SAID.findall(text)]
    meant = "".join(number + _UNIT_OF.get(unit, unit) for number, unit in terms)
    return meant if _nanoseconds(meant) > 0 else None


def _nanoseconds(value: Any) -> int:
    """Nanoseconds, or -1 if it is not a duration."""
    if isinstance(value, str):
        if not re.fullmatch(f"(?:{_TERM.pattern})+", value.strip(), re.IGNORECASE):
            return -1
        terms = _TERM.findall(value)
        return int(sum(Fraction(number) * _UNITS[unit.lower()] for number, unit in terms))
    if isinstance(value, np.timedelta64):
        return -1 if np.isnat(value) else int(value.astype("timedelta64[ns]").astype(np.int64))
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1) * 1_000
    return -1
