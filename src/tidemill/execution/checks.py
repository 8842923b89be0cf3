"""Check the figures of a result against limits before it is published.

A figure above a limit is a finding: ``warn`` is reported, ``fail`` keeps the old result published.

==================  =====================================================  ===========  ===========
check               figure                                                 warn above   fail above
==================  =====================================================  ===========  ===========
quarantined_series  series that were set aside and have no row             0            off
failed_cells        share of cells whose calculator failed                 0            0.1
rows_drop           share of the previous interval's rows that are gone    0.1          0.5
nan_rise            share of cells that are NaN, minus the previous one's  0.05         0.25
==================  =====================================================  ===========  ===========

The limits and the user's parameter `checks` are defined in :mod:`tidemill.planning.check_limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tidemill.model.policies import Level, Limits
from tidemill.planning.check_limits import CHECK_LIMITS, LEVELS, CheckLimits

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "ResultCounts",
    "failures",
    "find",
    "measure",
]


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """Counts of an interval's result that the checks need."""

    rows: int
    columns: int
    quarantined: int = 0  # series
    failed_cells: int = 0  # NaN because their calculator failed
    nan_cells: int = 0  # for any reason

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A figure above its limit."""

    check: str
    level: Level
    figure: float  # a count or a share, as the limit
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check: how to calculate its figure and how to report it."""

    limits: CheckLimits
    figure: Callable[
        [ResultCounts, ResultCounts | None], Fraction | None
    ]  # None: nothing to compare
    sentence: Callable[[ResultCounts, ResultCounts], str]

    def find(
        self, limits: Mapping[Level, float], now: ResultCounts, before: ResultCounts | None
    ) -> list[CheckResult]:
        """The worst finding, if any."""
        figure = self.value(now, before)
        if figure is None:
            return []
        for level in LEVELS:
            if level in limits and figure > limits[level]:
                limit = limits[level]
                text = f"{self.sentence(now, before or now)}; {self._rule(level, limit)}"
                return [CheckResult(self.limits.name, level, figure, limit, text)]
        return []

    def value(self, now: ResultCounts, before: ResultCounts | None) -> float | None:
        """The figure as a count or a share; None if there is nothing to compare with."""
        exact = self.figure(now, before)
        if exact is None:
            return None
        return float(exact) if self.limits.is_share else int(exact)

    def _rule(self, level: Level, limit: float) -> str:
        shown = _percent(limit) if self.limits.is_share else f"{limit:,}"
        return f"more than {shown} {'fails the run' if level == 'fail' else 'is a warning'}"


def find(
    limits: Limits, now: ResultCounts, before: ResultCounts | None = None
) -> list[CheckResult]:
    """The figures above their limits, in the order of the table above.

    Parameters
    ----------
    limits : of :func:`parse_checks`
    now : the result to publish
    before : the published result of the previous interval; None if there is none, in which case
        checks that compare with it find nothing

    Examples
    --------
    >>> from tidemill.planning.check_limits import parse_checks
    >>> now, before = ResultCounts(rows=400, columns=10), ResultCounts(rows=1_000, columns=10)
    >>> found = find(parse_checks(), now, before)
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


def measure(
    limits: Limits, now: ResultCounts, before: ResultCounts | None = None
) -> dict[str, Any]:
    """The figure and limits of every check, whether exceeded or not, as JSON values.

    Examples
    --------
    >>> from tidemill.planning.check_limits import parse_checks
    >>> now, before = ResultCounts(rows=400, columns=10), ResultCounts(rows=1_000, columns=10)
    >>> measure(parse_checks(), now, before)["rows_drop"]
    {'figure': 0.6, 'is_share': True, 'limits': {'warn': 0.1, 'fail': 0.5}}
    """
    return {
        name: {
            "figure": check.value(now, before),
            "is_share": check.limits.is_share,
            "limits": dict(limits.get(name, {})),
        }
        for name, check in CHECKS.items()
    }


def failures(findings: Iterable[CheckResult]) -> list[CheckResult]:
    """The findings that prevent the result from being published.

    Examples
    --------
    >>> from tidemill.planning.check_limits import parse_checks
    >>> failures(find(parse_checks(), ResultCounts(rows=400, columns=10, quarantined=3)))
    []
    """
    return [finding for finding in findings if finding.level == "fail"]


def _failed_share(now: ResultCounts, before: ResultCounts | None) -> Fraction | None:  # noqa: ARG001 (a figure)
    return Fraction(now.failed_cells, now.cells) if now.cells else None


def _rows_drop(now: ResultCounts, before: ResultCounts | None) -> Fraction | None:
    return None if before is None or not before.rows else 1 - Fraction(now.rows, before.rows)


def _nan_rise(now: ResultCounts, before: ResultCounts | None) -> Fraction | None:
    """None unless the columns are equal: new ones have another share without any rise."""
    if before is None or not (before.cells and now.cells) or now.columns != before.columns:
        return None
    return _nan_share(now) - _nan_share(before)


def _nan_share(facts: ResultCounts) -> Fraction:
    return Fraction(facts.nan_cells, facts.cells)


def _percent(share: float | Fraction) -> str:
    return f"{float(100 * share):.4g}%"


_TABLE = (
    Check(
        CHECK_LIMITS["quarantined_series"],
        figure=lambda now, _: Fraction(now.quarantined),
        sentence=lambda now, _: f"{now.quarantined:,} series quarantined, without a row",
    ),
    Check(
        CHECK_LIMITS["failed_cells"],
        figure=_failed_share,
        sentence=lambda now, _: (
            f"{now.failed_cells:,} of {now.cells:,} cells "
            f"({_percent(Fraction(now.failed_cells, now.cells))}) are NaN because their calculator "
            "failed"
        ),
    ),
    Check(
        CHECK_LIMITS["rows_drop"],
        figure=_rows_drop,
        sentence=lambda now, before: (
            f"the rows fell from {before.rows:,} to {now.rows:,}, by "
            f"{_percent(1 - Fraction(now.rows, before.rows))}"
        ),
    ),
    Check(
        CHECK_LIMITS["nan_rise"],
        figure=_nan_rise,
        sentence=lambda now, before: (
            f"the share of NaN cells rose from {_percent(_nan_share(before))} to "
            f"{_percent(_nan_share(now))}"
        ),
    ),
)
#: All checks, by name.
CHECKS: Mapping[str, Check] = {check.limits.name: check for check in _TABLE}
