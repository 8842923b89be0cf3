"""Least-squares lines, against scipy and numpy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import linregress

from tidemill.calculators.kernels import trend

from ..families import make_times
from ..single import called
from ..slowly import ALL, calculate_all, differences, series_of

ATTRS = ("intercept", "pvalue", "rvalue", "slope", "stderr")
LINES = [{"attr": attr} for attr in ATTRS]
AGGREGATED = [
    {"attr": attr, "chunk_len": chunk_len, "f_agg": f_agg}
    for attr in ATTRS
    for chunk_len in (1, 2, 7)
    for f_agg in ("max", "mean", "min", "std", "sum", "var")
]
#: Chunks longer than the sums that need no halves.
LONG = [{"attr": "slope", "chunk_len": 150, "f_agg": f} for f in ("mean", "sum", "var", "std")]

#: Families whose chunks have equal aggregates but for rounding errors.
ROUNDING = ("curve", "outlier")


def _line(places, values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return linregress(places, values)
        except ValueError:  # a single value, or equal places
            return None


def _lines(x, params):
    line = _line(range(len(x)), x)
    return [getattr(line, one["attr"], math.nan) for one in params]


def _chunks(x, params):
    lines = {}
    for one in params:
        key = length, f_agg = one["chunk_len"], one["f_agg"]
        if key not in lines and length < len(x):
            chunks = [x[i : i + length] for i in range(0, len(x), length)]
            lines[key] = _line(range(len(chunks)), [getattr(c, f_agg)() for c in chunks])
        yield getattr(lines.get(key), one["attr"], math.nan)


@pytest.mark.parametrize("family", ALL)
def test_linear_trend_equals_scipy(family):
    assert not differences("linear_trend", LINES, _lines, family)


@pytest.mark.parametrize("family", ALL)
def test_agg_linear_trend_equals_scipy(family):
    step = 1 if family in {"noise", "ties"} else 7
    lengths, name, unstable = (*range(1, 61, step), 257), "agg_linear_trend", family in ROUNDING
    assert not differences(name, AGGREGATED, _chunks, family, lengths, unless_unstable=unstable)


@pytest.mark.parametrize("family", ["noise", "walk", "ties", "spikes"])
def test_long_chunks_equal_scipy(family):
    assert not differences("agg_linear_trend", LONG, _chunks, family, [300, 301, 1_000, 2_999])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 17, 60, 500])
@pytest.mark.parametrize("family", ["noise", "walk", "ties", "seasonal"])
def test_linear_trend_timewise_equals_scipy(family, n):
    x, times = series_of(family, n), make_times(n)
    (found,) = calculate_all("linear_trend_timewise", LINES, [x], times)
    line = _line((times - times[0]) / 3.6e12, x)
    wanted = [getattr(line, attr, math.nan) for attr in ATTRS]
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)


def test_equal_times_have_no_line():
    (found,) = calculate_all("linear_trend_timewise", LINES, [np.arange(3.0)], np.full(3, 7))
    assert np.isnan(found).all()


def test_any_order_of_aggregates_gives_the_same_bits():
    # Variances use the means of the combination before, if these are of the same chunks.
    series = [series_of(family, n) for family in ("walk", "ties") for n in (8, 50, 500)]
    together = calculate_all("agg_linear_trend", AGGREGATED, series)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(AGGREGATED))
        mixed = calculate_all("agg_linear_trend", [AGGREGATED[k] for k in order], series)
        assert together[:, order].tobytes() == mixed.tobytes()


def test_incomplete_beta_equals_scipy():
    incomplete_beta = called(trend.incomplete_beta)
    rng = np.random.default_rng(0)
    for a in (0.5, 1.0, 1.5, 24.0, 499.0, 5e4):
        for x in (0.0, 1.0, 1e-300, 1e-9, 0.5, 1 - 1e-9, *rng.random(200)):
            wanted = betainc(a, 0.5, x)
            found = incomplete_beta(a, 0.5, x, 1 - x)
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-300), (a, x)
