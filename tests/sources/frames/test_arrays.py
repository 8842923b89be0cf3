# ruff: noqa: PD011 (blocks are no frames)
"""The array door: which shapes it takes, what it copies, what it refuses."""

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.model.policies import Policies
from tidemill.sources.frames.arrays import read_arrays


def series(batch):
    """{kind: the values of every case}."""
    return {
        kind: [block.values[a:b].tolist() for a, b in zip(block.starts, block.stops, strict=True)]
        for kind, block in batch.blocks.items()
    }


FLAT = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
CUBE = [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [6.0, 7.0]]]
BY_CHANNEL = {"channel_0": [[0.0, 1.0], [4.0, 5.0]], "channel_1": [[2.0, 3.0], [6.0, 7.0]]}


@pytest.mark.parametrize(
    "given",
    [
        np.array(FLAT),
        np.array(FLAT, order="F"),
        np.array(FLAT)[:, ::-1][:, ::-1],
        FLAT,
        tuple(map(tuple, FLAT)),
        list(np.array(FLAT)),
        [pd.Series(one) for one in FLAT],
        np.array([*map(np.array, FLAT), None], object)[:2],
    ],
    ids=["array", "fortran", "views", "lists", "tuples", "arrays", "pandas", "objects"],
)
def test_two_dimensions_are_series_of_one_kind(given):
    assert series(read_arrays(given)) == {"x": FLAT}
    assert read_arrays(given).ids.to_pylist() == [0, 1]


@pytest.mark.parametrize("given", [np.array(CUBE), [np.array(one) for one in CUBE]])
def test_three_dimensions_are_cases_of_channels(given):
    assert series(read_arrays(given)) == BY_CHANNEL
    assert list(read_arrays(given, kinds=["force", 7]).blocks) == ["force", "7"]


def test_lengths_may_differ():
    batch = read_arrays([np.arange(3), np.zeros(0), [9.0]])
    assert series(batch) == {"x": [[0.0, 1.0, 2.0], [], [9.0]]}
    batch = read_arrays([np.arange(6.0).reshape(2, 3), np.arange(2.0).reshape(2, 1)])
    assert series(batch) == {"channel_0": [[0, 1, 2], [0]], "channel_1": [[3, 4, 5], [1]]}


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3)])
def test_float64_in_order_is_not_copied(shape):
    given = np.arange(12.0).reshape(shape)
    given.flags.writeable = False
    for block in read_arrays(given).blocks.values():
        assert np.shares_memory(block.values, given)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint16", "int64", "uint64", "float16", "float32", ">f8", "longdouble"],
)
def test_numbers_of_any_width_become_float64(dtype):
    given = np.array([[0, 1, 1]], dtype)
    for form in (given, list(given)):
        (block,) = read_arrays(form).blocks.values()
        assert block.values.dtype == np.float64
        assert block.values.dtype.isnative
        assert block.values.tolist() == [0, 1, 1]


@pytest.mark.parametrize("worst", [2**53 + 1, -(2**53) - 1, -(2**63)])
def test_integers_that_float64_cannot_hold_are_refused(worst):
    with pytest.raises(DataError, match=rf"integer of the magnitude {abs(worst)}; float64 is"):
        read_arrays(np.array([[1, worst]]))
    assert series(read_arrays([[2**53, -(2**53)]])) == {"x": [[2.0**53, -(2.0**53)]]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.arange(3.0), r"have the shape \(3,\).* x\[numpy\.newaxis\]"),
        (np.zeros((1, 1, 1, 1)), r"have the shape \(1, 1, 1, 1\), but must be \(series, values\)"),
        (3.0, r"have the shape \(\)"),
        (np.zeros((0, 5)), r"are empty \(shape \(0, 5\)\)"),
        (np.zeros((2, 0, 5)), r"are empty \(shape \(2, 0, 5\)\)"),
        ([], "have the shapes no array"),
        ([np.zeros(0), np.zeros(0)], "all 2 arrays are empty"),
        ([1.0, 2.0], r"a list must hold 1-D arrays.* have the shapes \(\)"),
        ([np.zeros(2), np.zeros((1, 2))], r"have the shapes \(1, 2\), \(2,\)"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], r"equally many channels"),
        ([np.zeros(2), np.zeros(2, complex)], r"arrays\[1\] has the dtype complex128"),
        (np.zeros((1, 2), complex), "arrays have the dtype complex128, but values must be numbers"),
        (np.array([["a", "b"]]), "dtype <U1"),
        (np.zeros((1, 2), "datetime64[s]"), r"dtype datetime64\[s\]"),
        (np.array([[1.0, None]], object), "dtype object"),
        ([[1.0, "a"]], r"arrays\[0\] has the dtype <U32"),
        ([[1.0, [2.0, 3.0]]], r"arrays\[0\] cannot be read as an array"),
        (np.ma.masked_equal([[1.0, 2.0]], 2.0), r"masked array: give \.filled"),
        (pd.DataFrame({"x": [1.0]}), r"arrays are a DataFrame: .*tidemill\.extract_features"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(given, says):
    with pytest.raises(SourceError, match=says):
        read_arrays(given)


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        (["a"], r"kinds='a' are 1 names, but the arrays have 2 channels"),
        ("ab", r"kinds='ab' is one string"),
        (["a", "b__c"], "contains '__'"),
        (["a", "a"], "several kinds read as 'a'"),
    ],
)
def test_kinds_that_do_not_fit(kinds, says):
    with pytest.raises(ArgumentError, match=says):
        read_arrays(np.array(CUBE), kinds=kinds)


# Values that are not finite

HOLES = np.array([[[1.0, 2.0], [3.0, 4.0]], [[np.nan, 5.0], [6.0, np.inf]], [[7, 8], [9, -np.inf]]])
OF_HOLES = {"channel_0": [[1, 2], [5], [7, 8]], "channel_1": [[3, 4], [6], [9]]}


def test_values_that_are_not_finite_are_named():
    says = (
        r"3 NaN or infinite values in 3 series: \(case=1, kind='channel_0'\), \(case=1, kind="
        r"'channel_1'\), \(case=2, kind='channel_1'\); .*on_nan"
    )
    with pytest.raises(DataError, match=says):
        read_arrays(HOLES)
    with pytest.raises(DataError, match=r"case=9, kind='x'\), \.\.\. \(12 in all\)"):
        read_arrays(np.full((12, 2), np.nan))


@pytest.mark.parametrize("form", [np.asarray, list])
def test_omit_drops_values(form):
    assert series(read_arrays(form(HOLES), policies=Policies(on_nan="omit"))) == OF_HOLES
    emptied = read_arrays([[np.nan], [1.0]], policies=Policies(on_nan="omit"))
    assert series(emptied) == {"x": [[], [1.0]]}


@pytest.mark.parametrize("form", [np.asarray, list])
def test_quarantine_drops_cases_and_says_why(form):
    batch = read_arrays(form(HOLES), policies=Policies(on_nan="quarantine"))
    assert series(batch) == {"channel_0": [[1, 2]], "channel_1": [[3, 4]]}
    assert batch.ids.to_pylist() == [0]
    assert [(one.id, one.kind, one.reason) for one in batch.quarantined] == [
        (1, "channel_0", "1 of 2 values are NaN or infinite"),
        (2, "channel_1", "1 of 2 values are NaN or infinite"),
    ]


def test_holes_are_found_wherever_they_are(rng):
    given = rng.normal(size=(3, 70_000))
    for row, column in rng.integers(0, (3, 70_000), (5, 2)):
        broken = given.copy()
        broken[row, column] = np.nan
        with pytest.raises(DataError, match=rf"1 series: \(case={row}, kind='x'\)"):
            read_arrays(broken)


def test_a_sum_that_overflows_is_no_fault():
    read_arrays(np.full((2, 3), 1e308))


# Times

STAMPS = np.array(["2026-01-01", "2026-01-03", "2026-01-04"], "datetime64[D]")
NANOSECONDS = STAMPS.astype("datetime64[ns]").view(np.int64)


def times_of(batch):
    return [
        [block.times[a:b].tolist() for a, b in zip(block.starts, block.stops, strict=True)]
        for block in batch.blocks.values()
    ]


@pytest.mark.parametrize(
    "times",
    [
        STAMPS,
        NANOSECONDS,
        list(STAMPS),
        pd.DatetimeIndex(STAMPS),
        np.array([STAMPS, STAMPS]),
        [STAMPS, NANOSECONDS],
    ],
)
def test_times_are_shared_or_one_row_for_each_case(times):
    expected = NANOSECONDS.tolist()
    assert times_of(read_arrays(np.zeros((2, 3)), times=times, needs_times=True)) == [
        [expected, expected]
    ]
    cube = read_arrays(np.zeros((2, 2, 3)), times=times, needs_times=True)
    assert times_of(cube) == [[expected, expected]] * 2


def test_times_of_lists_have_their_lengths_and_holes():
    batch = read_arrays(
        [[1.0, np.nan, 3.0], [4.0]],
        times=[NANOSECONDS, NANOSECONDS[:1]],
        needs_times=True,
        policies=Policies(on_nan="omit"),
    )
    first, _, third = NANOSECONDS.tolist()
    assert times_of(batch) == [[[first, third], [first]]]


@pytest.mark.parametrize(
    ("times", "error", "says"),
    [
        (None, ArgumentError, r"needs times: give times="),
        (STAMPS[:2], ArgumentError, r"the shape \(2,\) for case 0 of length 3"),
        ([STAMPS], ArgumentError, r"times have 1 row, but there are 2 cases"),
        ([STAMPS, STAMPS[:1]], ArgumentError, r"the shape \(1,\) for case 1 of length 3"),
        (np.array([[STAMPS, STAMPS]]), ArgumentError, r"times have"),
        ([1.0, 2.0, 3.0], ArgumentError, "times have the dtype float64"),
        (["a", "b", "c"], ArgumentError, "times have the dtype <U1"),
        (np.array(["NaT", "2026", "2026"], "datetime64[D]"), DataError, "NaT"),
        (np.array(["3000", "2026", "2026"], "datetime64[D]"), DataError, "1678 to 2261"),
    ],
)
def test_times_that_do_not_fit(times, error, says):
    with pytest.raises(error, match=says):
        read_arrays(np.zeros((2, 3)), times=times, needs_times=True)
