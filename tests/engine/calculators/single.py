"""The value of one calculator for one series."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.blocks import SeriesBlock
from tidemill.calculators import Program


def calculate(values: npt.ArrayLike, name: str, *params: dict[str, Any]) -> npt.NDArray[np.float64]:
    """The values for each of ``params`` (once without any), float64[m]."""
    x = np.asarray(values, dtype=np.float64)
    program = Program([(name, one) for one in params or ({},)])
    out = np.empty((1, len(program.columns)))
    ends = np.array([len(x)], dtype=np.int64)
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    return out[0]
