"""Ids of one or several columns go to Arrow and come back as the index they were."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tidemill.errors import ArgumentError, DataError
from tidemill.sources.frames.ids import find_ids, id_dtype, read_row_ids, to_index
from tidemill.sources.rows.composite_ids import split_ids

FRAME = pd.DataFrame({"plant": ["b", "a", "b"], "unit": np.array([2, 1, 2], "int8")})


def test_one_column_is_taken_as_it_is():
    ids, types = read_row_ids(FRAME, ["unit"], "frame")
    assert (ids.to_pylist(), ids.type, types) == ([2, 1, 2], pa.int8(), [])


def test_composite_ids_come_back_as_a_multiindex_of_the_same_dtypes():
    labels = ["plant", "unit"]
    ids, types = read_row_ids(FRAME, labels, "frame")
    structs = split_ids(ids.dictionary, labels, types).take(ids.indices)
    index = to_index(structs, id_dtype(FRAME, labels))
    pd.testing.assert_index_equal(index, pd.MultiIndex.from_frame(FRAME))


def test_null_ids_name_the_frame_and_the_column():
    frame = FRAME.assign(plant=["b", None, "b"])
    with pytest.raises(DataError, match="frame: column 'plant' is null in 1 of 3 rows"):
        read_row_ids(frame, ["plant", "unit"], "frame")


def test_the_last_frame_of_a_dict_decides_on_the_dtype():
    frames = {"x": pd.DataFrame({"id": [1]}), "y": pd.DataFrame({"id": np.array([1], "int8")})}
    assert id_dtype(frames, "id") == np.int8


def test_an_index_has_the_name_and_dtype_that_are_asked_for():
    index = to_index(pa.array(["a", "b"]), pd.CategoricalDtype(["b", "a"]), "id")
    assert isinstance(index, pd.CategoricalIndex)
    assert (index.name, list(index)) == ("id", ["a", "b"])


def test_ids_are_found_whatever_the_width_of_integers():
    wanted = pd.DataFrame({"id": np.array([7, 5, 9], "uint8")})
    assert find_ids(wanted, pa.array([5, 7], pa.int32()), "cutoffs").tolist() == [1, 0, -1]


def test_composite_ids_are_found_by_all_columns():
    ids = pa.array([{"plant": "a", "unit": 1}, {"plant": "b", "unit": 2}])
    wanted = pd.DataFrame({"plant": ["b", "b"], "unit": [2, 1]})
    assert find_ids(wanted, ids, "cutoffs").tolist() == [1, -1]


def test_ids_of_another_type_are_refused():
    with pytest.raises(ArgumentError, match=r"ids of column 'id' are string, .* int64: cast them"):
        find_ids(pd.DataFrame({"id": ["5"]}), pa.array([5]), "cutoffs")
    with pytest.raises(DataError, match="cutoffs: column 'id' is null"):
        find_ids(pd.DataFrame({"id": [None, 5.0]}), pa.array([5.0]), "cutoffs")
