"""tsfresh's own value of a feature."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@cache
def tsfresh() -> ModuleType:
    """tsfresh's module of calculators; its imports warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tsfresh.feature_extraction import feature_calculators
    return feature_calculators


def expected(
    name: str,
    params: Sequence[Mapping[str, Any]],
    values: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
) -> list[float]:
    """tsfresh's values of one calculator for several parameters; NaN where it raises."""
    function = getattr(tsfresh(), name)
    x: Any = values
    if getattr(function, "input", None) == "pd.Series":
        x = pd.Series(values, index=pd.DatetimeIndex(times.view("datetime64[ns]")))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            if function.fctype == "combiner":
                return [float(value) for _, value in function(x, [dict(p) for p in params])]
            return [float(function(x, **p)) for p in params]
        except (ValueError, IndexError, ZeroDivisionError):
            if len(params) == 1:
                return [float("nan")]
    # A combiner raises for all of its parameters where it cannot do one of them.
    return [expected(name, [one], values, times)[0] for one in params]
