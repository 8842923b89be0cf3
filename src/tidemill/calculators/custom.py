"""Calling calculators that are plain Python functions, one series at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.blocks import SeriesBlock
from tidemill.calculators.spec import Calculator

__all__ = ["calculate_custom"]

Params = Sequence[Mapping[str, Any]]
#: Called with the series' number, the parameters (None: all of them) and the error.
OnFailure = Callable[[int, Mapping[str, Any] | None, Exception], None]


def calculate_custom(
    row: Calculator,
    params: Params,
    block: SeriesBlock,
    out: npt.NDArray[np.float64],
    on_failure: OnFailure,
) -> None:
    """Fill ``out``, float64[k, len(params)]; cells that fail keep NaN and are reported."""
    out[:] = np.nan
    for i in range(block.n_series):
        span = slice(int(block.starts[i]), int(block.stops[i]))
        if span.stop - span.start < row.minimum_length:
            continue
        inputs = _inputs(row, block, span)
        if row.any_parameters:
            _combined(row, params, inputs, out[i], i, on_failure)
        else:
            _one_by_one(row, params, inputs, out[i], i, on_failure)


def _one_by_one(
    row: Calculator,
    params: Params,
    inputs: tuple[Any, ...],
    slots: npt.NDArray[np.float64],
    series: int,
    on_failure: OnFailure,
) -> None:
    assert row.function is not None
    for j, values in enumerate(params):
        try:
            slots[j] = _as_float(row.function(*inputs, **values))
        except Exception as error:  # noqa: BLE001  # whatever a user's function raises
            on_failure(series, values, error)


def _combined(
    row: Calculator,
    params: Params,
    inputs: tuple[Any, ...],
    slots: npt.NDArray[np.float64],
    series: int,
    on_failure: OnFailure,
) -> None:
    assert row.function is not None
    try:
        results = row.function(*inputs, param=[dict(values) for values in params])
        found = [_as_float(value) for _, value in results]
        slots[:] = np.array(found).reshape(len(params))
    except Exception as error:  # noqa: BLE001  # whatever a user's function raises
        slots[:] = np.nan
        on_failure(series, None, error)


def _as_float(value: Any) -> float:
    if value is None:
        raise TypeError("returned None; return a number (NaN for no value)")
    return float(value)


def _inputs(row: Calculator, block: SeriesBlock, span: slice) -> tuple[Any, ...]:
    # A copy: a function that writes to its input must not change what others see.
    values = block.values[span].copy()
    if getattr(row.function, "input", None) == "pd.Series":
        return (_as_pandas(values, block.times, span),)
    if row.needs_times:
        assert block.times is not None
        return values, block.times[span].copy()
    return (values,)


def _as_pandas(
    values: npt.NDArray[np.float64], times: npt.NDArray[np.int64] | None, span: slice
) -> Any:
    import pandas as pd

    index = None if times is None else pd.DatetimeIndex(times[span].view("datetime64[ns]"))
    return pd.Series(values, index=index)
