"""Columns of frames become Arrow arrays, or errors that say what to do."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tidemill.errors import DataError, SourceError
from tidemill.sources.frames.columns import read_ids, read_kinds, to_arrow


def test_numbers_are_not_copied():
    column = pd.Series(np.arange(5.0), name="x")
    array = to_arrow(column, "frame", nan_is_null=False)
    assert array.buffers()[1].address == column.to_numpy().ctypes.data


def test_nan_is_null_if_wanted():
    column = pd.Series([1.0, np.nan], name="x")
    assert to_arrow(column, "frame").null_count == 1
    assert to_arrow(column, "frame", nan_is_null=False).null_count == 0


def test_sparse_and_big_endian_columns():
    sparse = pd.Series(pd.arrays.SparseArray([0.0, 2.0]), name="x")
    assert to_arrow(sparse, "frame").to_pylist() == [0.0, 2.0]
    assert to_arrow(pd.Series(np.array([1, 2], ">i4")), "frame").to_pylist() == [1, 2]


def test_integers_beyond_int64_are_rounded_only_as_values():
    column = pd.Series([2**70, 1], name="x", dtype=object)
    assert to_arrow(column, "frame", nan_is_null=False).to_pylist() == [2.0**70, 1.0]
    with pytest.raises(SourceError, match="frame: column 'x' of dtype object cannot be used"):
        to_arrow(column, "frame")
    with pytest.raises(SourceError, match="beside large integers it holds str"):
        to_arrow(pd.Series([2**70, "a"], name="x", dtype=object), "frame", nan_is_null=False)


@pytest.mark.parametrize("ids", [[1, "a"], [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1)]])  # noqa: DTZ001
def test_ids_of_mixed_types_are_refused(ids):
    with pytest.raises(SourceError, match=r"mixed or compound type .*\.map\(str\)"):
        read_ids(pd.Series(ids, name="id", dtype=object), "frame")


def test_kinds_are_sorted_or_in_the_order_of_categories():
    column = pd.Series(["b", "a", "b"])
    array, kinds = read_kinds(column, "kind", "frame")
    assert (array.to_pylist(), kinds) == (["b", "a", "b"], ("a", "b"))
    own = pd.Series(pd.Categorical(["b", "a"], ["c", "b", "a"]))
    assert read_kinds(own, "kind", "frame")[1] == ("b", "a")
    array, kinds = read_kinds(pd.Series([10, 2]), "kind", "frame")
    assert (array.to_pylist(), kinds, array.type.value_type) == (
        ["10", "2"],
        ("2", "10"),
        pa.string(),
    )


def test_kinds_that_cannot_be_used():
    with pytest.raises(DataError, match="column 'kind' is null in 1 of 2 rows"):
        read_kinds(pd.Series(["a", None]), "kind", "frame")
    with pytest.raises(SourceError, match=r"column_kind='kind': .*__"):
        read_kinds(pd.Series(["a__b"]), "kind", "frame")
    for odd in (pd.Series([[1], [2]]), pd.Series(pd.cut([1, 2], [0, 1, 2]))):
        with pytest.raises(SourceError, match=r"column_kind='kind' has dtype .*\.astype\(str\)"):
            read_kinds(odd, "kind", "frame")


@pytest.mark.parametrize(
    "ids", [pd.period_range("2026-01", periods=2, freq="M"), pd.cut([1, 2], 2)]
)
def test_ids_of_extension_types_are_refused(ids):
    with pytest.raises(SourceError, match=r"column 'id' holds ids of dtype .*\.astype\(str\)"):
        read_ids(pd.Series(ids, name="id"), "frame")
