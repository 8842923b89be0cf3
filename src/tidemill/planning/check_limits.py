"""The checks, their default limits, and the limits that users may set.

The parameter `checks` changes individual limits: ``{"rows_drop": {"fail": 0.3, "warn": "off"},
"nan_rise": "off"}``. All others keep their defaults. :mod:`tidemill.execution.checks` applies the
limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.errors import ArgumentError, shorten
from tidemill.model.policies import Level

__all__ = ["CHECK_LIMITS", "LEVELS", "CheckLimits", "parse_checks"]

LEVELS: tuple[Level, ...] = ("fail", "warn")  # worst first
_OFF = "off"


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """The figure of one check, and its default limits."""

    name: str
    summary: str  # of the figure
    is_share: bool  # limits from 0 to below 1; otherwise whole numbers
    defaults: Mapping[Level, float]


_TABLE = (
    CheckLimits(
        "quarantined_series",
        "series that were set aside and have no row",
        is_share=False,
        defaults={"warn": 0},
    ),
    CheckLimits(
        "failed_cells",
        "share of cells whose calculator failed",
        is_share=True,
        defaults={"warn": 0, "fail": 0.1},
    ),
    CheckLimits(
        "rows_drop",
        "share of the previous interval's rows that are gone",
        is_share=True,
        defaults={"warn": 0.1, "fail": 0.5},
    ),
    CheckLimits(
        "input_rows_drop",
        "share of the previous input rows that are gone",
        is_share=True,
        defaults={"warn": 0.1},
    ),
    CheckLimits(
        "coverage_drop",
        "share of the values per id and kind that are gone",
        is_share=True,
        defaults={"warn": 0.1},
    ),
    CheckLimits(
        "bad_files",
        "share of the input files that were left out",
        is_share=True,
        defaults={"warn": 0, "fail": 0.5},
    ),
    CheckLimits(
        "nan_rise",
        "share of cells that are NaN, minus the previous one's",
        is_share=True,
        defaults={"warn": 0.05, "fail": 0.25},
    ),
)
#: All checks, by name.
CHECK_LIMITS: Mapping[str, CheckLimits] = {check.name: check for check in _TABLE}


def parse_checks(checks: Mapping[str, Any] | None = None) -> dict[str, dict[Level, float]]:
    """All limits: those of the user's parameter `checks`, and defaults for the rest.

    Parameters
    ----------
    checks : limits by check and level, as ``{"rows_drop": {"fail": 0.5, "warn": "off"}}``, or
        "off" for a whole check; all others keep their defaults

    Raises
    ------
    ArgumentError
        If a check, level or limit is not allowed.

    Examples
    --------
    >>> limits = parse_checks({"rows_drop": {"fail": 0.3}, "nan_rise": "off"})
    >>> limits["rows_drop"], limits["nan_rise"]
    ({'warn': 0.1, 'fail': 0.3}, {})
    """
    given = {} if checks is None else checks
    if not isinstance(given, Mapping):
        raise _refusal(given, 'give a mapping, such as {"rows_drop": {"fail": 0.5}}')
    unknown = [name for name in given if name not in CHECK_LIMITS]
    if unknown:
        raise _refusal(
            given, f"there is no check {unknown[0]!r}; choose from {shorten(CHECK_LIMITS)}"
        )
    return {name: _limits(check, given.get(name, {})) for name, check in CHECK_LIMITS.items()}


def _limits(check: CheckLimits, given: Any) -> dict[Level, float]:
    if given == _OFF:
        return {}
    if not isinstance(given, Mapping) or any(level not in LEVELS for level in given):
        raise _refusal(
            {check.name: given}, "give limits for 'warn' and 'fail', or 'off' for the whole check"
        )
    for limit in given.values():
        _check_limit(check, given, limit)
    if _OFF not in given.values() and given.get("warn", 0) > given.get("fail", 1e300):
        raise _refusal({check.name: given}, "'warn' above 'fail' is never reached; lower it")
    merged = {**check.defaults, **given}
    return {level: limit for level, limit in merged.items() if limit != _OFF}


def _check_limit(check: CheckLimits, given: Any, limit: Any) -> None:
    if limit == _OFF:
        return
    is_number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
    if check.is_share and not (is_number and 0 <= limit < 1):
        raise _refusal(
            {check.name: given}, "give a share from 0 to below 1 (0.5 is one half), or 'off'"
        )
    if not check.is_share and not (isinstance(limit, int) and is_number and limit >= 0):
        raise _refusal({check.name: given}, "give a whole number from 0, or 'off'")


def _refusal(checks: Any, remedy: str) -> ArgumentError:
    return ArgumentError(f"checks={checks!r} is not allowed: {remedy}")
