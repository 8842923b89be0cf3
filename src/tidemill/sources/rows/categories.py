"""Codes of categories whose order counts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.errors import DataError, shorten

__all__ = ["CODES", "categories_of", "category_codes", "category_places", "mark_categories"]

#: The type of the codes.
CODES = pa.int32()
METADATA = b"tidemill.categories"


def category_codes(array: pa.Array, categories: pa.Array, name: str) -> pa.Array:
    """Places of the values among the categories, int32; nulls stay null.

    Parameters
    ----------
    array : values with a dictionary of their own
    categories : all categories in their order
    name : the column's name, for messages

    Raises
    ------
    DataError
        As :func:`category_places` does.

    Examples
    --------
    >>> array = pa.DictionaryArray.from_arrays([1, 0, None], ["low", "high"])
    >>> category_codes(array, pa.array(["low", "mid", "high"]), "level").to_pylist()
    [2, 0, None]
    """
    return category_places(array.dictionary, categories, name).take(array.indices)


def category_places(own: pa.Array, categories: pa.Array, name: str) -> pa.Array:
    """Places of some categories, in their own order, among all of them.

    Raises
    ------
    DataError
        If one is not among them, or they come in another order.

    Examples
    --------
    >>> category_places(pa.array(["high", "low"]), pa.array(["low", "high"]), "level")
    Traceback (most recent call last):
    tidemill.errors.DataError: column 'level' has the categories 'high', 'low' here, but in other \
rows 'low', 'high': write all rows with the same ordered categories
    """
    places = pc.index_in(own.cast(categories.type), categories)
    ascend = len(own) < 2 or pc.all(pc.greater(places[1:], places[:-1])).as_py()
    if places.null_count or not ascend:
        raise DataError(
            f"column {name!r} has the categories {_shown(own)} here, but in other rows "
            f"{_shown(categories)}: write all rows with the same ordered categories"
        )
    return places


def _shown(categories: pa.Array) -> str:
    return shorten(map(repr, categories.to_pylist()))


def mark_categories(schema: pa.Schema, name: str | None, categories: pa.Array | None) -> pa.Schema:
    """Put the categories of the sort column into the metadata of its field."""
    if name is None or categories is None:
        return schema
    batch = pa.RecordBatch.from_arrays([categories], names=[name])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    field = pa.field(name, CODES, metadata={METADATA: sink.getvalue().to_pybytes()})
    return schema.set(schema.get_field_index(name), field)


def categories_of(field: pa.Field) -> pa.Array | None:
    """The categories of a column that :func:`mark_categories` marked; None for others.

    Examples
    --------
    >>> schema = mark_categories(pa.schema({"t": pa.int32()}), "t", pa.array(["low", "high"]))
    >>> categories_of(schema.field("t")).to_pylist()
    ['low', 'high']
    """
    kept = (field.metadata or {}).get(METADATA)
    if kept is None:
        return None
    return pa.ipc.open_stream(pa.BufferReader(kept)).read_next_batch().column(0)
