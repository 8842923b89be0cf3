"""Rows of one file in the columns and types of the whole input.

A file may lack columns, have others in its path, and hold its columns in types of its own. Where it
has those of the input, its batches are passed on as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import DataError
from tidemill.model.source import Reading, Source
from tidemill.sources.files.given_times import times_of
from tidemill.sources.files.schema import plain_type, read_schema
from tidemill.sources.rows.casts import as_float64
from tidemill.sources.rows.categories import categories_of, category_codes

__all__ = ["conform", "constant_value"]


def conform(
    source: Source, index: int, batches: Iterable[pa.RecordBatch], columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Batches of the file at ``index`` with all ``columns``, in the types of the source.

    Raises
    ------
    DataError
        If a value cannot be held by the type of the input without a change.
    """
    schema = read_schema(source)
    fields = [schema.field(name) for name in columns]
    constants = dict(source.files[index].constants)
    fill_nulls = frozenset(source.lacking)
    rows = 0
    for batch in batches:
        if _is_conform(batch.schema, fields, fill_nulls):
            yield batch
        else:
            arrays = [
                _column(batch, field, constants, source.reading, fill_nulls) for field in fields
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
        rows += batch.num_rows


def _is_conform(schema: pa.Schema, fields: Sequence[pa.Field], fill_nulls: frozenset[str]) -> bool:
    return len(schema) == len(fields) and all(
        own.name == field.name
        and plain_type(own.type) == field.type
        and own.name not in fill_nulls
        and categories_of(field) is None
        for own, field in zip(schema, fields, strict=True)
    )


def _column(
    batch: pa.RecordBatch,
    field: pa.Field,
    constants: dict[str, str | None],
    reading: Reading,
    fill_nulls: frozenset[str],
) -> pa.Array:
    name, type_ = field.name, field.type
    place = batch.schema.get_field_index(name)
    if place < 0:
        if name not in constants:
            return pa.nulls(batch.num_rows, type_)
        value = constant_value(constants[name], field, reading)
        places = pa.array(np.zeros(batch.num_rows, np.int32))
        repeated = pa.DictionaryArray.from_arrays(places, value)
        return repeated if pt.is_string(type_) else repeated.dictionary_decode()
    array = batch.column(place)
    if name in fill_nulls:  # nulls mean that the file lacks the column
        return pa.array(as_float64(array, name))
    return _converted(array, field, reading)


def constant_value(text: str | None, field: pa.Field, reading: Reading) -> pa.Array:
    """The value of a column that is the same for all rows of a file, Array[1]."""
    return _converted(pa.array([text], pa.string()), field, reading)


def _converted(array: pa.Array, field: pa.Field, reading: Reading) -> pa.Array:
    """The array in the type of the field; refused where a value would change."""
    name, type_ = field.name, field.type
    categories = categories_of(field)
    if categories is not None:
        return category_codes(array, categories, name)
    own = plain_type(array.type)
    if own == type_:
        return array
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pt.is_floating(type_) and not (pt.is_string(own) or pt.is_temporal(own)):
        return pa.array(as_float64(array, name), mask=_nulls(array))
    is_time = pt.is_string(own) or pt.is_date(own) or pt.is_timestamp(own) or pt.is_integer(own)
    if pt.is_timestamp(type_) and is_time:
        array = times_of(array, name, reading, type_ if pt.is_string(own) else None)
    try:
        return array.cast(type_)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} is read as {type_}, like that of other files, but {error}; write all "
            "files with one type"
        ) from None


def _nulls(array: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Where keys are null: they stay null and are refused; None if none is."""
    if not array.null_count:
        return None
    nulls: np.ndarray[tuple[int], np.dtype[np.bool_]] = array.is_null().to_numpy(
        zero_copy_only=False
    )
    return nulls
