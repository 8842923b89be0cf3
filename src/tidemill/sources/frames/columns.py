"""Columns of pandas frames to Arrow arrays, by what they are: values, ids, kinds."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import SourceError, shorten
from tidemill.sources.rows.casts import check_kinds, check_nulls

__all__ = ["read_ids", "read_kinds", "to_arrow"]


def to_arrow(column: pd.Series[Any], where: str, *, nan_is_null: bool = True) -> pa.Array:
    """Convert a column to Arrow; NumPy numbers are not copied."""
    if isinstance(column.dtype, pd.SparseDtype):
        column = pd.Series(np.asarray(column), name=column.name)
    try:
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            numbers = column.to_numpy()
            native = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
            return pa.array(native, from_pandas=nan_is_null)
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError) as error:
        if isinstance(error, OverflowError) and not nan_is_null:
            return _magnitudes(column, where)
        raise SourceError(
            f"{where}: column {column.name!r} of dtype {column.dtype} cannot be used ({error}): "
            "cast it to numbers or strings, or give its objects one type"
        ) from None


def _magnitudes(column: pd.Series[Any], where: str) -> pa.Array:
    """Round Python integers too large for int64, such as Fibonacci numbers, to float64.

    Integers between 2**53 and 2**63 are refused elsewhere: most are keys or nanoseconds.
    """
    types = {type(one) for one in column} - {int, float, bool, type(None)}
    try:
        if not types:
            return pa.array(column.to_numpy(np.float64))
        fault = f"beside large integers it holds {shorten(sorted(one.__name__ for one in types))}"
    except OverflowError as error:
        fault = str(error)
    raise SourceError(
        f"{where}: column {column.name!r} of dtype {column.dtype} cannot be used ({fault}): cast "
        "it to numbers"
    )


def read_ids(column: pd.Series[Any], where: str) -> pa.Array:
    """Convert ids; refuse mixed types, some of which Arrow would accept."""
    if column.dtype == object:
        found = pd.api.types.infer_dtype(column, skipna=True)
        types = sorted({type(one).__name__ for one in column.dropna()})
        if found in {"mixed", "mixed-integer"} or (found.startswith("date") and len(types) > 1):
            raise SourceError(
                f"{where}: column {column.name!r} holds ids of mixed or compound type "
                f"({shorten(types)}): cast them to one simple type, for example with .map(str)"
            )
    array = to_arrow(column, where)
    type_ = array.type.value_type if pt.is_dictionary(array.type) else array.type
    if isinstance(type_, pa.BaseExtensionType):
        raise SourceError(
            f"{where}: column {column.name!r} holds ids of dtype {column.dtype}, which is not "
            "supported: cast them to strings with .astype(str), or to timestamps"
        )
    return array


def read_kinds(
    column: pd.Series[Any], label: Hashable, source: str
) -> tuple[pa.Array, tuple[str, ...]]:
    """Turn a column of kinds into a dictionary of names, and list these in the kinds' order."""
    array = to_arrow(column, source)
    type_ = array.type.value_type if pt.is_dictionary(array.type) else array.type
    if pt.is_nested(type_) or isinstance(type_, pa.BaseExtensionType):
        raise SourceError(
            f"{source}: column_kind={label!r} has dtype {column.dtype} ({type_}), but kinds must "
            "be strings or numbers: cast them, as with .astype(str)"
        )
    encoded = array if pt.is_dictionary(array.type) else array.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    check_nulls(encoded, str(label), "every row needs a kind; drop these rows")
    where = f"column_kind={label!r}"
    entries = encoded.dictionary.to_pylist()
    used = pc.unique(encoded.indices).to_pylist()
    # The categories of a categorical have an order of their own.
    order = sorted(used, key=None if encoded is array else entries.__getitem__)
    kinds = check_kinds((entries[place] for place in order), where)
    names = pa.array([str(entry) for entry in entries], pa.string())
    return pa.DictionaryArray.from_arrays(encoded.indices, names), kinds
