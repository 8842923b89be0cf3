"""The comparison of a calculator with its slow obvious version."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tidemill.calculators import Program
from tidemill.model.series import SeriesBlock

from .families import FAMILIES, Generator, Values, blocks_of, make
from .test_oracle import NUDGES, close, tolerance

Params = Sequence[Mapping[str, Any]]
Slow = Callable[[Values, Params], Iterable[float]]

LENGTHS = (*range(1, 61), 99, 257, 500)

#: Series of more characters than the oracle's.
MORE: dict[str, Callable[[Generator, int], Values]] = {
    "alternating": lambda _, n: np.where(np.arange(n) % 2, 1.0, -1.0),
    "curve": lambda _, n: np.arange(n) ** 2 * 0.1,
    "far": lambda rng, n: 1e12 + rng.integers(0, 9, size=n),
    "minute": lambda rng, n: 1e-30 * rng.normal(size=n),
    "outlier": lambda rng, n: rng.normal(size=n) + np.where(np.arange(n) == n // 2, 1e9, 0.0),
    "period": lambda _, n: np.arange(n) % 3 * 1.0,
    "sine": lambda _, n: np.sin(0.3 * np.arange(n)),
    "step": lambda _, n: 1.0 * (np.arange(n) > n // 2),
    "vast": lambda rng, n: 1e30 * rng.normal(size=n),
}
ALL = (*FAMILIES, *MORE)


def series_of(family: str, length: int) -> Values:
    """One series of a family of either kind, float64[length]."""
    if family in FAMILIES:
        return make(family, length)
    return MORE[family](np.random.default_rng([ord(family[0]), length]), length)


def calculate_all(
    name: str, params: Params, series: list[Values], times: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.float64]:
    """The values of all series, float64[series, params]."""
    program = Program([(name, one) for one in params])
    out = np.empty((len(series), len(params)))
    with threadpool_limits(1):  # as in runs: BLAS has other bits with more
        program.calculate(SeriesBlock("x", *blocks_of(series), times=times), out)
    return out


def evaluate(slow: Slow, params: Params, series: list[Values]) -> npt.NDArray[np.float64]:
    """The same by the slow version, whatever it warns of."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1):
        warnings.simplefilter("ignore")
        return np.array([[*slow(x, params)] for x in series], dtype=np.float64)


def differences(
    name: str,
    params: Params,
    slow: Slow,
    family: str,
    lengths: Sequence[int] = LENGTHS,
    *,
    unless_unstable: bool = False,
) -> list[str]:
    """The cells that differ, by the tolerances of the comparison with tsfresh.

    With ``unless_unstable`` those are left out at which the slow version itself moves by more when
    the series is scaled by a hair.
    """
    series = [series_of(family, n) for n in lengths]
    found, wanted = calculate_all(name, params, series), evaluate(slow, params, series)
    absolute = [tolerance(column) for column in wanted.T]
    wrong = []
    for i, x in enumerate(series):
        cells = [*zip(found[i], wanted[i], absolute, params, strict=True)]
        different = [k for k, cell in enumerate(cells) if not close(*cell)]
        nudged = (
            evaluate(slow, params, [x * nudge for nudge in NUDGES])
            if different and unless_unstable
            else np.array([wanted[i]])
        )
        wrong += [
            f"{family} at {len(x)}, {params[k]}: {found[i, k]!r}, not {wanted[i, k]!r}"
            for k in different
            if all(close(one, *cells[k][1:]) for one in nudged[:, k])
        ]
    return wrong
