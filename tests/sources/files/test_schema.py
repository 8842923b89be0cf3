"""The columns that are read, and their types on disk and in memory."""

import pandas as pd
import pyarrow as pa
import pytest

from tidemill.model.source import ColumnRoles
from tidemill.sources.files.open import open_source
from tidemill.sources.files.schema import (
    input_columns,
    memory_schema,
    plain_type,
    read_schema,
    time_zone,
    used_columns,
)


def test_several_id_columns_are_one_in_memory():
    columns = ColumnRoles(("plant", "unit"), "time", "kind", ("x",))
    assert input_columns(columns) == ("plant", "unit", "time", "kind", "x")
    assert used_columns(columns) == (columns.key, "time", "kind", "x")
    single = ColumnRoles("id", None, None, ("x", "y"))
    assert input_columns(single) == used_columns(single) == ("id", "x", "y")


@pytest.mark.parametrize("type_", [pa.large_string(), pa.string_view(), pa.string()])
def test_all_text_has_one_type(type_):
    assert plain_type(type_) == plain_type(pa.dictionary(pa.int8(), type_)) == pa.string()


def test_other_types_stay():
    assert plain_type(pa.timestamp("ms", "UTC")) == pa.timestamp("ms", "UTC")


@pytest.mark.parametrize(
    ("times", "zone"),
    [
        (pd.to_datetime(["2026-01-01"]), "naive, taken as UTC"),
        (pd.to_datetime(["2026-01-01"]).tz_localize("Europe/Berlin"), "Europe/Berlin"),
        ([3], ""),
    ],
)
def test_schemas_and_the_time_zone_come_from_the_source(tmp_path, times, zone):
    frame = pd.DataFrame({"note": ["?"], "unit": [1], "plant": ["a"], "time": times, "x": [0.5]})
    frame.to_parquet(tmp_path / "a.parquet")
    options = {"column_sort": "time", "column_value": "x"}
    source = open_source(tmp_path, column_id=["plant", "unit"], **options)
    assert read_schema(source).names == ["plant", "unit", "time", "x"]
    memory = memory_schema(source)
    assert memory.names == list(used_columns(source.columns))
    assert memory.types[0] == pa.string()
    assert time_zone(source) == zone
    assert time_zone(open_source(tmp_path, column_id="plant", column_value="x")) == ""
