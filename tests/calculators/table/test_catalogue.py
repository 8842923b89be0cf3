"""What the documentation says of calculators is so: units, and where values are missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tidemill.calculators import Program
from tidemill.calculators.table.build import ROWS
from tidemill.calculators.table.catalogue import descriptions
from tidemill.model.series import SeriesBlock
from tidemill.reports.catalogue import catalogue, catalogue_page

from ..extra import EXTRA
from ..families import FAMILIES, LENGTHS, blocks_of, make, make_times

PAGE = Path(__file__).parents[3] / "docs" / "features.md"
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def values_of(program, series):
    values, starts, stops = blocks_of(series)
    times = np.concatenate([make_times(len(one)) for one in series])
    out = np.empty((len(series), len(program.columns)))
    program.calculate(SeriesBlock("x", values, starts, stops, times), out)
    return out


def test_the_page_is_that_of_the_table():
    """Make it anew with: tidemill features --markdown > docs/features.md."""
    assert PAGE.read_text("utf-8") == catalogue_page()


def test_every_calculator_is_described_and_no_other():
    assert list(descriptions()) == [row.name for row in ROWS]


@each_row
def test_descriptions_are_whole(row):
    found = descriptions()[row.name]
    assert found.definition.endswith(".")
    assert found.unit
    assert found.undefined == "never" or found.undefined.startswith(("if ", "for ", "without "))
    named = set(re.findall(r"`(\w+)`", found.definition + found.undefined))
    known = {parameter.name for parameter in row.parameters} | {one.name for one in ROWS}
    assert named <= known, "a name in code style is a parameter or a calculator"


def test_json_says_the_same():
    by_name = {entry["name"]: entry for entry in catalogue()}
    assert by_name["variance"]["unit"] == "values' unit squared"
    assert by_name["quantile"]["definition"] == descriptions()["quantile"].definition


# Whether it is true

#: Compare with a value in the unit of the input, so a change of unit changes the result.
WITH_THRESHOLDS = {
    "variance_larger_than_standard_deviation",
    "value_count",
    "range_count",
    "number_crossing_m",
    "count_above",
    "count_below",
    "query_similarity_count",
    "benford_correlation",  # the first digits of 2x are others
}
POWERS = {
    "values' unit": 1,
    "values' unit squared": 2,
    "values' unit to the third power": 3,
    "values' unit squared, per cycle per step": 2,
    "cycles per series; squared for variance, 1 for skew and kurtosis": 0,
    "teststat and pvalue: 1; usedlag: count": 0,
    **dict.fromkeys(("1", "0 or 1", "share", "count", "nats"), 0),
}


BY_PARAMETERS = {
    "cid_ce": lambda p: 0 if p["normalize"] else 1,
    "ar_coefficient": lambda p: 1 if p["coeff"] == 0 else 0,
    "change_quantiles": lambda p: 2 if p["f_agg"] == "var" else 1,
    "fft_coefficient": lambda p: 0 if p["attr"] == "angle" else 1,
    "friedrich_coefficients": lambda p: 1 - (p["m"] - p["coeff"]),
    "linear_trend": lambda p: 0 if p["attr"] in {"rvalue", "pvalue"} else 1,
    "linear_trend_timewise": lambda p: 0 if p["attr"] in {"rvalue", "pvalue"} else 1,
    "agg_linear_trend": lambda p: (
        (p["attr"] not in {"rvalue", "pvalue"}) * (1 + (p["f_agg"] == "var"))
    ),
}


def power(name, params):
    """The power of the values' unit in a feature's unit."""
    if name in BY_PARAMETERS:
        return BY_PARAMETERS[name](params)
    return POWERS[descriptions()[name].unit]


@each_row
def test_values_have_the_unit(row):
    """Twice the values give twice a value of their unit, four times one of it squared."""
    if row.name in WITH_THRESHOLDS:
        pytest.skip("it compares with a value that has a unit itself")
    grid = [*row.grid, *EXTRA.get(row.name, ())]
    program = Program([(row.name, params) for params in grid])
    series = [make(family, 257) for family in ("noise", "walk", "ties")]
    once, twice = (values_of(program, [factor * one for one in series]) for factor in (1.0, 2.0))
    factors = 2.0 ** np.array([power(row.name, params) for _, params in program.features])
    scale = np.nanmax(np.abs(twice), axis=0, initial=1e-12)
    wrong = ~np.isclose(twice, once * factors, rtol=1e-6, atol=1e-9 * scale, equal_nan=True)
    assert [program.columns[place] for place in np.flatnonzero(wrong.any(axis=0))] == []


@each_row
def test_values_that_are_never_missing_are_there(row):
    if descriptions()[row.name].undefined != "never":
        pytest.skip("the page says where they are missing")
    program = Program([(row.name, params) for params in row.grid])
    lengths = [n for n in LENGTHS if n >= row.minimum_length]
    found = values_of(program, [make(family, n) for family in FAMILIES for n in lengths])
    assert not np.isnan(found).any()


@each_row
def test_values_that_may_be_missing_are_somewhere(row):
    if descriptions()[row.name].undefined in {"never", "if `r` is negative"}:
        pytest.skip("they never are, or for parameters that are not in the grids")
    grid = [*row.grid, *EXTRA.get(row.name, ())]
    program = Program([(row.name, params) for params in grid])
    lengths = [n for n in LENGTHS if n >= row.minimum_length]
    found = values_of(program, [make(family, n) for family in FAMILIES for n in lengths])
    assert np.isnan(found).any()
