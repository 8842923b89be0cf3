"""The four tests of one feature against one target, chosen by which of the two is binary.

======================================  ==========================================
target and feature                      test
======================================  ==========================================
binary target, binary feature           Fisher's exact test
binary target, real feature             Mann-Whitney U, or Kolmogorov-Smirnov
real target, binary feature             Kolmogorov-Smirnov
real target, real feature               Kendall's tau (tau-b, asymptotic)
======================================  ==========================================

Source: M. Christ, A. W. Kempa-Liehr, M. Feindt, Distributed and parallel time series feature
extraction for industrial big data applications, arXiv:1610.07717; p-values as in scipy.stats.
"""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from tidemill.errors import SelectionError
from tidemill.selection.columns import column_batches
from tidemill.selection.evidence import BINARY, REAL, check_test, measure
from tidemill.selection.targets import read_target

__all__ = [
    "target_binary_feature_binary_test",
    "target_binary_feature_real_test",
    "target_real_feature_binary_test",
    "target_real_feature_real_test",
]


def target_binary_feature_binary_test(x: pd.Series[Any], y: pd.Series[Any]) -> float:
    """P-value of Fisher's exact test for a binary feature and a binary target.

    Parameters
    ----------
    x, y : Series of two distinct values each, with one index

    Raises
    ------
    SelectionError
        If there are more than two values, NaN, or another index.

    Warns
    -----
    RuntimeWarning
        If the values are not 0 and 1.

    Examples
    --------
    >>> x = pd.Series([0, 0, 0, 1, 1, 1])
    >>> round(float(target_binary_feature_binary_test(x, x == 1)), 4)
    0.1
    """
    _check_pair(x, y)
    _check_binary(x, f"feature {x.name!r}")
    _check_binary(y, "the target")
    return _p_value(x, y, "classification", BINARY)


def target_binary_feature_real_test(x: pd.Series[Any], y: pd.Series[Any], test: str) -> float:
    """P-value of a test of rank for a feature and a binary target.

    Parameters
    ----------
    x : Series
        The feature.
    y : Series of two distinct values, with the same index
    test : "mann" or "smir"
        Mann-Whitney U (exact for up to 8 rows of a class without ties, else asymptotic with
        correction for ties and continuity) or Kolmogorov-Smirnov (exact up to 10,000 rows of a
        class).

    Raises
    ------
    SelectionError
        If the target has more than two values, or there is NaN, another index or another test.

    Warns
    -----
    RuntimeWarning
        If the target's values are not 0 and 1.

    Examples
    --------
    >>> x, y = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), pd.Series([0, 0, 0, 1, 1, 1])
    >>> round(float(target_binary_feature_real_test(x, y, "mann")), 4)
    0.1
    """
    _check_pair(x, y)
    _check_binary(y, "the target")
    check_test(test)
    return _p_value(x, y, "classification", REAL, test)


def target_real_feature_binary_test(x: pd.Series[Any], y: pd.Series[Any]) -> float:
    """P-value of the Kolmogorov-Smirnov test for a binary feature and a real target.

    Parameters
    ----------
    x : Series of two distinct values
        The feature.
    y : Series
        The target, with the same index.

    Raises
    ------
    SelectionError
        If the feature has more than two values, or there is NaN or another index.

    Warns
    -----
    RuntimeWarning
        If the feature's values are not 0 and 1.

    Examples
    --------
    >>> x, y = pd.Series([0, 0, 0, 1, 1, 1]), pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> round(float(target_real_feature_binary_test(x, y)), 4)
    0.1
    """
    _check_pair(x, y)
    _check_binary(x, f"feature {x.name!r}")
    return _p_value(x, y, "regression", BINARY)


def target_real_feature_real_test(x: pd.Series[Any], y: pd.Series[Any]) -> float:
    """P-value of Kendall's tau-b for a real feature and a real target, asymptotic.

    Parameters
    ----------
    x, y : Series with one index

    Returns
    -------
    float
        NaN if the feature or the target is constant.

    Raises
    ------
    SelectionError
        If there is NaN, another index, or fewer than three rows.

    Examples
    --------
    >>> x = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> round(float(target_real_feature_real_test(x, x**2)), 4)
    0.0048
    """
    _check_pair(x, y)
    if len(x) <= 2:
        raise SelectionError(f"x has {len(x)} rows: give three or more")
    return _p_value(x, y, "regression", REAL)


def _check_pair(x: pd.Series[Any], y: pd.Series[Any]) -> None:
    for name, given in (("x", x), ("y", y)):
        if not isinstance(given, pd.Series):
            raise SelectionError(f"{name}={type(given).__name__} is not supported; give a Series")
    if not y.index.equals(x.index):
        raise SelectionError("x and y have different indices; bring their rows into one order")
    for name, given in (("x", x), ("y", y)):
        if given.isna().any():
            raise SelectionError(
                f"{name} ({given.name!r}) lacks a value in {int(given.isna().sum()):,} rows: fill "
                "or drop them in both"
            )


def _check_binary(values: pd.Series[Any], what: str) -> None:
    distinct = list(values.unique())
    if len(distinct) != 2:
        raise SelectionError(f"{what} has {len(distinct)} distinct values, not two")
    if set(distinct) != {0, 1}:
        warnings.warn(
            f"{what} should have the values 0 and 1, or False and True, but has {distinct}",
            RuntimeWarning,
            stacklevel=3,
        )


def _p_value(
    x: pd.Series[Any], y: pd.Series[Any], ml_task: str, kind: int, test: str = "mann"
) -> float:
    target = read_target(y, x.index, ml_task)
    evidence = measure(column_batches(x.to_frame()), target, test=test, treat_as=kind)
    # As in tsfresh, the class that sorts last is tested against the other one.
    row = target.labels.index(max(target.labels)) if target.labels else 0
    return float(evidence.p_values[row, 0])
