"""What kernels leave to numpy: series at the edge of singularity, where every rounding counts.

There tsfresh's value is whatever LAPACK's singular value decomposition makes of them: which
singular values count as zero decides, and the last bits decide that. A kernel that meets such a
series writes ``UNSOLVED``, and the plain function that its table row names in ``exact`` takes the
same steps with numpy: ``f(values, cells, *params)`` gets what the kernel wrote and returns a
number for each cell; those that the kernel filled stay as they are, so that a value does not depend
on what else is asked for. Such series are rare; each costs up to some milliseconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.model.aliases import Floats
from tidemill.model.series import SeriesBlock

__all__ = ["UNSOLVED", "solve"]

#: A number that no calculator gives.
UNSOLVED = -sys.float_info.max


def solve(
    path: str,
    block: SeriesBlock,
    params: tuple[npt.NDArray[Any], ...],
    cells: Floats,
) -> None:
    """Fill the rows of ``cells``, float64[k, m], in which a kernel left a mark."""
    rows = np.flatnonzero((cells == UNSOLVED).any(axis=1))
    if len(rows) == 0:
        return
    module, _, name = path.partition(":")
    function = getattr(import_module(f"tidemill.calculators.{module}"), name)
    with np.errstate(all="ignore"):
        for row in rows:
            values = block.values[block.starts[row] : block.stops[row]]
            solved = function(values, cells[row].copy(), *params)
            cells[row] = np.where(cells[row] == UNSOLVED, solved, cells[row])
