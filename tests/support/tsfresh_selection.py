"""tsfresh's selection and frame functions without warnings, and columns of all kinds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .tsfresh_answers import quietly

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.convenience import relevant_extraction
    from tsfresh.feature_selection import relevance, selection, significance_tests
    from tsfresh.utilities import dataframe_functions

__all__ = ["assert_same_table", "mixture", "original"]

_HOMES = (significance_tests, relevance, selection, dataframe_functions, relevant_extraction)
#: p-values agree to this relative difference.
EXACT = 1e-12


def original(name: str) -> Callable[..., Any]:
    """tsfresh's function of that name, quiet and without processes."""
    home = next(home for home in _HOMES if hasattr(home, name))
    return quietly(getattr(home, name))


def mixture(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Continuous, tied, binary and constant columns; some follow the first one."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=rows)
    makers = [
        lambda: rng.normal(size=rows),
        lambda: base + rng.normal(size=rows),
        lambda: rng.poisson(3, rows).astype(float),
        lambda: np.round(base + rng.normal(size=rows), 1),
        lambda: (rng.random(rows) < 0.3).astype(float),
        lambda: (base + rng.normal(size=rows) > 0.5).astype(float),
        lambda: np.full(rows, 7.0),
        lambda: np.exp(20 * rng.normal(size=rows)),
    ]
    return pd.DataFrame({f"f{i:04d}": makers[i % len(makers)]() for i in range(columns)})


def assert_same_table(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """The same rows, columns and dtypes in the same order, and the same p-values.

    But for one dtype: p-values are objects in tsfresh if no feature is real, or none is binary.
    """
    p_values = [column for column in theirs if str(column).startswith("p_value")]
    theirs = theirs.astype(dict.fromkeys(p_values, np.float64))
    pd.testing.assert_frame_equal(ours, theirs, rtol=EXACT, atol=0)
    exact = [column for column in theirs if not str(column).startswith("p_value")]
    pd.testing.assert_frame_equal(ours[exact], theirs[exact], check_exact=True)
