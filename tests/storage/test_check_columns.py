"""Names that a sink cannot hold are refused with a remedy; those that it can hold are not."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import Schema

from tidemill.errors import ArgumentError
from tidemill.storage.check_columns import check_columns, check_id_names
from tidemill.storage.layout import SinkLayout

from .publishing import go

CASES = [
    (["id"], ["p__mean", "P__mean"], "'p__mean' and 'P__mean' .* rename one of the kinds, or give"),
    (["X__mean"], ["x__mean"], "'X__mean' and 'x__mean' .* rename the id column, or give a sink"),
    (["Plant", "plant"], ["x__mean"], "'Plant' and 'plant' .* rename one of the id columns, or"),
    (["id"], ["ä__mean", "Ä__mean"], "'ä__mean' and 'Ä__mean' differ only"),
]


@pytest.mark.parametrize(("ids", "columns", "said"), CASES)
def test_a_table_takes_no_names_that_differ_only_in_case(tmp_path, ids, columns, said):
    with pytest.raises(ArgumentError, match=said):
        check_columns(SinkLayout.of(tmp_path / "table"), ids, columns)
    with pytest.raises(Exception, match=r"(?i)duplicate"):  # so Delta itself would
        Schema.from_arrow(pa.schema([(name, pa.float64()) for name in [*ids, *columns]]))
    for name in ("matrix.parquet", "matrix.csv"):
        check_columns(SinkLayout.of(tmp_path / name), ids, columns)


@pytest.mark.parametrize("name", ["table", "matrix.parquet", "matrix.csv"])
def test_no_sink_takes_a_name_twice(tmp_path, name):
    layout = SinkLayout.of(tmp_path / name)
    with pytest.raises(ArgumentError, match=r"column_id='x__mean' is also .* rename the id column"):
        check_columns(layout, ["x__mean"], ["x__mean"])
    with pytest.raises(ArgumentError, match=r"two columns .* have the name 'x__mean'; rename"):
        check_columns(layout, ["id"], ["x__mean", "y__mean", "x__mean"])
    check_columns(layout, ["id", "Plant"], ["x__mean", "y__mean"])


@pytest.mark.parametrize("name", ["table", "matrix.parquet", "matrix.csv"])
def test_no_sink_takes_a_nul_in_a_name(tmp_path, name):
    """Delta would see two columns named ``a``, after all parts were calculated."""
    layout = SinkLayout.of(tmp_path / name)
    with pytest.raises(ArgumentError, match=r"'a\\x00b__mean' has a NUL .* rename the kind"):
        check_columns(layout, ["id"], ["a\0b__mean", "a\0c__mean"])
    with pytest.raises(ArgumentError, match=r"has a NUL .* rename the id column"):
        check_columns(layout, ["i\0d"], ["x__mean"])


@pytest.mark.parametrize("name", ["interval", "Interval", "INTERVAL"])
def test_the_column_of_intervals_keeps_its_name_for_itself(name):
    with pytest.raises(ArgumentError, match=f"column_id='{name}' .* rename the column"):
        check_id_names(["plant", name], intervals=True)
    check_id_names(["plant", name], intervals=False)


def test_columns_of_other_intervals_count_because_they_stay(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "table")
    key = layout.key("a" * 64)
    go(layout, key, *write_parts(key, range(3), ["p__mean"]), interval="20300101T000000Z")
    check_columns(layout, ["id"], ["p__mean", "q__mean"], intervals=True)
    with pytest.raises(ArgumentError, match="'p__mean' and 'P__mean' differ only"):
        check_columns(layout, ["id"], ["P__mean"], intervals=True)
    with pytest.raises(ArgumentError, match=r"two columns .* 'p__mean'"):
        check_columns(layout, ["id"], ["p__mean", "p__mean"], intervals=True)
