"""Column names: tsfresh's grammar, there and back."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.calculators import preset
from tidemill.errors import ArgumentError, SettingsError
from tidemill.model.feature_names import MAX_COLUMNS, check_kinds, check_width, feature_name, parse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.feature_extraction.settings import from_columns
    from tsfresh.utilities.string_manipulation import convert_to_output_format

NAMES = st.from_regex(r"[a-z]+(_[a-z]+)?", fullmatch=True)
VALUES = st.one_of(
    st.integers(-(10**6), 10**13),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.text("abc_ 1.", max_size=8),
    st.lists(st.integers(0, 99), min_size=2).map(tuple),
    st.lists(st.integers(0, 99)),
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_names_equal_tsfresh_and_are_read_back(params):
    column = feature_name("some kind", "calc", params)
    theirs = convert_to_output_format(params)
    assert column == "some kind__calc" + (f"__{theirs}" if theirs else "")
    assert parse(column) == ("some kind", "calc", dict(sorted(params.items())))


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_parameters(value):
    assert parse(feature_name("x", "count_above", {"t": value}))[2] == {"t": value}


def test_nan_parameters():
    column = feature_name("x", "value_count", {"value": math.nan})
    assert column == "x__value_count__value_nan"
    assert math.isnan(parse(column)[2]["value"])


def test_all_columns_of_the_presets_are_read_as_tsfresh_reads_them():
    for name, params in preset("comprehensive"):
        column = feature_name("x", name, params)
        assert parse(column) == ("x", name, dict(sorted(params.items())))
        assert from_columns([column]) == {"x": {name: [params] if params else None}}


def test_known_names():
    params = {"widths": (2, 5, 10, 20), "coeff": 3, "w": 10}
    wanted = "x__cwt_coefficients__coeff_3__w_10__widths_(2, 5, 10, 20)"
    assert feature_name("x", "cwt_coefficients", params) == wanted
    assert parse(wanted)[2] == params
    assert feature_name("x", "range_count", {"min": -1e12, "max": 0}) == (
        "x__range_count__max_0__min_-1000000000000.0"
    )


@pytest.mark.parametrize("column", ["mean", "x__", "__mean", "", "x__mean__", "x__quantile__q"])
def test_other_texts_are_refused(column):
    with pytest.raises(SettingsError, match="column"):
        parse(column)


@pytest.mark.parametrize("kind", ['6" pipe', '"', '"a" and "b', "a_b"])
def test_kinds_may_contain_quotes(kind):
    for feature in (("mean", {}), ("fft_coefficient", {"attr": "real", "coeff": 3})):
        assert parse(feature_name(kind, *feature)) == (kind, *feature)


def test_code_in_a_column_is_not_run():
    with pytest.raises(SettingsError, match="cannot be read"):
        parse("x__quantile__q_exit()")


def test_ambiguous_kinds_are_refused():
    with pytest.raises(ArgumentError, match="kind 'a__b' contains '__'"):
        feature_name("a__b", "mean", {})
    with pytest.raises(ArgumentError, match="rename it"):
        check_kinds(["fine", "not__fine"])


def test_matrices_that_are_too_wide_are_refused():
    check_width(MAX_COLUMNS)
    with pytest.raises(ArgumentError, match="250,001 columns; at most 250,000"):
        check_width(MAX_COLUMNS + 1)
