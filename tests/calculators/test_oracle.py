"""Every calculator against tsfresh, on series of every character and length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tidemill.calculators import Program
from tidemill.calculators.table.build import ROWS
from tidemill.calculators.table.spec import Calculator
from tidemill.model.series import SeriesBlock

from .extra import EXTRA
from .families import FAMILIES, LENGTHS, blocks_of, make, make_times
from .oracle import expected, tsfresh

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
    if np.isinf(found) or np.isinf(wanted):
        return found == wanted
    difference = abs(found - wanted)
    if params.get("attr") == "angle":
        difference = min(difference % 360, -difference % 360)
    return found == wanted or difference <= 1e-6 * abs(wanted) + absolute


def is_unstable(name: str, params: Mapping[str, Any], values, times, absolute: float) -> bool:
    """Whether tsfresh's own value moves by more than the tolerance for a change of 1e-11."""
    (reference,) = expected(name, [params], values, times)
    nudged = [expected(name, [params], values * nudge, times)[0] for nudge in NUDGES]
    return not all(close(value, reference, absolute, params) for value in nudged)


#: tsfresh's own time for these is minutes.
COMPARED = [pytest.param(row, marks=pytest.mark.slow) if row.quadratic else row for row in ROWS]


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.name)
def test_equals_tsfresh(row: Calculator) -> None:
    wrong = [text for family in FAMILIES for text in differences(row, family)]
    assert not wrong, "\n".join(wrong[:20])


def differences(row: Calculator, family: str) -> list[str]:
    """The cells of one calculator that differ where tsfresh itself is stable."""
    series = [make(family, length) for length in LENGTHS]
    stamps = [make_times(length) for length in LENGTHS]
    params = params_of(row)
    program = Program([(row.name, one) for one in params])
    block = SeriesBlock("x", *blocks_of(series), times=np.concatenate(stamps))
    found = np.empty((len(series), len(params)))
    program.calculate(block, found)
    pairs = zip(series, stamps, strict=True)
    wanted = np.array([expected(row.name, params, x, t) for x, t in pairs])
    wrong = []
    for column, one in enumerate(params):
        absolute = tolerance(wanted[:, column])
        for i, length in enumerate(LENGTHS):
            a, b = found[i, column], wanted[i, column]
            if not close(a, b, absolute, one) and not is_unstable(
                row.name, one, series[i], stamps[i], absolute
            ):
                wrong.append(f"{family} {program.columns[column]} at {length}: {a!r}, not {b!r}")
    return wrong
