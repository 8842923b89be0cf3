"""tsfresh's own answers, without its warnings, to compare with."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tidemill.calculators.registry import CALCULATORS
from tidemill.model.feature_names import parse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tsfresh


def available(settings: dict[str, Any]) -> dict[str, Any]:
    """tsfresh's settings without calculators that this version does not have."""
    for name in [name for name in settings if name not in CALCULATORS]:
        del settings[name]
    return settings


def available_columns(matrix: pd.DataFrame) -> pd.DataFrame:
    return matrix[[column for column in matrix if parse(column)[1] in CALCULATORS]]


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """tsfresh's own functions warn of columns without values and of pandas."""

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)

    return called


def by_tsfresh(*arguments: Any, **options: Any) -> pd.DataFrame:
    """tsfresh's own answer, in its serial order."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tsfresh.extract_features(
            *arguments, **{"n_jobs": 0, "disable_progressbar": True, **options}
        )


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns), "serial order"
    pd.testing.assert_frame_equal(found, expected, rtol=1e-7, atol=1e-9)
