"""Run kernels that need the values of columns in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.model.aliases import Floats, Index
from tidemill.selection.kernel_calls import run_kernel

__all__ = ["run_ranked", "value_bounds"]

#: Up to so many rows, keys of 32 bits tell enough values apart.
SHORT_ROWS = 2**14


def value_bounds(values: Floats) -> Floats:
    """The smallest and the largest value of columns [b, n], float64[b, 2]; NaN if there is one.

    Examples
    --------
    >>> value_bounds(np.array([[3.0, 1.0, 2.0]]))
    array([[1., 3.]])
    """
    return np.stack([values.min(axis=1), values.max(axis=1)], axis=1)


def run_ranked(
    name: str,
    values: Floats,
    bounds: Floats,
    columns: Index,
    places: npt.NDArray[np.int32],
    parameters: tuple[npt.NDArray[Any], ...],
    out: Floats,
) -> None:
    """Run a kernel that takes sorted keys: short ones, and long ones where those are not enough.

    Parameters
    ----------
    name : of the kernel
    values : float64[., n], of columns
    bounds : float64[., 2], as :func:`value_bounds` gives them
    columns : int64[b], those that are taken, without NaN
    places : int32[n], the place of each row, which its key holds
    parameters : arrays of the kernel
    out : float64[b, width], its results

    Examples
    --------
    >>> values, rows = np.array([[0.5, 2.5, 1.5]]), np.arange(3, dtype=np.int32)
    >>> parameters = rows, np.array([0, 0, 1], dtype=np.int32)
    >>> bounds, out = value_bounds(values), np.empty((1, 3))
    >>> run_ranked("class_ranks", values, bounds, np.array([0]), rows, parameters, out)
    >>> out
    array([[0., 4., 2.]])
    """
    left = np.arange(len(columns))
    if values.shape[1] <= SHORT_ROWS:
        short = _short_keys(values, bounds, columns, places)
        run_kernel(name, [short, values], parameters, out, rows=(None, columns))
        left = np.flatnonzero(np.isnan(out[:, 0]))
    if len(left):
        long = _long_keys(values, columns[left], places)
        found = np.empty((len(left), out.shape[1]))
        run_kernel(name, [long, values], parameters, found, rows=(None, columns[left]))
        out[left] = found


def _short_keys(
    values: Floats, bounds: Floats, columns: Index, places: npt.NDArray[np.int32]
) -> npt.NDArray[np.uint32]:
    """Sorted keys of columns, after which a row may have an element that is none."""
    n = values.shape[1]
    packed = np.empty((len(columns), (n + 1) // 2))
    run_kernel("short_keys", [values, bounds], (places,), packed, rows=(columns, columns))
    keys = packed.view(np.uint32)
    keys[:, :n].sort(axis=1)
    return keys


def _long_keys(
    values: Floats, columns: Index, places: npt.NDArray[np.int32]
) -> npt.NDArray[np.uint64]:
    packed = np.empty((len(columns), values.shape[1]))
    run_kernel("long_keys", [values], (places,), packed, rows=(columns,))
    keys = packed.view(np.uint64)
    keys.sort(axis=1)
    return keys
