"""The target: which task it stands for, its classes, and its rows in the order of the matrix."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.model.aliases import Index

__all__ = ["Target", "infer_ml_task", "read_target", "with_levels_of"]

TASKS = ("auto", "classification", "regression")
#: Kinds of dtypes that count as classes, beside pandas' text and objects; "U" is Arrow's text. That
#: unsigned integers do not is tsfresh's choice.
_CLASS_KINDS = "biU"


@dataclass(frozen=True, slots=True)
class Target:
    """A checked target, in the order of the matrix's rows."""

    ml_task: str  # "classification" or "regression"
    multiclass: bool  # whether each class has columns of its own in the table
    n_significant: int  # classes for which a feature must be relevant, if multiclass
    numbers: npt.NDArray[Any]  # regression: numbers[n], without NaN
    codes: Index  # classification: the class of each row
    labels: tuple[Any, ...]  # the classes, in the order of their first rows


def infer_ml_task(y: pd.Series[Any]) -> str:
    """Tell from the dtype of a target whether it stands for classes or numbers.

    Signed integers, booleans, text, categories and objects are classes; all else is regression.
    So are unsigned integers, as in tsfresh: give ``ml_task`` for classes that are stored as such.

    Parameters
    ----------
    y : Series
        The target.

    Returns
    -------
    "classification" or "regression"

    Examples
    --------
    >>> infer_ml_task(pd.Series([1, 2])), infer_ml_task(pd.Series([1.0, 2.0]))
    ('classification', 'regression')
    """
    dtype = y.dtype
    named = dtype.kind == "O" or isinstance(dtype, pd.StringDtype | pd.CategoricalDtype)
    return "classification" if named or dtype.kind in _CLASS_KINDS else "regression"


def read_target(
    y: pd.Series[Any],
    index: pd.Index[Any],
    ml_task: str = "auto",
    *,
    multiclass: bool = False,
    n_significant: int = 1,
) -> Target:
    """Check a target, and bring its rows into the order of a matrix's index.

    Raises
    ------
    SelectionError
        If arguments are not allowed, or the target does not fit them or the index.

    Warns
    -----
    UserWarning
        If ``multiclass`` is set for two classes, and therefore ignored.

    Examples
    --------
    >>> y = pd.Series(["b", "a", "b"], index=[2, 1, 3])
    >>> target = read_target(y, pd.Index([1, 2, 3]))
    >>> target.ml_task, target.labels, target.codes
    ('classification', ('a', 'b'), array([0, 1, 1]))
    """
    if ml_task not in TASKS:
        raise SelectionError(
            f"ml_task={ml_task!r} is not allowed; choose one of {', '.join(map(repr, TASKS))}"
        )
    aligned, ordered = _aligned(y, index)
    if aligned.isna().any():
        raise SelectionError(
            f"y lacks a value in {int(aligned.isna().sum()):,} rows: drop them, from X too"
        )
    task = infer_ml_task(aligned) if ml_task == "auto" else ml_task
    if multiclass:
        multiclass = _check_multiclass(ordered, task, n_significant)
    if task == "regression":
        nothing = np.zeros(0, dtype=np.int64)
        return Target(
            task,
            multiclass=False,
            n_significant=1,
            numbers=_numbers(aligned),
            codes=nothing,
            labels=(),
        )
    labels = ordered.unique()
    if multiclass and len(set(map(str, labels))) < len(labels):
        raise SelectionError(
            f"y has different classes that read alike ({shorten(map(repr, labels))}), but columns "
            "of the table are named by them: give them different names"
        )
    codes = pd.Index(labels).get_indexer(pd.Index(aligned)).astype(np.int64)
    return Target(task, multiclass, n_significant, codes, codes, tuple(labels))


def _aligned(y: pd.Series[Any], index: pd.Index[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The target in the order of the index, and sorted by it, if it can be."""
    y = with_levels_of(index, y)
    if y.index.equals(index):
        return y, y if index.is_monotonic_increasing else _sorted(y)
    if len(y) != len(index) or not (y.index.is_unique and index.is_unique):
        same = len(y) == len(index) and Counter(y.index) == Counter(index)
        raise SelectionError(
            "the index of X and y has repeated values in another order, so rows cannot be matched: "
            "bring both into one order"
            if same
            else _other_index(index.difference(y.index), y.index.difference(index))
        )
    places = y.index.get_indexer(index)
    if (places < 0).any():
        raise SelectionError(_other_index(index.difference(y.index), y.index.difference(index)))
    return y.iloc[places], _sorted(y)


def with_levels_of(index: pd.Index[Any], y: pd.Series[Any]) -> pd.Series[Any]:
    """The target with the levels of its index in the order of another, if both name the same.

    Examples
    --------
    >>> index = pd.MultiIndex.from_tuples([("a", 1)], names=["site", "pump"])
    >>> y = pd.Series([5.0], index=index.swaplevel())
    >>> with_levels_of(index, y).index.tolist()
    [('a', 1)]
    """
    own, names = list(y.index.names), list(index.names)
    if own == names or None in own or len(set(own)) < len(own) or set(own) != set(names):
        return y
    return y.reorder_levels([own.index(name) for name in names])


def _sorted(y: pd.Series[Any]) -> pd.Series[Any]:
    try:
        return y.sort_index()
    except TypeError:  # ids of types that have no order
        return y


def _other_index(only_x: pd.Index[Any], only_y: pd.Index[Any]) -> str:
    return (
        f"the index of y is not that of X: {len(only_x):,} rows are only in X and {len(only_y):,} "
        "only in y; select the same rows in both"
    )


def _check_multiclass(y: pd.Series[Any], task: str, n_significant: int) -> bool:
    """Whether classes are told apart; there must be more than two."""
    classes = y.nunique()
    if task != "classification":
        raise SelectionError("multiclass=True needs ml_task='classification', not 'regression'")
    if classes < n_significant:
        raise SelectionError(
            f"n_significant={n_significant} is not allowed: y has only {classes} classes"
        )
    if classes <= 2:
        warnings.warn(f"multiclass=True has no effect, since y has {classes} classes", stacklevel=4)
    return classes > 2


def _numbers(y: pd.Series[Any]) -> npt.NDArray[Any]:
    values = y.to_numpy()
    if values.dtype == object and pd.api.types.is_numeric_dtype(y):
        values = y.to_numpy(dtype=np.float64)
    if values.dtype.kind not in "biuf":
        raise SelectionError(
            f"y holds {y.dtype}, which is no number: cast it, or give ml_task='classification'"
        )
    return np.asarray(values)
