"""From counts to p-values, for many columns at a time.

The formulas are scipy's, with its special functions, so that p-values agree with it to 1e-12.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from tidemill.model.aliases import Floats, Index
from tidemill.selection.kernel_calls import run_kernel

__all__ = ["fisher", "kendall", "kolmogorov_smirnov", "mann_whitney"]

#: Samples without ties of which the smaller has so few values get an exact Mann-Whitney test.
SMALL = 8
#: Samples of so many values get an exact Kolmogorov-Smirnov test.
EXACT_ROWS = 10_000
#: Logarithms of likelihoods that differ by less may belong to equal ones.
_UNSURE = 1e-6


def mann_whitney(rank_sums: Floats, n1: int, n2: int, ties: Floats) -> Floats:
    """Two-sided p-values of the Mann-Whitney U test.

    Source: H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18 (1947) 50; with corrections for ties and
    continuity where it is asymptotic.

    Parameters
    ----------
    rank_sums : float64[b], of the first sample in each column
    n1, n2 : sizes of the samples
    ties : float64[b], the sums of t^3 - t over groups of t equal values

    Examples
    --------
    >>> mann_whitney(np.array([6.0]), 3, 3, np.array([0.0])).round(4)
    array([0.1])
    """
    u = rank_sums - n1 * (n1 + 1) / 2
    u = np.maximum(u, n1 * n2 - u)
    n = n1 + n2
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(n1 * n2 / 12 * ((n + 1) - ties / (n * (n - 1))))
        p_values = 2 * special.ndtr(-((u - n1 * n2 / 2 - 0.5) / spread))
    if min(n1, n2) <= SMALL:
        exact = ties == 0
        if exact.any():
            tails = _mann_whitney_tails(min(n1, n2), max(n1, n2))
            p_values[exact] = 2 * tails[(n1 * n2 - u[exact]).astype(np.int64)]
    clipped: Floats = np.clip(p_values, 0, 1)
    return clipped


@cache
def _mann_whitney_tails(n1: int, n2: int) -> Floats:
    """The share of arrangements with at most 0, 1, ... n1 n2 / 2 inversions.

    The counts are the coefficients of a Gaussian binomial, in integers without limit: float64
    would lose digits by cancellation.
    """
    size = n1 * n2 // 2 + 1
    counts = np.zeros(size, dtype=object)
    counts[0] = 1
    for i in range(1, n1 + 1):
        if n2 + i < size:
            shifted = counts[: size - n2 - i].copy()
            counts[n2 + i :] -= shifted
        for first in range(min(i, size)):
            counts[first::i] = np.cumsum(counts[first::i])
    total = math.comb(n1 + n2, n1)
    return np.array([count / total for count in itertools.accumulate(counts.tolist())])


def kolmogorov_smirnov(gaps: Floats, n1: Index, n2: Index) -> Floats:
    """Two-sided p-values of the Kolmogorov-Smirnov test.

    Exact up to 10,000 values of a sample, else asymptotic. Source: J. L. Hodges, Ark. Mat. 3 (1958)
    469.

    Parameters
    ----------
    gaps : float64[b], the largest difference between both distributions
    n1, n2 : int64[b], sizes of the samples

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([1.0]), np.array([3]), np.array([3])).round(4)
    array([0.1])
    """
    large, small = np.maximum(n1, n2), np.minimum(n1, n2)
    exact = large <= EXACT_ROWS
    p_values = np.full(len(gaps), np.nan)
    if exact.any():
        p_values[exact] = _exact_gaps(gaps[exact], large[exact], small[exact])
    rest = np.isnan(p_values)
    if rest.any():
        mean = np.round(large[rest] * (small[rest] / (large[rest] + small[rest])))
        p_values[rest] = stats.kstwo.sf(gaps[rest], mean)
    clipped: Floats = np.clip(p_values, 0, 1)
    return clipped


def _exact_gaps(gaps: Floats, large: Index, small: Index) -> Floats:
    """Exact p-values; each distinct case is calculated once, in a few ms where it is long."""
    heights = np.round(gaps * (large // np.gcd(large, small) * small)).astype(np.int64)
    asked = list(zip(large.tolist(), small.tolist(), heights.tolist(), strict=True))
    cases = [case for case in dict.fromkeys(asked) if case[2]]
    found = np.empty((len(cases), 1))
    if cases:
        run_kernel("leaving_paths", [np.array(cases)], (), found)
    shares = dict(zip(cases, found[:, 0].tolist(), strict=True))
    p_values = np.array([shares.get(case, 1.0) for case in asked])
    return np.where((p_values >= 0) & (p_values <= 1), p_values, np.nan)


def kendall(counts: Floats, n: int, y_ties: tuple[float, float, float]) -> Floats:
    """Two-sided p-values of Kendall's tau, asymptotic, with ties.

    Source: M. G. Kendall, Rank Correlation Methods (1970).

    Parameters
    ----------
    counts : float64[b, 5], as the kernel ``concordance`` gives them
    n : rows
    y_ties : the three sums of the ties in y, as in ``counts``

    Examples
    --------
    >>> kendall(np.array([[0.0, 0, 0, 0, 0]]), 6, (0, 0, 0)).round(4)
    array([0.0048])
    """
    discordant, ties, ties_0, ties_1, both = counts.T
    y_tied, y_0, y_1 = y_ties
    pairs = n * (n - 1) // 2
    balance = pairs - ties - y_tied + both - 2 * discordant
    m = n * (n - 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (
            (m * (2 * n + 5) - ties_1 - y_1) / 18
            + (2 * ties * y_tied) / m
            + ties_0 * y_0 / (9 * m * (n - 2))
        )
        p_values: Floats = 2 * special.ndtr(-np.abs(balance / np.sqrt(variance)))
    p_values[(ties == pairs) | (y_tied == pairs)] = np.nan
    return p_values


def fisher(both: Index, first: Index, second: Index, n: int) -> Floats:
    """Two-sided p-values of Fisher's exact test.

    Tables that are as likely as the one found, to a relative 1e-14, count as such.

    Parameters
    ----------
    both : int64[b], rows that have both properties
    first, second : int64[b], rows that have one of them
    n : rows

    Examples
    --------
    >>> fisher(np.array([3]), np.array([3]), np.array([3]), 6).round(4)
    array([0.1])
    """
    mode = ((second + 1) * (first + 1) / (n + 2)).astype(np.int64)
    whole = _Tables(n, first, second)
    alike = np.flatnonzero(np.abs(whole.logs(both) - whole.logs(mode)) < _UNSURE)
    usual = np.ones(len(both), dtype=bool)
    if len(alike):
        found, highest = whole.exactly(both[alike], alike), whole.exactly(mode[alike], alike)
        usual[alike] = np.abs(found - highest) / np.maximum(found, highest) > 1e-14
    p_values = np.ones(len(both))
    for side, tails in ((both < mode, _below_mode), (both >= mode, _above_mode)):
        at = np.flatnonzero(usual & side)
        if len(at):
            p_values[at] = tails(_Tables(n, first[at], second[at]), both[at], mode[at])
    clipped: Floats = np.minimum(p_values, 1.0)
    return clipped


@dataclass(frozen=True, slots=True)
class _Tables:
    """The laws of tables with fixed margins: of how many rows have both properties."""

    n: int
    first: Index
    second: Index

    def at_least(self, k: Index) -> Floats:
        return np.asarray(stats.hypergeom.sf(k - 1, self.n, self.first, self.second))

    def at_most(self, k: Index) -> Floats:
        return np.asarray(stats.hypergeom.cdf(k, self.n, self.first, self.second))

    def exactly(self, k: Index, some: Index) -> Floats:
        """For some of the tables, 0.1 ms each."""
        return np.asarray(stats.hypergeom.pmf(k, self.n, self.first[some], self.second[some]))

    def logs(self, k: Index) -> Floats:
        """Logarithms up to a constant of each table, right to 1e-9 for a million rows; -inf."""
        rest = self.n - self.first - self.second
        cells = np.stack([k, self.first - k, self.second - k, rest + k])
        logs: Floats = -special.gammaln(cells + 1.0).sum(axis=0)
        return np.where((cells < 0).any(axis=0), -np.inf, logs)


def _below_mode(tables: _Tables, both: Index, mode: Index) -> Floats:
    """The tail up to ``both``, and that beyond the mode where tables are as unlikely."""
    tail = tables.at_most(both)
    place = _last_below(tables, both, mode, tables.second, -1)
    other = tables.at_least(place + 1)
    return np.where(_exceeds(tables, tables.second, both), tail, tail + other)


def _above_mode(tables: _Tables, both: Index, mode: Index) -> Floats:
    """The tail from ``both`` on, and that before the mode where tables are as unlikely."""
    tail = tables.at_least(both)
    none = np.zeros_like(both)
    other = tables.at_most(_last_below(tables, both, none, mode, 1))
    return np.where(_exceeds(tables, none, both), tail, tail + other)


def _exceeds(tables: _Tables, k: Index, both: Index) -> npt.NDArray[np.bool_]:
    """Whether tables are more likely with k than as they were found."""
    gap = tables.logs(k) - tables.logs(both)
    more, some = gap > 0, np.flatnonzero(np.abs(gap) < _UNSURE)
    if len(some):
        more[some] = tables.exactly(k[some], some) > _limit(tables, both, some)
    return more


def _limit(tables: _Tables, both: Index, some: Index) -> Floats:
    return tables.exactly(both[some], some) * (1 + 1e-14)


def _last_below(tables: _Tables, both: Index, low: Index, high: Index, sign: int) -> Index:
    """The last k of a range, in which ``sign`` times likelihood rises, that is not above the limit.

    Logarithms tell it but for one or two places, which scipy decides.
    """
    wanted = tables.logs(both)

    def gap(k: Index) -> Floats:
        return sign * (tables.logs(k) - wanted)

    sure = _search(lambda k: gap(k) < -_UNSURE, low, high)
    last = _search(lambda k: gap(k) <= _UNSURE, low, high)
    some = np.flatnonzero(last > sure)
    if len(some):
        limit = sign * _limit(tables, both, some)
        sure[some] = _search(
            lambda k: sign * tables.exactly(k, some) <= limit, sure[some] + 1, last[some]
        )
    return sure


def _search(holds: Callable[[Index], npt.NDArray[np.bool_]], low: Index, high: Index) -> Index:
    """For each table the last place for which it holds; it does up to there, or low - 1."""
    low, high = low - 1, high.copy()
    while (low < high).any():
        middle = high - (high - low) // 2
        found = holds(middle)
        low, high = np.where(found, middle, low), np.where(found, high, middle - 1)
    return low
