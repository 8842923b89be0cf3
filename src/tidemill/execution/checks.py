"""Check the figures of a result against limits before it is published.

A figure above a limit is a finding: ``warn`` is reported, ``fail`` keeps the old result published.

==================  =====================================================  ===========  ===========
check               figure                                                 warn above   fail above
==================  =====================================================  ===========  ===========
quarantined_series  series that were set aside and have no row             0            off
failed_cells        share of cells whose calculator failed                 0            0.1
rows_drop           share of the previous interval's rows that are gone    0.1          0.5
input_rows_drop     share of the previous input rows that are gone         0.1          off
coverage_drop       share of the values per id and kind that are gone      0.1          off
bad_files           share of the input files that were left out            0            0.5
nan_rise            share of cells that are NaN, minus the previous one's  0.05         0.25
==================  =====================================================  ===========  ===========

`coverage_drop` is explained in :mod:`tidemill.execution.coverage`. An interval is compared with
those before it in time, never with rows of its own that it replaces.

The limits and the user's parameter `checks` are defined in :mod:`tidemill.planning.check_limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tidemill.errors import shorten
from tidemill.execution.coverage import CoverageDrop
from tidemill.model.counts import counted
from tidemill.model.policies import Level, Limits
from tidemill.planning.check_limits import CHECK_LIMITS, LEVELS, CheckLimits

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "Compared",
    "ResultCounts",
    "failures",
    "find",
    "measure",
]


#: Files named in a sentence.
NAMED = 3


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """Counts of an interval's result that the checks need."""

    rows: int
    columns: int
    quarantined: int = 0  # series
    failed_cells: int = 0  # NaN because their calculator failed
    nan_cells: int = 0  # for any reason
    input_rows: int = 0  # of the window; 0: recorded by an older version
    files: int = 0  # that were read
    bad_files: int = 0  # that were left out

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class Compared:
    """A result, and what it is compared with."""

    now: ResultCounts
    before: ResultCounts | None = None  # of the interval before; None if there is none
    coverage: CoverageDrop | None = None  # None: nothing to compare with
    bad_files: tuple[str, ...] = ()  # their names

    @property
    def earlier(self) -> ResultCounts:
        """The counts of the interval before, where a figure was found."""
        assert self.before is not None, "a figure that compares has something to compare with"
        return self.before


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A figure above its limit."""

    check: str
    level: Level
    figure: float  # a count or a share, as the limit
    limit: float
    fact: str  # what was found
    sentence: str  # with the limit


@dataclass(frozen=True, slots=True)
class Check:
    """One check: how to calculate its figure and how to report it."""

    limits: CheckLimits
    figure: Callable[[Compared], Fraction | None]  # None: nothing to compare with
    fact: Callable[[Compared], str]  # in words

    def find(self, limits: Mapping[Level, float], result: Compared) -> list[CheckResult]:
        """The worst finding, if any."""
        figure = self.value(result)
        if figure is None:
            return []
        for level in LEVELS:
            if level in limits and figure > limits[level]:
                limit = limits[level]
                fact = self.fact(result)
                text = f"{fact}; {self._rule(level, limit)}"
                return [CheckResult(self.limits.name, level, figure, limit, fact, text)]
        return []

    def value(self, result: Compared) -> float | None:
        """The figure as a count or a share; None if there is nothing to compare with."""
        exact = self.figure(result)
        if exact is None:
            return None
        return float(exact) if self.limits.is_share else int(exact)

    def _rule(self, level: Level, limit: float) -> str:
        shown = _percent(limit) if self.limits.is_share else f"{limit:,}"
        return f"more than {shown} {'fails the run' if level == 'fail' else 'is a warning'}"


def find(limits: Limits, result: Compared) -> list[CheckResult]:
    """The figures above their limits, in the order of the table above.

    Parameters
    ----------
    limits : of :func:`parse_checks`
    result : the result to publish; checks that lack something to compare it with find nothing

    Examples
    --------
    >>> from tidemill.planning.check_limits import parse_checks
    >>> now, before = ResultCounts(rows=400, columns=10), ResultCounts(rows=1_000, columns=10)
    >>> found = find(parse_checks(), Compared(now, before))
    >>> [(one.check, one.level, one.figure, one.limit) for one in found]
    [('rows_drop', 'fail', 0.6, 0.5)]
    >>> found[0].sentence
    'the rows fell from 1,000 to 400, by 60%; more than 50% fails the run'
    """
    return [
        finding
        for name, check in CHECKS.items()
        for finding in check.find(limits.get(name, {}), result)
    ]


def measure(limits: Limits, result: Compared) -> dict[str, Any]:
    """The figure and limits of every check, whether exceeded or not, as JSON values.

    Examples
    --------
    >>> from tidemill.planning.check_limits import parse_checks
    >>> now, before = ResultCounts(rows=400, columns=10), ResultCounts(rows=1_000, columns=10)
    >>> measure(parse_checks(), Compared(now, before))["rows_drop"]
    {'figure': 0.6, 'is_share': True, 'limits': {'warn': 0.1, 'fail': 0.5}}
    """
    return {
        name: {
            "figure": check.value(result),
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
    >>> failures(find(parse_checks(), Compared(ResultCounts(rows=400, columns=10, quarantined=3))))
    []
    """
    return [finding for finding in findings if finding.level == "fail"]


def _failed_share(result: Compared) -> Fraction | None:
    now = result.now
    return Fraction(now.failed_cells, now.cells) if now.cells else None


def _rows_drop(result: Compared) -> Fraction | None:
    return _drop(result.now.rows, result.before.rows if result.before else 0)


def _input_rows_drop(result: Compared) -> Fraction | None:
    return _drop(result.now.input_rows, result.before.input_rows if result.before else 0)


def _drop(now: int, before: int) -> Fraction | None:
    return 1 - Fraction(now, before) if before else None


def _bad_files(result: Compared) -> Fraction | None:
    now = result.now
    files = now.files + now.bad_files
    return Fraction(now.bad_files, files) if files else None


def _nan_rise(result: Compared) -> Fraction | None:
    """None unless the columns are equal: new ones have another share without any rise."""
    now, before = result.now, result.before
    if before is None or not (before.cells and now.cells) or now.columns != before.columns:
        return None
    return _nan_share(now) - _nan_share(before)


def _nan_share(facts: ResultCounts) -> Fraction:
    return Fraction(facts.nan_cells, facts.cells)


def _percent(share: float | Fraction) -> str:
    return f"{float(100 * share):.4g}%"


def _fell(what: str, before: int, now: int) -> str:
    return f"{what} fell from {before:,} to {now:,}, by {_percent(1 - Fraction(now, before))}"


def _failed_text(result: Compared) -> str:
    now = result.now
    share = _percent(Fraction(now.failed_cells, now.cells))
    return (
        f"{now.failed_cells:,} of {counted(now.cells, 'cell')} ({share}) "
        f"{'is' if now.failed_cells == 1 else 'are'} NaN because their calculator failed"
    )


def _coverage_text(result: Compared) -> str:
    assert result.coverage is not None, "its figure was found"
    share = _percent(result.coverage.share)
    return f"{share} of the values per id and kind are gone, {result.coverage.text}"


def _bad_files_text(result: Compared) -> str:
    now = result.now
    files = f"{now.bad_files:,} of {counted(now.files + now.bad_files, 'input file')}"
    were = "was" if now.bad_files == 1 else "were"
    named = shorten(result.bad_files, NAMED)
    return f"{files} could not be read and {were} left out: {named}"


_TABLE = (
    Check(
        CHECK_LIMITS["quarantined_series"],
        figure=lambda result: Fraction(result.now.quarantined),
        fact=lambda result: (
            f"{result.now.quarantined:,} of "
            f"{counted(result.now.rows + result.now.quarantined, 'series')} quarantined, without a "
            "row"
        ),
    ),
    Check(CHECK_LIMITS["failed_cells"], figure=_failed_share, fact=_failed_text),
    Check(
        CHECK_LIMITS["rows_drop"],
        figure=_rows_drop,
        fact=lambda result: _fell("the rows", result.earlier.rows, result.now.rows),
    ),
    Check(
        CHECK_LIMITS["input_rows_drop"],
        figure=_input_rows_drop,
        fact=lambda result: _fell(
            "the input rows", result.earlier.input_rows, result.now.input_rows
        ),
    ),
    Check(
        CHECK_LIMITS["coverage_drop"],
        figure=lambda result: result.coverage.share if result.coverage else None,
        fact=_coverage_text,
    ),
    Check(CHECK_LIMITS["bad_files"], figure=_bad_files, fact=_bad_files_text),
    Check(
        CHECK_LIMITS["nan_rise"],
        figure=_nan_rise,
        fact=lambda result: (
            f"the share of NaN cells rose from {_percent(_nan_share(result.earlier))} to "
            f"{_percent(_nan_share(result.now))}"
        ),
    ),
)
#: All checks, by name.
CHECKS: Mapping[str, Check] = {check.limits.name: check for check in _TABLE}
