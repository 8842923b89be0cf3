"""One calculator for one series, and one helper of kernels by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from tidemill.calculators import Program
from tidemill.model.series import SeriesBlock


def called(helper: Any) -> Callable[..., Any]:
    """A helper as a function that Python can call: by itself it has no wrapper for that."""
    return numba.njit(error_model="numpy")(helper.py_func)


def calculate(values: npt.ArrayLike, name: str, *params: dict[str, Any]) -> npt.NDArray[np.float64]:
    """The values for each of ``params`` (once without any), float64[m]."""
    x = np.asarray(values, dtype=np.float64)
    program = Program([(name, one) for one in params or ({},)])
    out = np.empty((1, len(program.columns)))
    ends = np.array([len(x)], dtype=np.int64)
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    return out[0]
