"""When is a run good? Limits for the figures of a result, checked before it is published.

A figure above a limit is a finding: ``warn`` is reported, ``fail`` keeps the old result published.

==================  =====================================================  ===========  ===========
check               figure                                                 warn above   fail above
==================  =====================================================  ===========  ===========
quarantined_series  series that were set aside and have no row             0            off
failed_cells        share of cells whose calculator failed                 0            0.1
rows_drop           share of the previous interval's rows that are gone    0.1          0.5
nan_rise            share of cells that are NaN, minus the previous one's  0.05         0.25
==================  =====================================================  ===========  ===========

The user's parameter `checks` changes single limits: ``{"rows_drop": {"fail": 0.3, "warn": "off"},
"nan_rise": "off"}``. What it does not name keeps its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tidemill.errors import ArgumentError, shorten
from tidemill.model.policies import Level, Limits

__all__ = [
    "CHECKS",
    "Check",
    "Facts",
    "Finding",
    "failures",
    "find",
    "measure",
    "parse_checks",
]

_LEVELS: tuple[Level, ...] = ("fail", "warn")  # the worst first
_OFF = "off"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks need to know of the result for one interval."""

    rows: int
    columns: int
    quarantined: int = 0  # series
    failed_cells: int = 0  # NaN because their calculator failed
    nan_cells: int = 0  # for whatever reason

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure above its limit."""

    check: str
    level: Level
    figure: float  # a count or a share, as the limit
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its figure, what is said of it, and its default limits."""

    name: str
    summary: str  # of the figure
    is_share: bool  # limits from 0 to below 1; otherwise whole numbers
    defaults: Mapping[Level, float]
    figure: Callable[[Facts, Facts | None], Fraction | None]  # None: nothing to compare with
    sentence: Callable[[Facts, Facts], str]

    def find(
        self, limits: Mapping[Level, float], now: Facts, before: Facts | None
    ) -> list[Finding]:
        """The worst finding, or none."""
        figure = self.value(now, before)
        if figure is None:
            return []
        for level in _LEVELS:
            if level in limits and figure > limits[level]:
                limit = limits[level]
                said = f"{self.sentence(now, before or now)}; {self._rule(level, limit)}"
                return [Finding(self.name, level, figure, limit, said)]
        return []

    def value(self, now: Facts, before: Facts | None) -> float | None:
        """The figure as a count or a share; None if there is nothing to compare with."""
        exact = self.figure(now, before)
        if exact is None:
            return None
        return float(exact) if self.is_share else int(exact)

    def _rule(self, level: Level, limit: float) -> str:
        shown = _percent(limit) if self.is_share else f"{limit:,}"
        return f"more than {shown} {'fails the run' if level == 'fail' else 'is a warning'}"


def parse_checks(checks: Mapping[str, Any] | None = None) -> dict[str, dict[Level, float]]:
    """All limits, from the user's parameter `checks` and the defaults.

    Parameters
    ----------
    checks : limits by check and level, as ``{"rows_drop": {"fail": 0.5, "warn": "off"}}``, or
        "off" for a whole check; what is not named keeps its default

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
    unknown = [name for name in given if name not in CHECKS]
    if unknown:
        raise _refusal(given, f"there is no check {unknown[0]!r}; choose from {shorten(CHECKS)}")
    return {name: _limits(check, given.get(name, {})) for name, check in CHECKS.items()}


def _limits(check: Check, given: Any) -> dict[Level, float]:
    if given == _OFF:
        return {}
    if not isinstance(given, Mapping) or any(level not in _LEVELS for level in given):
        raise _refusal(
            {check.name: given}, "give limits for 'warn' and 'fail', or 'off' for the whole check"
        )
    for limit in given.values():
        _check_limit(check, given, limit)
    if _OFF not in given.values() and given.get("warn", 0) > given.get("fail", 1e300):
        raise _refusal({check.name: given}, "'warn' above 'fail' is never reached; lower it")
    merged = {**check.defaults, **given}
    return {level: limit for level, limit in merged.items() if limit != _OFF}


def _check_limit(check: Check, given: Any, limit: Any) -> None:
    if limit == _OFF:
        return
    is_number = isinstance(limit, (int, float)) and not isinstance(limit, bool)
    if check.is_share and not (is_number and 0 <= limit < 1):
        raise _refusal(
            {check.name: given}, "give a share from 0 to below 1 (0.5 is one half), or 'off'"
        )
    if not check.is_share and not (isinstance(limit, int) and is_number and limit >= 0):
        raise _refusal({check.name: given}, "give a whole number from 0, or 'off'")


def find(limits: Limits, now: Facts, before: Facts | None = None) -> list[Finding]:
    """The figures above their limits, in the order of the table above.

    Parameters
    ----------
    limits : of :func:`parse_checks`
    now : the result that is to be published
    before : the published result of the previous interval; None if there is none, and then
        nothing that compares with it is found

    Examples
    --------
    >>> found = find(parse_checks(), Facts(rows=400, columns=10), Facts(rows=1_000, columns=10))
    >>> [(one.check, one.level, one.figure, one.limit) for one in found]
    [('rows_drop', 'fail', 0.6, 0.5)]
    >>> found[0].sentence
    'the rows fell from 1,000 to 400, by 60%; more than 50% fails the run'
    """
    return [
        finding
        for name, check in CHECKS.items()
        for finding in check.find(limits.get(name, {}), now, before)
    ]


def measure(limits: Limits, now: Facts, before: Facts | None = None) -> dict[str, Any]:
    """The figure of every check with its limits, whether it is above them or not; JSON values.

    Examples
    --------
    >>> measure(parse_checks(), Facts(rows=400, columns=10), Facts(rows=1_000, columns=10))[
    ...     "rows_drop"
    ... ]
    {'figure': 0.6, 'is_share': True, 'limits': {'warn': 0.1, 'fail': 0.5}}
    """
    return {
        name: {
            "figure": check.value(now, before),
            "is_share": check.is_share,
            "limits": dict(limits.get(name, {})),
        }
        for name, check in CHECKS.items()
    }


def failures(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep the result from being published.

    Examples
    --------
    >>> failures(find(parse_checks(), Facts(rows=400, columns=10, quarantined=3)))
    []
    """
    return [finding for finding in findings if finding.level == "fail"]


def _failed_share(now: Facts, before: Facts | None) -> Fraction | None:  # noqa: ARG001 (a figure)
    return Fraction(now.failed_cells, now.cells) if now.cells else None


def _rows_drop(now: Facts, before: Facts | None) -> Fraction | None:
    return None if before is None or not before.rows else 1 - Fraction(now.rows, before.rows)


def _nan_rise(now: Facts, before: Facts | None) -> Fraction | None:
    """Only of equal columns: new ones have a share of their own, and then none has risen."""
    if before is None or not (before.cells and now.cells) or now.columns != before.columns:
        return None
    return _nan_share(now) - _nan_share(before)


def _nan_share(facts: Facts) -> Fraction:
    return Fraction(facts.nan_cells, facts.cells)


def _percent(share: float | Fraction) -> str:
    return f"{float(100 * share):.4g}%"


_TABLE = (
    Check(
        "quarantined_series",
        "series that were set aside and have no row",
        is_share=False,
        defaults={"warn": 0},
        figure=lambda now, _: Fraction(now.quarantined),
        sentence=lambda now, _: f"{now.quarantined:,} series quarantined, without a row",
    ),
    Check(
        "failed_cells",
        "share of cells whose calculator failed",
        is_share=True,
        defaults={"warn": 0, "fail": 0.1},
        figure=_failed_share,
        sentence=lambda now, _: (
            f"{now.failed_cells:,} of {now.cells:,} cells "
            f"({_percent(Fraction(now.failed_cells, now.cells))}) are NaN because their calculator "
            "failed"
        ),
    ),
    Check(
        "rows_drop",
        "share of the previous interval's rows that are gone",
        is_share=True,
        defaults={"warn": 0.1, "fail": 0.5},
        figure=_rows_drop,
        sentence=lambda now, before: (
            f"the rows fell from {before.rows:,} to {now.rows:,}, by "
            f"{_percent(1 - Fraction(now.rows, before.rows))}"
        ),
    ),
    Check(
        "nan_rise",
        "share of cells that are NaN, minus the previous one's",
        is_share=True,
        defaults={"warn": 0.05, "fail": 0.25},
        figure=_nan_rise,
        sentence=lambda now, before: (
            f"the share of NaN cells rose from {_percent(_nan_share(before))} to "
            f"{_percent(_nan_share(now))}"
        ),
    ),
)
#: All checks, by name.
CHECKS: Mapping[str, Check] = {check.name: check for check in _TABLE}


def _refusal(checks: Any, remedy: str) -> ArgumentError:
    return ArgumentError(f"checks={checks!r} is not allowed: {remedy}")
