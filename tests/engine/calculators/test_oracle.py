"""Every calculator against tsfresh, on series of every character and length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tidemill.blocks import SeriesBlock
from tidemill.calculators import Program
from tidemill.calculators.spec import Calculator
from tidemill.calculators.table import ROWS

from .families import FAMILIES, LENGTHS, blocks_of, make, make_times
from .oracle import expected, tsfresh

#: Parameters that no preset lists; every calculator with parameters has some.
EXTRA: dict[str, list[dict[str, Any]]] = {
    "time_reversal_asymmetry_statistic": [{"lag": 0}, {"lag": 17}],
    "c3": [{"lag": 0}, {"lag": 17}],
    "cid_ce": [{"normalize": True}],
    "symmetry_looking": [{"r": 2.5}, {"r": -1}],
    "large_standard_deviation": [{"r": 0.0}, {"r": 0.33}],
    "quantile": [{"q": 0.0}, {"q": 0.5}, {"q": 1}, {"q": 0.333}],
    "autocorrelation": [{"lag": 10}, {"lag": 49}, {"lag": 130}],
    "agg_autocorrelation": [
        {"f_agg": "std", "maxlag": 5},
        {"f_agg": "median", "maxlag": 1},
        {"f_agg": "mean", "maxlag": 300},
    ],
    "number_peaks": [{"n": 2}, {"n": 4}, {"n": 120}],
    "change_quantiles": [
        {"ql": 0.8, "qh": 0.2, "isabs": True, "f_agg": "mean"},
        {"ql": 0.1, "qh": 0.9, "isabs": False, "f_agg": "median"},
        {"ql": 0.1, "qh": 0.9, "isabs": False, "f_agg": "std"},
        {"ql": 0.05, "qh": 0.33, "isabs": True, "f_agg": "mean"},
    ],
    "fft_coefficient": [{"coeff": 200, "attr": "abs"}, {"coeff": 250, "attr": "real"}],
    "fft_aggregated": [{"aggtype": "variance"}],
    "value_count": [{"value": 3.3}, {"value": float("nan")}, {"value": -2}],
    "range_count": [{"min": 0.5, "max": 0.5}, {"min": -0.1, "max": 3}],
    "linear_trend": [{"attr": "pvalue"}],
    "linear_trend_timewise": [{"attr": "slope"}],
    "number_crossing_m": [{"m": 0.5}, {"m": 1e9}],
    "ratio_beyond_r_sigma": [{"r": 0}, {"r": 1.25}],
    "count_above": [{"t": 1}, {"t": -0.5}],
    "count_below": [{"t": 1}, {"t": -0.5}],
}
NUDGES = tuple(1 + sign * k * 2.0**-36 for k in (1, 3, 5) for sign in (-1, 1))


def params_of(row: Calculator) -> list[Mapping[str, Any]]:
    return [*row.grid, *EXTRA.get(row.name, [])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_calculator_has_an_oracle_and_unlisted_parameters(row: Calculator) -> None:
    assert hasattr(tsfresh(), row.name)
    assert bool(row.parameters) == (row.name in EXTRA)


def tolerance(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return 1e-8 * min(1.0, float(finite.max(initial=0.0)))


def close(found: float, wanted: float, absolute: float, params: Mapping[str, Any]) -> bool:
    if np.isnan(found) or np.isnan(wanted):
        return bool(np.isnan(found) and np.isnan(wanted))
    difference = abs(found - wanted)
    if params.get("attr") == "angle":
        difference = min(difference % 360, -difference % 360)
    return found == wanted or difference <= 1e-6 * abs(wanted) + absolute


def is_unstable(name: str, params: Mapping[str, Any], values, times, absolute: float) -> bool:
    """Whether tsfresh's own value moves by more than the tolerance for a change of 1e-11."""
    (reference,) = expected(name, [params], values, times)
    nudged = [expected(name, [params], values * nudge, times)[0] for nudge in NUDGES]
    return not all(close(value, reference, absolute, params) for value in nudged)


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_tsfresh(family: str) -> None:
    series = [make(family, length) for length in LENGTHS]
    stamps = [make_times(length) for length in LENGTHS]
    features = [(row.name, params) for row in ROWS for params in params_of(row)]
    program = Program(features)
    block = SeriesBlock("x", *blocks_of(series), times=np.concatenate(stamps))
    found = np.empty((len(series), len(features)))
    program.calculate(block, found)
    wanted = np.array(
        [
            [value for row in ROWS for value in expected(row.name, params_of(row), x, t)]
            for x, t in zip(series, stamps, strict=True)
        ]
    )
    wrong = []
    for column, (name, params) in enumerate(features):
        absolute = tolerance(wanted[:, column])
        for i, length in enumerate(LENGTHS):
            a, b = found[i, column], wanted[i, column]
            if not close(a, b, absolute, params) and not is_unstable(
                name, params, series[i], stamps[i], absolute
            ):
                wrong.append(f"{program.columns[column]} at {length}: {a!r}, not {b!r}")
    assert not wrong, "\n".join(wrong[:20])
