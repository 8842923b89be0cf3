"""What calculators cost: predictions from a table measured once, and this machine's speed.

``costs.json`` holds, for every calculator and intermediate, the seconds per series of one thread
at ten lengths from 10 to 10,000,000: for one parameter combination, and for the whole grid of the
table. Between them costs are interpolated, in logarithms. Those whose time grows with the square of
the length are measured up to 100,000 values, and extrapolated.
``benchmarks/calibrate_costs.py`` measures them.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.calculators.recipe import Recipe
from tidemill.calculators.registry import CALCULATORS
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.model.aliases import Features, Floats

__all__ = [
    "READ_BYTES_PER_SECOND",
    "predict",
    "predict_by_calculator",
    "probe",
    "quadratic_warning",
]

#: Bytes of values that one thread reads, checks and cuts into blocks in a second.
READ_BYTES_PER_SECOND = 400e6
#: Values from which on a series is long for calculators whose time grows with the square of them.
LONG_SERIES = 20_000
#: Seconds per series of a calculator that is not in the table: a plain Python function.
_UNKNOWN = (2e-5, 1e-8)  # and per value


def predict(features: Features, lengths: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    """Predicted seconds of one thread for the features of many series.

    Parameters
    ----------
    features
        (calculator, parameters), as a :class:`~tidemill.calculators.Program` takes them.
    lengths
        Values per series, float64[k].
    counts
        How many series are of each length, float64[k].

    Examples
    --------
    >>> 0 < predict([("mean", {})], [100.0], [1e6]) < 60
    True
    """
    return sum(predict_by_calculator(features, lengths, counts).values())


def predict_by_calculator(
    features: Features, lengths: npt.ArrayLike, counts: npt.ArrayLike
) -> dict[str, float]:
    """As :func:`predict`, per calculator and per "need:<intermediate>".

    Examples
    --------
    >>> sorted(predict_by_calculator([("quantile", {"q": 0.5})], [100.0], [10.0]))
    ['need:sorted', 'quantile']
    """
    n = np.asarray(lengths, dtype=np.float64)
    k = np.asarray(counts, dtype=np.float64)
    recipe = Recipe.of(features)
    # What a shortcut reads from another intermediate costs next to nothing.
    needs = {
        f"need:{name}": int(INTERMEDIATES[name].shortcut[0] not in recipe.intermediates)
        for name in recipe.intermediates
    }
    steps = {step.calculator.name: len(step.params) for step in recipe.steps}
    return {
        name: float(np.dot(_per_series(name, m, n), k)) for name, m in {**needs, **steps}.items()
    }


def _per_series(name: str, m: int, lengths: Floats) -> Floats:
    """Seconds for m parameter combinations: on a line through those for one and for the grid."""
    row = _table()["costs"].get(name)
    if row is None:
        return np.asarray(m * (_UNKNOWN[0] + _UNKNOWN[1] * lengths))
    power = 2 if _is_quadratic(name) else 1
    one, grid = (_interpolated(name, kind, lengths, power) for kind in ("one", "grid"))
    size = len(CALCULATORS[name].grid) if name in CALCULATORS else 1
    if size == 1:
        return one * m
    return np.asarray(one + np.maximum(grid - one, 0.0) * (m - 1) / (size - 1))


def _interpolated(name: str, kind: str, lengths: Floats, power: int) -> Floats:
    """Seconds at any length; beyond the table in proportion to that power of the length."""
    at, known, last = _line(name, kind)
    beyond = np.maximum(lengths / last, 1.0) ** power
    # Lengths outside the table get the seconds of its ends.
    logs = np.log(np.maximum(lengths, 1e-12))
    return np.asarray(np.exp(np.interp(logs, at, known)) * beyond)


@cache
def _line(name: str, kind: str) -> tuple[Floats, Floats, float]:
    """Logarithms of the table's lengths and of the seconds there, and its last length."""
    at = np.array(_table()["lengths"], dtype=np.float64)
    seconds = _table()["costs"][name][kind]
    return np.log(at), np.log(np.maximum(seconds, 1e-12)), float(at[-1])


def quadratic_warning(
    features: Mapping[str, Features], lengths: Mapping[str, npt.ArrayLike], counts: npt.ArrayLike
) -> str:
    """What to say where calculators of quadratic time meet series of over 20,000 values; else "".

    Parameters
    ----------
    features
        Kind -> (calculator, parameters).
    lengths
        Kind -> values per series, float64[k].
    counts
        How many ids have series of these lengths, float64[k].

    Examples
    --------
    >>> quadratic_warning({"x": [("mean", {})]}, {"x": [1e6]}, [3.0])
    ''
    """
    weights = np.asarray(counts, dtype=np.float64)
    slow: Counter[str] = Counter()
    series = longest = 0.0
    for kind, own in features.items():
        n = np.asarray(lengths[kind], dtype=np.float64)
        long = n > LONG_SERIES
        chosen = [one for one in own if _is_quadratic(one[0])] if long.any() else []
        if chosen:
            series, longest = series + float(weights[long].sum()), max(longest, float(n.max()))
            predicted = predict_by_calculator(chosen, n[long], weights[long])
            slow.update({name: spent for name, spent in predicted.items() if _is_quadratic(name)})
    if not slow:
        return ""
    seconds = sum(slow.values())
    return (
        f"{' and '.join(slow)}: the time grows with the square of the length, and {series:,.0f} "
        f"series have more than {LONG_SERIES:,} values (the longest {longest:,.0f}); that takes "
        f"about {seconds:,.{1 if seconds < 10 else 0}f} s of one thread. Leave them out, as the "
        "settings 'efficient' do, or cut the series"
    )


def _is_quadratic(name: str) -> bool:
    return name in CALCULATORS and CALCULATORS[name].quadratic


@cache
def _table() -> dict[str, Any]:
    text = files("tidemill.calculators").joinpath("costs.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def probe(seconds: float = 0.2) -> float:
    """How much longer this machine takes than the one of the cost table (2: half as fast).

    Sorts, transforms and sums for about ``seconds`` in one thread; needs no compiled kernel.

    Examples
    --------
    >>> probe(0.01) > 0
    True
    """
    return measure_probe(seconds) / float(_table()["probe_seconds"])


def measure_probe(seconds: float) -> float:
    """Seconds of one round of the probe: the least of as many as fit, so that pauses count less."""
    values = np.random.default_rng(0).normal(size=(64, 1024))
    rounds: list[float] = []
    end = time.perf_counter() + seconds
    while not rounds or time.perf_counter() < end:
        before = time.perf_counter()
        ordered = np.sort(values, axis=1)
        spectrum = np.fft.rfft(ordered, axis=1)
        float(np.abs(spectrum).sum() + np.cumsum(values, axis=1).var())
        rounds.append(time.perf_counter() - before)
    return min(rounds)
