"""Composite ids: the values of several columns as one text that sorts as they do, and back.

Numbers, dates and timestamps become 16 hexadecimal digits in the same order. Text keeps its
characters, except the first two of Unicode, and ends with a mark that sorts below all others. So no
two ids become the same text, however their values begin and end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

__all__ = [
    "decode",
    "encode",
    "id_fields",
    "id_labels",
    "id_name",
    "id_text",
    "mark_ids",
    "tuple_text",
]

#: The end of a text, and the escapes of characters 0 and 1. All sort below any other character.
END, ZERO, ONE = "\x01\x01", "\x01\x02", "\x01\x03"
#: Hexadecimal digits of a number.
DIGITS = 16
#: Metadata of a field that is one of several id columns.
MARK = {"tidemill": "id"}

_SIGN = np.uint64(1 << 63)


def encode(columns: Sequence[pa.Array]) -> pa.Array:
    r"""One text per row; texts sort as the rows' tuples do.

    Parameters
    ----------
    columns : arrays[n] of normal ids, without nulls and NaN

    Examples
    --------
    >>> encode([pa.array(["a", "ab"]), pa.array([7, -1])]).to_pylist()
    ['a\x01\x018000000000000007', 'ab\x01\x017fffffffffffffff']
    """
    return pc.binary_join_element_wise(*map(_encoded, columns), "")


def decode(keys: pa.Array, types: Iterable[pa.DataType]) -> list[pa.Array]:
    """The columns that :func:`encode` was called with.

    Examples
    --------
    >>> keys = encode([pa.array(["a", "ab"]), pa.array([7, -1])])
    >>> [column.to_pylist() for column in decode(keys, [pa.string(), pa.int64()])]
    [['a', 'ab'], [7, -1]]
    """
    columns = []
    for type_ in types:
        if pt.is_string(type_):
            halves = pc.split_pattern(keys, END, max_splits=1)
            part, keys = (pc.list_element(halves, place) for place in (0, 1))
            columns.append(_unescaped(part))
        else:
            digits = pc.utf8_slice_codeunits(keys, 0, DIGITS)
            keys = pc.utf8_slice_codeunits(keys, DIGITS)
            columns.append(_from_ordered(_from_digits(digits), type_))
    return columns


def _encoded(column: pa.Array) -> pa.Array:
    if pt.is_string(column.type):
        escaped = pc.replace_substring(column, "\x01", ONE)
        escaped = pc.replace_substring(escaped, "\x00", ZERO)
        return pc.binary_join_element_wise(escaped, END, "")
    return _to_digits(_ordered(column))


def _unescaped(column: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.replace_substring(column, ZERO, "\x00"), ONE, "\x01")


def _ordered(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Unsigned numbers in the same order; floats are mapped by their bits."""
    bits = _numbers(column)
    if pt.is_floating(column.type):
        return np.where(bits & _SIGN, ~bits, bits ^ _SIGN)
    return bits ^ _SIGN


def _numbers(column: pa.Array) -> npt.NDArray[np.uint64]:
    if pt.is_floating(column.type):
        floats = column.to_numpy(zero_copy_only=False) + 0.0  # -0.0 and 0.0 are one id
        return np.asarray(floats, np.float64).view(np.uint64)
    if pt.is_temporal(column.type):
        column = column.view(pa.int32() if pt.is_date32(column.type) else pa.int64())
    whole = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(whole).view(np.uint64)


def _from_ordered(ordered: npt.NDArray[np.uint64], type_: pa.DataType) -> pa.Array:
    """The inverse of :func:`_ordered`."""
    if pt.is_floating(type_):
        return pa.array(np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered).view(np.float64))
    whole = pa.array((ordered ^ _SIGN).view(np.int64))
    if pt.is_temporal(type_):
        return whole.cast(pa.int32()).view(type_) if pt.is_date32(type_) else whole.view(type_)
    return whole.cast(type_)


def _to_digits(numbers: npt.NDArray[np.uint64]) -> pa.Array:
    digits = numbers.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * DIGITS
    return pa.StringArray.from_buffers(
        len(numbers), pa.py_buffer(offsets.tobytes()), pa.py_buffer(digits)
    )


def _from_digits(digits: pa.Array) -> npt.NDArray[np.uint64]:
    raw = bytes.fromhex("".join(digits.to_pylist()))
    return np.frombuffer(raw, ">u8").astype(np.uint64)


# Several id columns of a matrix


def mark_ids(fields: Sequence[pa.Field]) -> list[pa.Field]:
    """The fields of the id columns, marked if there are several.

    A single id column comes first in a matrix; only marks can show that there are several.
    """
    return list(fields) if len(fields) == 1 else [field.with_metadata(MARK) for field in fields]


def id_fields(schema: pa.Schema) -> list[pa.Field]:
    """The id columns of a matrix, in their order.

    Examples
    --------
    >>> fields = [pa.field("plant", pa.string()), pa.field("sensor", pa.int64())]
    >>> schema = pa.schema([*mark_ids(fields), pa.field("x__mean", pa.float64())])
    >>> [field.name for field in id_fields(schema)]
    ['plant', 'sensor']
    """
    (name, value) = next((key.encode(), text.encode()) for key, text in MARK.items())
    marked = [field for field in schema if (field.metadata or {}).get(name) == value]
    return marked or [schema.field(0)]


def id_labels(column_id: Hashable | list[Any]) -> tuple[Hashable, ...]:
    """The labels of the id columns; a list names several.

    Examples
    --------
    >>> id_labels("sensor"), id_labels(["plant", "sensor"])
    (('sensor',), ('plant', 'sensor'))
    """
    return tuple(column_id) if isinstance(column_id, list) else (column_id,)


def id_name(scalar: pa.Scalar) -> Any:
    """An id for messages: the value, or the text of the tuple.

    Examples
    --------
    >>> id_name(pa.scalar(7)), id_name(pa.scalar({"plant": "a", "sensor": 7}))
    (7, '(a, 7)')
    """
    value = scalar.as_py()
    return tuple_text(value.values()) if isinstance(value, dict) else value


def id_text(value: object) -> str:
    """An id as people write it: text in quotes, all else without the name of its type.

    Examples
    --------
    >>> from datetime import date
    >>> id_text("a"), id_text(np.int64(7)), id_text(date(2026, 11, 27)), id_text(("a", 7))
    ("'a'", '7', '2026-11-27', '(a, 7)')
    """
    if isinstance(value, tuple):
        return tuple_text(value)
    return repr(str(value)) if isinstance(value, str) else str(value)


def tuple_text(values: Iterable[object]) -> str:
    """The text of a composite id.

    Examples
    --------
    >>> tuple_text(["a", 7])
    '(a, 7)'
    """
    return f"({', '.join(map(str, values))})"
