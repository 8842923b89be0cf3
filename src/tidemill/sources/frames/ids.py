"""Convert ids of pandas frames, in one or several columns, to Arrow and back to an index."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import ArgumentError, InputError
from tidemill.model.aliases import Index
from tidemill.model.id_types import id_type
from tidemill.model.ids import encode, id_labels
from tidemill.sources.frames.columns import read_ids
from tidemill.sources.frames.roles import with_index_columns
from tidemill.sources.rows.casts import ArrowColumn, check_ids
from tidemill.sources.rows.composite_ids import join_ids

__all__ = ["find_ids", "id_dtype", "read_row_ids", "to_index"]


def read_row_ids(
    frame: pd.DataFrame, labels: Sequence[Hashable], where: str
) -> tuple[ArrowColumn, list[pa.DataType]]:
    """Read the id of every row, and the types of the columns of composite ids.

    Raises
    ------
    InputError
        If ids are null or cannot be used.
    """
    ids = [read_ids(frame[label], where) for label in labels]
    if len(ids) == 1:
        return ids[0], []
    try:
        return join_ids(ids, list(map(str, labels))), [id_type(array.type) for array in ids]
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None


def id_dtype(
    container: pd.DataFrame | Mapping[Any, pd.DataFrame], column_id: Hashable | list[Any]
) -> Any:
    """Look up the ids' pandas dtype; as in tsfresh, the last frame of a dict decides.

    Returns
    -------
    dtype, or Series of label to dtype where several columns make up an id

    Examples
    --------
    >>> id_dtype(pd.DataFrame({"id": pd.array([1], "Int8"), "x": [1]}), "id")
    Int8Dtype()
    """
    frame = list(container.values())[-1] if isinstance(container, Mapping) else container
    labels = id_labels(column_id)
    frame = with_index_columns(frame, [("column_id", label) for label in labels])
    return frame[labels[0]].dtype if len(labels) == 1 else frame[list(labels)].dtypes


def to_index(ids: pa.Array, dtype: Any = None, name: Hashable = None) -> pd.Index[Any]:
    """Make an index of ids, with their original pandas dtype.

    Examples
    --------
    >>> to_index(pa.array([1, 2]), "int8")
    Index([1, 2], dtype='int8')
    """
    if pt.is_struct(ids.type):
        names = [field.name for field in ids.type] if dtype is None else list(dtype.index)
        dtypes = [None] * len(names) if dtype is None else list(dtype)
        levels = [to_index(*one) for one in zip(ids.flatten(), dtypes, strict=True)]
        return pd.MultiIndex.from_arrays(levels, names=names)
    index: pd.Index[Any] = pd.Index(ids.to_pandas(), name=name)
    return index if dtype is None else index.astype(dtype)


def find_ids(columns: pd.DataFrame, ids: pa.Array, where: str) -> Index:
    """Find the place of the id in every row among those of a batch; -1 for others.

    Raises
    ------
    InputError
        If ids are null or of another type than the batch's.

    Examples
    --------
    >>> find_ids(pd.DataFrame({"id": [7, 5, 6]}), pa.array([5, 7]), "cutoffs")
    array([ 1,  0, -1])
    """
    parts = ids.flatten() if pt.is_struct(ids.type) else [ids]
    pairs = [
        _alike(column, part, where)
        for (_, column), part in zip(columns.items(), parts, strict=True)
    ]
    wanted, own = (list(side) for side in zip(*pairs, strict=True))
    keys = (wanted[0], own[0]) if len(pairs) == 1 else (encode(wanted), encode(own))
    found = pc.index_in(*keys).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _alike(column: pd.Series[Any], ids: pa.Array, where: str) -> tuple[pa.Array, pa.Array]:
    """The ids of a column and those of a batch, in one type."""
    own = read_ids(column, where)
    try:
        wanted = check_ids(own, str(column.name))
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None
    if pt.is_integer(wanted.type) and pt.is_integer(ids.type):
        return wanted.cast(pa.int64()), ids.cast(pa.int64())
    if wanted.type != ids.type:
        raise ArgumentError(
            f"{where}: ids of column {column.name!r} are {wanted.type}, but those of the frame are "
            f"{ids.type}: cast them to one type"
        )
    return wanted, ids
