"""Columns of a matrix in batches of arrays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection.columns import column_batches


def gathered(matrix: pd.DataFrame, chunksize: int | None = None) -> dict[int, list[float]]:
    batches = list(column_batches(matrix, chunksize))
    return {
        int(place): row.tolist()
        for batch in batches
        for place, row in zip(batch.places, batch.numbers, strict=True)
    }


@pytest.mark.parametrize("chunksize", [None, 1, 2, 100])
def test_every_column_is_in_one_batch_whatever_its_dtype(chunksize):
    dtypes = ["float64", "float32", "int8", "uint64", "bool", "Int16", "Float64", "boolean"]
    matrix = pd.DataFrame({name: pd.Series([1, 0, 1]).astype(name) for name in dtypes})
    found = gathered(matrix, chunksize)
    assert found == {place: [1.0, 0.0, 1.0] for place in range(len(dtypes))}


def test_integers_beyond_float64_keep_their_order():
    low, high = 2**53, 2**64 - 1
    matrix = pd.DataFrame(
        {
            "signed": np.array([low + 1, low, -low - 1]),
            "unsigned": np.array([high, high - 1, 0], dtype=np.uint64),
        }
    )
    (batch,) = column_batches(matrix)
    assert batch.numbers.tolist() == [[2, 1, 0]] * 2


def test_nulls_become_nan():
    matrix = pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})
    (row,) = gathered(matrix).values()
    assert row[0] == 1
    assert np.isnan(row[1])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns of one name: 'a'"),
        (pd.DataFrame({"a": ["x"]}), "no real numbers: 'a' "),
        (pd.DataFrame({"a": [1j]}), "no real numbers: 'a' "),
        (pd.DataFrame({"a": [1, "x"]}), "no real numbers: 'a' "),
        (pd.DataFrame({"a": pd.to_datetime(["2026"])}), "no real numbers: 'a' "),
        (pd.DataFrame({"a": pd.Categorical([1])}), "no real numbers: 'a' "),
    ],
)
def test_what_is_no_matrix_is_refused(matrix, message):
    with pytest.raises(SelectionError, match=message):
        list(column_batches(matrix))


def test_a_chunk_has_columns():
    with pytest.raises(SelectionError, match="chunksize=0 is not allowed"):
        list(column_batches(pd.DataFrame({"a": [1.0]}), 0))
