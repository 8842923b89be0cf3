"""Reduce a feature matrix to the columns that are relevant for a target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError
from tidemill.selection.relevance import calculate_relevance_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.matrix_columns import MatrixColumns

__all__ = ["select_features"]


def select_features(
    X: pd.DataFrame | str | os.PathLike[str],
    y: pd.Series[Any] | npt.NDArray[Any],
    test_for_binary_target_binary_feature: str = "fisher",
    test_for_binary_target_real_feature: str = "mann",
    test_for_real_target_binary_feature: str = "mann",
    test_for_real_target_real_feature: str = "kendall",
    fdr_level: float = 0.05,
    hypotheses_independent: bool = False,
    n_jobs: int | None = None,
    show_warnings: bool = False,
    chunksize: int | None = None,
    ml_task: str = "auto",
    multiclass: bool = False,
    n_significant: int = 1,
    *,
    per_window: Literal["interval"] | None = None,
    min_share: float = 0.5,
    storage_options: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Keep the columns of a feature matrix that are relevant for a target.

    The parameters, their order and the result are tsfresh's, those by name are tidemill's;
    :func:`calculate_relevance_table` says what is tested.

    Parameters
    ----------
    X : DataFrame, or path or URL
        The matrix, a column per feature: numbers or booleans, without NaN. Is not changed. Or what
        is published at a sink.
    y : Series or array
        The target: a Series with the same index in any order, or an array in the order of rows.
        For a table of intervals as in :func:`calculate_relevance_table`.
    test_for_binary_target_binary_feature, test_for_binary_target_real_feature
    test_for_real_target_binary_feature, test_for_real_target_real_feature
    fdr_level, hypotheses_independent, n_jobs, show_warnings, chunksize, ml_task, multiclass
    n_significant, per_window, min_share, storage_options
        As in :func:`calculate_relevance_table`.

    Returns
    -------
    DataFrame
        The relevant columns, the most significant first; with ``per_window`` those that are
        relevant in most intervals. Of a sink they are read for all rows, not imputed.

    Raises
    ------
    SelectionError
        If arguments or data cannot be used.

    Examples
    --------
    >>> X = pd.DataFrame({"a": range(20), "b": [3, 1, 4, 1, 5] * 4})
    >>> list(select_features(X, pd.Series([False] * 10 + [True] * 10)))
    ['a']
    """
    is_plain = per_window is None and not isinstance(X, str | os.PathLike)
    target: Any = _checked(X, y) if is_plain else y
    table = calculate_relevance_table(
        X,
        target,
        ml_task=ml_task,
        multiclass=multiclass,
        n_significant=n_significant,
        n_jobs=n_jobs,
        show_warnings=show_warnings,
        chunksize=chunksize,
        test_for_binary_target_binary_feature=test_for_binary_target_binary_feature,
        test_for_binary_target_real_feature=test_for_binary_target_real_feature,
        test_for_real_target_binary_feature=test_for_real_target_binary_feature,
        test_for_real_target_real_feature=test_for_real_target_real_feature,
        fdr_level=fdr_level,
        hypotheses_independent=hypotheses_independent,
        per_window=per_window,
        min_share=min_share,
        storage_options=storage_options,
    )
    relevant = table["feature"][table["relevant"]]
    if isinstance(X, pd.DataFrame):
        return X.loc[:, relevant]
    return MatrixColumns.open(SinkLayout.of(X, storage_options)).frame(list(relevant))


def _checked(matrix: Any, y: pd.Series[Any] | npt.NDArray[Any]) -> pd.Series[Any]:
    """The target as a Series; refuses what tsfresh's function refuses."""
    if not isinstance(matrix, pd.DataFrame):
        raise SelectionError(
            f"X={type(matrix).__name__} is not supported; give a pandas DataFrame, or the path of "
            "a table"
        )
    if not isinstance(y, pd.Series | np.ndarray):
        raise SelectionError(
            f"y={type(y).__name__} is not supported; give a pandas Series or an array"
        )
    if len(y) != len(matrix) or len(y) < 2:
        raise SelectionError(
            f"X has {len(matrix):,} rows and y has {len(y):,}: give two or more, and equally many"
        )
    return y if isinstance(y, pd.Series) else pd.Series(y, index=matrix.index)
