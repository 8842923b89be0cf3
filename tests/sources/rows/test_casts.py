"""Casts and checks of values, ids and kinds."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import DataError, SourceError
from tidemill.model.id_types import from_key, id_key, id_type, parse_type
from tidemill.sources.rows import casts as module
from tidemill.sources.rows.casts import as_float64, check_ids, check_kinds, contiguous

NUMERIC = [
    pa.array([True, False, None]),
    pa.array([1, 2, None], pa.int8()),
    pa.array([1, 2, None], pa.uint16()),
    pa.array([2**53, -(2**53), None], pa.int64()),
    pa.array([2**53, 0, None], pa.uint64()),
    pa.array([1.5, 2.5, None], pa.float16()),
    pa.array([0.1, 2.5, None], pa.float32()),
    pa.array([0.1, float("inf"), None]),
    pa.array([None, None], pa.int64()),
    pa.array([None, None]),
    pa.array([], pa.decimal128(5, 2)),
    pa.array([5, 7, 5, None]).dictionary_encode(),
]


@pytest.mark.parametrize("array", NUMERIC, ids=lambda array: str(array.type))
def test_numbers_are_cast_and_nulls_become_nan(array):
    values = as_float64(array, "x")
    expected = [np.nan if one is None else float(one) for one in array.to_pylist()]
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, expected)
    halves = pa.chunked_array([array[:1], array[1:]])
    np.testing.assert_array_equal(as_float64(halves, "x"), expected)


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=9, max_value=10**12)))
def test_decimals_are_rounded_as_python_rounds_them(numbers):
    small = [one for one in numbers if abs(one) < 10**20]
    array = pa.array(small, pa.decimal128(38, 9))
    np.testing.assert_array_equal(as_float64(array, "x"), [float(one) for one in small])


def test_float64_without_nulls_is_not_copied():
    array = pa.array([1.0, 2.0, 3.0])
    address = array.buffers()[1].address
    assert as_float64(array, "x").ctypes.data == address
    assert as_float64(pa.chunked_array([array]), "x").ctypes.data == address
    assert as_float64(array[1:], "x").ctypes.data == address + 8


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1])
def test_integers_that_float64_cannot_hold_are_refused(number):
    with pytest.raises(DataError, match=rf"column 'x' holds the integer {number};.*2\*\*53"):
        as_float64(pa.array([0, number]), "x")


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["1"]),
        pa.array(["1"]).dictionary_encode(),
        pa.array([dt.date(2020, 1, 1)]),
        pa.array([dt.datetime(2020, 1, 1)]),  # noqa: DTZ001
        pa.array([dt.timedelta(1)]),
        pa.array([[1.0]]),
        pa.array([{"a": 1}]),
        pa.array([b"1"]),
    ],
    ids=lambda array: str(array.type),
)
def test_other_values_are_refused_with_the_remedy(array):
    with pytest.raises(SourceError, match=r"column 'x' has type .*column_sort.*column_value"):
        as_float64(array, "x")


STAMP = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
IDS = [
    (pa.array([-3, 5], pa.int8()), "int8"),
    (pa.array([3, 5], pa.uint64()), "int64"),
    (pa.array(["b", "a"], pa.large_string()), "string"),
    (pa.array(["b", "a"], pa.string_view()), "string"),
    (pa.array(["b", "a"]).dictionary_encode(), "string"),
    (pa.array([1.5, -0.0], pa.float32()), "double"),
    (pa.array([True, False]), "bool"),
    (pa.array([18_000, -1], pa.int32()).view(pa.date32()), "date32[day]"),
    (pa.array([STAMP], pa.timestamp("ns", "Asia/Tokyo")), "timestamp[us, tz=UTC]"),
    (pa.array([STAMP.replace(tzinfo=None)], pa.timestamp("s")), "timestamp[us]"),
]


@pytest.mark.parametrize(("array", "text"), IDS, ids=lambda one: str(getattr(one, "type", "")))
def test_ids_take_a_type_that_a_sink_holds(array, text):
    checked = check_ids(array, "id")
    assert checked.type == id_type(array.type) == parse_type(text)
    assert str(checked.type) == text
    assert checked.to_pylist() == array.to_pylist()


@pytest.mark.parametrize(("array", "text"), IDS, ids=lambda one: str(getattr(one, "type", "")))
def test_keys_are_json_and_come_back_as_ids(array, text):
    for one in check_ids(array, "id"):
        key = json.loads(json.dumps(id_key(one), allow_nan=False))
        assert from_key(key, parse_type(text)).equals(one)


def test_chunks_of_strings_beyond_32_bit_offsets_become_large_strings(monkeypatch):
    chunks = pa.chunked_array([["a"], ["b"]])
    assert contiguous(chunks).type == pa.string()
    monkeypatch.setattr(module, "STRING_BYTES", 1)
    assert contiguous(chunks).type == pa.large_string()


def test_minus_zero_and_zero_are_one_id():
    assert str(check_ids(pa.array([-0.0, 0.0]), "id").to_pylist()) == "[0.0, 0.0]"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([1, None, 2, None]), r"'id' is null in 2 of 4 rows \(at rows 1, 3\)"),
        (pa.array([None] * 30, pa.string()), r"at rows 0, 1, .*, 9, \.\.\. \(30 in all\)"),
        (pa.array(["a", None]).dictionary_encode(), "null in 1 of 2 rows"),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])),
            "null in 1 of 2 rows",
        ),
        (pa.array([1.0, float("nan")]), "null in 1 of 2 rows"),
        (pa.array([1.0, float("nan")], pa.float16()), "null in 1 of 2 rows"),
        (pa.array([1.0, float("inf")]), "1 infinite ids"),
        (pa.array([2**63], pa.uint64()), "written as int64.*cast them to strings"),
        (pa.array([1], pa.timestamp("ns")), "written as timestamp.*round them"),
    ],
)
def test_bad_ids_are_named(array, message):
    with pytest.raises(DataError, match=message):
        check_ids(array, "id")


@pytest.mark.parametrize("array", [pa.array([[1]]), pa.array([Decimal(1)]), pa.array([b"a"])])
def test_ids_of_other_types_are_refused(array):
    with pytest.raises(SourceError, match=r"column 'id': ids of type .* are not supported: cast"):
        check_ids(array, "id")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["a__b"], "'a__b'.*rename"),
        (["a_"], "'a_'.*rename"),
        ([""], "''.*rename"),
        ([1, "1"], "several kinds read as '1'"),
    ],
)
def test_kinds_that_break_the_names_of_features_are_refused(kinds, message):
    with pytest.raises(SourceError, match=r"here: .*" + message):
        check_kinds(kinds, "here")
