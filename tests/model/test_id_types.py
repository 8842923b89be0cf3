"""Every id has a type that a sink holds, and a JSON value that sorts and reads back as it does."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import SourceError
from tidemill.model.id_types import from_key, id_key, id_type, integer_type, parse_type

UTC = pa.timestamp("us", "UTC")
VALUES = {
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    UTC: st.datetimes(timezones=st.just(dt.UTC)),
}


@pytest.mark.parametrize(
    ("given_type", "written"),
    [
        (pa.uint8(), pa.int64()),
        (pa.uint64(), pa.int64()),
        (pa.int16(), pa.int16()),
        (pa.float32(), pa.float64()),
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.dictionary(pa.int16(), pa.int8()), pa.int8()),
        (pa.date64(), pa.date32()),
        (pa.timestamp("ns"), pa.timestamp("us")),
        (pa.timestamp("s", "Asia/Tokyo"), UTC),
    ],
)
def test_ids_are_written_in_a_type_that_a_table_has(given_type, written):
    assert id_type(given_type) == written


@pytest.mark.parametrize(
    "type_", [pa.binary(), pa.decimal128(9), pa.list_(pa.int8()), pa.time64("us"), pa.duration("s")]
)
def test_other_types_are_refused_by_name(type_):
    with pytest.raises(SourceError) as caught:
        id_type(type_)
    assert f"ids of type {type_} are not supported: cast them to an integer" in str(caught.value)


@pytest.mark.parametrize("type_", [*VALUES, pa.int16(), pa.int32()])
def test_a_written_type_stays_and_is_read_back_from_its_text(type_):
    assert id_type(type_) == type_
    assert parse_type(str(type_)) == type_


@pytest.mark.parametrize("text", ["uint8", "binary", "timestamp[ns]", ""])
def test_the_text_of_another_type_is_unknown(text):
    with pytest.raises(KeyError):
        parse_type(text)


@given(st.data())
def test_keys_sort_as_ids_and_give_them_back(data):
    type_ = data.draw(st.sampled_from(list(VALUES)))
    ids = pa.array(data.draw(st.lists(VALUES[type_], min_size=1, max_size=6)), type_)
    keys = json.loads(json.dumps([id_key(one) for one in ids]))
    assert [from_key(key, type_) for key in keys] == list(ids)
    values = ids.to_pylist()
    assert sorted(values) == [value for _, value in sorted(zip(keys, values, strict=True))]


def test_keys_of_composite_ids_sort_as_their_tuples():
    ids = pa.StructArray.from_arrays(
        [pa.array(["a", "a", "ab"]), pa.array([-1, 2, -5])], ["plant", "sensor"]
    )
    keys = [id_key(one) for one in ids]
    assert all(isinstance(key, str) for key in keys)
    assert keys == sorted(keys)
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("type_", "bits"),
    [(pa.date32(), 32), (pa.time32("s"), 32), (pa.time64("us"), 64), (UTC, 64), (pa.date64(), 64)],
)
def test_temporal_types_are_stored_as_integers_of_their_width(type_, bits):
    assert integer_type(type_) == (pa.int32() if bits == 32 else pa.int64())
    assert type_.bit_width == bits
