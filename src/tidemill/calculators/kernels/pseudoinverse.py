"""The regressions of statsmodels step by step, for series at the edge of singularity.

Plain numpy. A kernel leaves a series to these functions where the last bits of LAPACK's singular
values decide what tsfresh says (see :mod:`tidemill.calculators.kernels.unsolved`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tidemill.calculators.kernels.dickey_fuller import (
    ALL_LAGS,
    BIC,
    SIGNIFICANT,
    T_STAT,
    USEDLAG,
    most_lags,
    p_value,
)
from tidemill.calculators.kernels.regression import CONDITION, ERROR, NOTHING
from tidemill.calculators.kernels.unsolved import UNSOLVED
from tidemill.model.aliases import Floats, Index

__all__ = ["autoregression", "dickey_fuller"]

#: Index in the columns up to which these are decomposed as they are: series of 2,000 values, and
#: 30 ms for all regressions of a test.
_AS_THEY_ARE = 60_000
#: Index in the columns that are reduced to their triangle at a time.
_AT_ONCE = 1_000_000


class RegressionColumns(NamedTuple):
    """A regression's columns, or the triangle that stands for them, the target last."""

    values: Floats  # float64[rows or fewer, columns]
    rows: int
    is_triangle: bool


class LeastSquaresFit(NamedTuple):
    """A least-squares fit."""

    coefficients: Floats
    tests: Floats  # t statistics of the coefficients
    rank: int
    squares: float  # the sum of the squared residuals


def _columns(parts: list[Floats]) -> RegressionColumns:
    # A triangle's singular values that ought to be zero are smaller ones: fewer of them are above
    # 1e-15 of the largest than statsmodels finds, and a sine's statistic would be another.
    rows = len(parts[0])
    if rows > 2 * len(parts) and rows * len(parts) > _AS_THEY_ARE:
        triangle = _triangle(parts)
        if np.isfinite(triangle.values).all():  # LAPACK may never come back from NaN
            return triangle
    return RegressionColumns(np.column_stack(parts), rows, is_triangle=False)


def _triangle(parts: list[Floats]) -> RegressionColumns:
    # Those of the first columns are its corners, so 24 regressions of 1,000 rows cost one.
    rows, at_once = len(parts[0]), max(_AT_ONCE // len(parts), 2 * len(parts))
    triangle = np.empty((0, len(parts)))
    for first in range(0, rows, at_once):
        block = np.column_stack([part[first : first + at_once] for part in parts])
        triangle = np.asarray(np.linalg.qr(np.vstack((triangle, block)), mode="r"))
    return RegressionColumns(triangle, rows, is_triangle=True)


def _fit(columns: RegressionColumns, used: int) -> LeastSquaresFit:
    """LeastSquaresFit the first columns by their pseudoinverse.

    Singular values below 1e-15 of the largest count as zero; for the rank other ones do.
    """
    regressors, target = columns.values[:, :used], columns.values[:, -1]
    rows = used if columns.is_triangle else columns.rows  # all others are zero
    if not np.isfinite(regressors).all():
        raise np.linalg.LinAlgError  # LAPACK may never come back
    u, s, vt = np.linalg.svd(regressors[:rows], full_matrices=False)
    kept = s > 1e-15 * s.max()
    inverse = np.dot(vt.T, np.where(kept, 1 / s, 0.0)[:, None] * u.T)
    coefficients = np.dot(inverse, target[:rows])
    rank = int((s > s.max() * used * np.finfo(float).eps).sum())
    residuals = target - np.dot(regressors, coefficients)
    scale = np.dot(residuals, residuals) / np.float64(columns.rows - rank)
    errors = np.sqrt(np.diag(np.dot(inverse, inverse.T)) * scale)
    return LeastSquaresFit(coefficients, coefficients / errors, rank, float(np.sum(residuals**2)))


def autoregression(x: Floats, _: Floats, coeff: Index, k: Index) -> list[float]:
    """The results of :func:`tidemill.calculators.kernels.regression.ar_coefficient`."""
    fits = {order: _autoregression(x, order) for order in set(k.tolist())}
    pairs = zip(coeff.tolist(), k.tolist(), strict=True)
    return [fits[order][c] if c <= order else math.nan for c, order in pairs]


def _autoregression(x: Floats, order: int) -> Floats:
    rows = len(x) - order
    if rows < order + 1:
        return np.append(np.full(order, math.nan), 0.0)
    lags = [x[order - lag : len(x) - lag] for lag in range(1, order + 1)]
    try:
        return _fit(_columns([np.ones(rows), *lags, x[order:]]), order + 1).coefficients
    except np.linalg.LinAlgError:
        return np.append(np.full(order, math.nan), 0.0)


def dickey_fuller(x: Floats, cells: Floats, attr: Index, autolag: Index) -> list[float]:
    """The results of :func:`tidemill.calculators.kernels.dickey_fuller.augmented_dickey_fuller`."""
    asked = list(zip(attr.tolist(), autolag.tolist(), strict=True))
    known = {
        choice: int(cell)
        for (a, choice), cell in zip(asked, cells, strict=True)
        if a == USEDLAG and cell != UNSOLVED
    }
    tests = {choice: _dickey_fuller(x, choice, known) for choice in set(autolag.tolist())}
    return [tests[choice][a] for a, choice in asked]


def _dickey_fuller(x: Floats, autolag: int, known: dict[int, int]) -> tuple[float, ...]:
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


def _regressors(x: Floats, lags: int) -> tuple[Floats, list[Floats]]:
    """The level, and the change with those up to some steps before."""
    changes = np.diff(x)
    n = len(changes)
    return x[lags:n], [changes[lags - k : n - k] for k in range(lags + 1)]


def _constant(parts: list[Floats]) -> list[Floats]:
    """A constant as one more regressor, but none beside a column that is constant and not 0."""
    there = any(part[0] != 0.0 and np.ptp(part) == 0.0 for part in parts)
    return [] if there else [np.ones(len(parts[0]))]


def _choose_lag(x: Floats, most: int, autolag: int) -> int:
    if autolag == ALL_LAGS:
        return most
    level, changes = _regressors(x, most)
    constant = _constant([level, *changes[1:]])
    parts, fewest = [*constant, level, *changes[1:], changes[0]], len(constant) + 1
    columns = _columns(parts)
    if columns.rows > 2 * len(parts):
        triangle = columns if columns.is_triangle else _triangle(parts)
        lag = _read_lag(triangle, fewest, autolag, NOTHING * float(np.dot(x, x)))
        if lag >= 0:
            return lag
    return _choose(_decompose(columns, fewest, most), columns.rows, autolag)[0]


def _read_lag(triangle: RegressionColumns, fewest: int, autolag: int, nothing: float) -> int:
    """The number of lags that the triangle tells; -1 if ranks or roundings decide."""
    if not (triangle.values[-1, -1] ** 2 > nothing and np.isfinite(triangle.values).all()):
        return -1
    error = _error(triangle.values[:-1, :-1])
    lag, margin = _choose(_read(triangle, fewest), triangle.rows, autolag)
    return lag if margin > 10 * triangle.rows * error and error < ERROR else -1


def _error(triangle: Floats) -> float:
    """The relative error of what is read from a triangle; infinite if ranks are in doubt."""
    s = np.linalg.svd(triangle, compute_uv=False)
    if not s[-1] > s[0] / CONDITION:
        return math.inf  # columns of zeros, too, which could not be scaled
    scaled = np.linalg.svd(triangle / np.linalg.norm(triangle, axis=0), compute_uv=False)
    return float(1e-15 / scaled[-1])


class LagModels(NamedTuple):
    """The regressions with 0, 1, 2, ... lags."""

    squares: Floats  # sums of squared residuals
    tests: Floats  # t statistics of the last coefficients
    ranks: Floats


def _read(columns: RegressionColumns, fewest: int) -> LagModels:
    """What the triangle says, without further decomposition."""
    used = np.arange(fewest, columns.values.shape[1])
    parts = columns.values[:, -1] ** 2
    squares = np.cumsum(parts[::-1])[::-1][fewest:]
    tests = np.sqrt(parts[used - 1] / (squares / (columns.rows - used)))
    return LagModels(squares, tests, used.astype(np.float64))


def _decompose(columns: RegressionColumns, fewest: int, most: int) -> LagModels:
    fits = [_fit(columns, fewest + lag) for lag in range(most + 1)]
    tests = [fit.tests[-1] for fit in fits]
    return LagModels(*map(np.array, ([f.squares for f in fits], tests, [f.rank for f in fits])))


def _choose(models: LagModels, rows: int, autolag: int) -> tuple[int, float]:
    """The lag of choice, and how clear the choice is."""
    if autolag == T_STAT:
        above = np.abs(models.tests) - SIGNIFICANT
        return int(max(np.flatnonzero(above >= 0), default=0)), float(np.abs(above).min())
    penalty, half = math.log(rows) if autolag == BIC else 2.0, rows / 2
    likelihood = -half * np.log(2 * np.pi) - half * np.log(models.squares / rows) - half
    values = (-2 * likelihood + penalty * models.ranks).tolist()
    best, lag = min((value, lag) for lag, value in enumerate(values))
    return lag, min((v - best for k, v in enumerate(values) if k != lag), default=math.inf)
