"""What kind of feature a column is, by which its test is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["get_feature_type"]


def get_feature_type(feature_column: pd.Series[Any]) -> str:
    """Tell whether a column has one, two or more distinct values.

    Parameters
    ----------
    feature_column : Series
        A column; each NaN counts as a value of its own, as in tsfresh.

    Returns
    -------
    "constant", "binary" or "real"

    Examples
    --------
    >>> get_feature_type(pd.Series([0.0, -0.0])), get_feature_type(pd.Series([True, False]))
    ('constant', 'binary')
    """
    values = feature_column.to_numpy()
    if values.dtype.kind in "biufc":
        distinct = len(np.unique(values, equal_nan=False))
    else:
        distinct = len(set(values))
    return {1: "constant", 2: "binary"}.get(distinct, "real")
