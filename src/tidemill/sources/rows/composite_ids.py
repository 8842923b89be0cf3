"""Join several id columns into one column of composite ids, and split it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tidemill.model.ids import decode, encode
from tidemill.sources.rows.casts import ArrowColumn, normal_ids, sound_ids

__all__ = ["join_ids", "split_ids"]


def join_ids(columns: Sequence[ArrowColumn], names: Sequence[str]) -> pa.DictionaryArray:
    """Join the id columns of each row; only distinct ids are encoded.

    Raises
    ------
    SourceError
        If ids of a type are not supported.
    DataError
        If ids are null, NaN or infinite, or beyond what the normal type can hold.

    Examples
    --------
    >>> joined = join_ids([pa.array(["b", "a", "b"]), pa.array([1, 2, 1])], ["plant", "sensor"])
    >>> joined.indices.to_pylist(), len(joined.dictionary)
    ([0, 1, 0], 2)
    """
    sound = [_coded(sound_ids(*one)) for one in zip(columns, names, strict=True)]
    codes = sound[0].indices
    for column in sound[1:]:
        pairs = np.asarray(codes, np.int64) * len(column.dictionary) + np.asarray(column.indices)
        codes = pa.array(pairs).dictionary_encode().indices  # dense: products stay within int64
    dense = codes.dictionary_encode().indices
    rows = np.empty(int(np.max(dense, initial=-1)) + 1, np.int64)
    rows[np.asarray(dense)] = np.arange(len(dense))  # a row of each id
    each = [column.take(pa.array(rows)) for column in sound]
    normal = [normal_ids(*one) for one in zip(each, names, strict=True)]
    return pa.DictionaryArray.from_arrays(dense, encode(normal))


def _coded(ids: pa.Array) -> pa.DictionaryArray:
    return ids if pt.is_dictionary(ids.type) else ids.dictionary_encode()


def split_ids(keys: pa.Array, names: Sequence[str], types: Sequence[pa.DataType]) -> pa.StructArray:
    """Split what :func:`join_ids` joined into one field per column.

    Examples
    --------
    >>> keys = join_ids([pa.array(["a"]), pa.array([7])], ["plant", "sensor"]).dictionary
    >>> split_ids(keys, ["plant", "sensor"], [pa.string(), pa.int64()]).to_pylist()
    [{'plant': 'a', 'sensor': 7}]
    """
    return pa.StructArray.from_arrays(decode(keys, types), names=list(names))
