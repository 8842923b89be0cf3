"""Categories become codes of their order, or are refused where orders contradict each other."""

import datetime as dt

import pyarrow as pa
import pytest

from tidemill.errors import DataError
from tidemill.sources.rows.categories import (
    categories_of,
    category_codes,
    category_places,
    mark_categories,
)

LEVELS = pa.array(["low", "mid", "high"])


@pytest.mark.parametrize("own", [["low", "mid", "high"], ["low", "high"], ["mid"]])
def test_codes_are_places_among_all_categories(own):
    array = pa.DictionaryArray.from_arrays([len(own) - 1, None, 0], own)
    wanted = [LEVELS.to_pylist().index(one) for one in (own[-1], own[0])]
    codes = category_codes(array, LEVELS, "level")
    assert codes.type == pa.int32()
    assert codes.to_pylist() == [wanted[0], None, wanted[1]]


@pytest.mark.parametrize("own", [["high", "low"], ["low", "off"], ["low", "mid", "high", "off"]])
def test_other_categories_and_other_orders_are_refused(own):
    with pytest.raises(DataError, match=r"column 'level' has the categories .*'low', 'mid'"):
        category_places(pa.array(own), LEVELS, "level")


@pytest.mark.parametrize("values", [["b", "a"], [3, 1], [dt.date(2026, 2, 1), dt.date(2026, 1, 1)]])
def test_a_field_keeps_its_categories_through_serialisation(values):
    schema = pa.schema({"t": pa.string(), "x": pa.float64()})
    marked = mark_categories(schema, "t", pa.array(values))
    kept = pa.ipc.read_schema(pa.BufferReader(marked.serialize()))
    assert categories_of(kept.field("t")).to_pylist() == values
    assert kept.field("t").type == pa.int32()
    assert categories_of(kept.field("x")) is None
    assert mark_categories(schema, "t", None) is schema
