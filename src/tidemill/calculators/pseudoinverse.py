"""The regressions of statsmodels step by step, for series at the edge of singularity.

Plain numpy. A kernel leaves a series to these functions where the last bits of LAPACK's singular
values decide what tsfresh says (see :mod:`tidemill.calculators.unsolved`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tidemill.calculators.dickey_fuller import (
    BIC,
    SIGNIFICANT,
    T_STAT,
    USEDLAG,
    most_lags,
    p_value,
)
from tidemill.calculators.unsolved import UNSOLVED

__all__ = ["autoregression", "dickey_fuller"]

Values = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

#: Numbers in the columns that are reduced to their triangle at a time.
_AT_ONCE = 1_000_000


class Columns(NamedTuple):
    """A regression's columns, or the triangle that stands for them, the target last."""

    values: Values  # float64[rows or fewer, columns]
    rows: int
    is_triangle: bool


class Fit(NamedTuple):
    """A least-squares fit."""

    coefficients: Values
    tests: Values  # t statistics of the coefficients
    rank: int
    squares: float  # the sum of the squared residuals


def _columns(parts: list[Values]) -> Columns:
    # LAPACK's decomposition of a tall matrix starts with this triangle, too; those of the first
    # columns are its corners, so 24 regressions of 1,000 rows cost one.
    rows, at_once = len(parts[0]), max(_AT_ONCE // len(parts), 2 * len(parts))
    if rows <= 2 * len(parts):
        return Columns(np.column_stack(parts), rows, is_triangle=False)
    triangle: Values = np.empty((0, len(parts)))
    for first in range(0, rows, at_once):
        block = np.column_stack([part[first : first + at_once] for part in parts])
        triangle = np.asarray(np.linalg.qr(np.vstack((triangle, block)), mode="r"))
    return Columns(triangle, rows, is_triangle=True)


def _fit(columns: Columns, used: int) -> Fit:
    """Fit the first columns by their pseudoinverse.

    Singular values below 1e-15 of the largest count as zero; for the rank other ones do.
    """
    regressors, target = columns.values[:, :used], columns.values[:, -1]
    rows = used if columns.is_triangle else columns.rows  # all others are zero
    u, s, vt = np.linalg.svd(regressors[:rows], full_matrices=False)
    kept = s > 1e-15 * s.max()
    inverse = np.dot(vt.T, np.where(kept, 1 / s, 0.0)[:, None] * u.T)
    coefficients = np.dot(inverse, target[:rows])
    rank = int((s > s.max() * used * np.finfo(float).eps).sum())
    residuals = target - np.dot(regressors, coefficients)
    scale = np.dot(residuals, residuals) / np.float64(columns.rows - rank)
    errors = np.sqrt(np.diag(np.dot(inverse, inverse.T)) * scale)
    return Fit(coefficients, coefficients / errors, rank, float(np.sum(residuals**2)))


def autoregression(x: Values, _: Values, coeff: Numbers, k: Numbers) -> list[float]:
    """The results of :func:`tidemill.calculators.regression.ar_coefficient`."""
    fits = {order: _autoregression(x, order) for order in set(k.tolist())}
    pairs = zip(coeff.tolist(), k.tolist(), strict=True)
    return [fits[order][c] if c <= order else math.nan for c, order in pairs]


def _autoregression(x: Values, order: int) -> Values:
    rows = len(x) - order
    if rows < order + 1:
        return np.append(np.full(order, math.nan), 0.0)
    lags = [x[order - lag : len(x) - lag] for lag in range(1, order + 1)]
    try:
        return _fit(_columns([np.ones(rows), *lags, x[order:]]), order + 1).coefficients
    except np.linalg.LinAlgError:
        return np.append(np.full(order, math.nan), 0.0)


def dickey_fuller(x: Values, cells: Values, attr: Numbers, autolag: Numbers) -> list[float]:
    """The results of :func:`tidemill.calculators.dickey_fuller.augmented_dickey_fuller`."""
    asked = list(zip(attr.tolist(), autolag.tolist(), strict=True))
    known = {
        choice: int(cell)
        for (a, choice), cell in zip(asked, cells, strict=True)
        if a == USEDLAG and cell != UNSOLVED
    }
    tests = {choice: _dickey_fuller(x, choice, known) for _, choice in asked}
    return [tests[choice][a] for a, choice in asked]


def _dickey_fuller(x: Values, autolag: int, known: dict[int, int]) -> tuple[float, ...]:
    """P-value, statistic, number of lags, NaN: in the order of the choices of ``attr``."""
    most = most_lags.py_func(len(x))
    try:
        lag = known[autolag] if autolag in known else _choose_lag(x, most, autolag)
        level, changes = _regressors(x, lag)
        parts = [level, *changes[1:], *_constant([level, *changes[1:]]), changes[0]]
        statistic = float(_fit(_columns(parts), len(parts) - 1).tests[0])
    except np.linalg.LinAlgError:
        return (math.nan,) * 4
    return p_value.py_func(statistic), statistic, lag, math.nan


def _regressors(x: Values, lags: int) -> tuple[Values, list[Values]]:
    """The level, and the change with those up to some steps before."""
    changes = np.diff(x)
    n = len(changes)
    return x[lags:n], [changes[lags - k : n - k] for k in range(lags + 1)]


def _constant(parts: list[Values]) -> list[Values]:
    """A constant as one more regressor, but none beside a column that is constant and not 0."""
    there = any(part[0] != 0.0 and np.ptp(part) == 0.0 for part in parts)
    return [] if there else [np.ones(len(parts[0]))]


def _choose_lag(x: Values, most: int, autolag: int) -> int:
    level, changes = _regressors(x, most)
    constant = _constant([level, *changes[1:]])
    columns = _columns([*constant, level, *changes[1:], changes[0]])
    fewest = len(constant) + 1
    fits = ((lag, _fit(columns, fewest + lag)) for lag in range(most + 1))
    if autolag == T_STAT:
        return _last_significant(fits)
    penalty = math.log(columns.rows) if autolag == BIC else 2.0
    return min((_criterion(fit, columns.rows, penalty), lag) for lag, fit in fits)[1]


def _last_significant(fits: Iterator[tuple[int, Fit]]) -> int:
    last = [abs(fit.tests[-1]) >= SIGNIFICANT for _, fit in fits]
    return max(map(int, np.flatnonzero(last)), default=0)


def _criterion(fit: Fit, rows: int, penalty: float) -> float:
    half = rows / 2
    likelihood = -half * np.log(2 * np.pi) - half * np.log(fit.squares / rows) - half
    return float(-2 * likelihood + penalty * fit.rank)
