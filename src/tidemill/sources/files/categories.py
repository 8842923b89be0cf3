"""Sort columns of categories: their order is that of the file's dictionary, as in pandas.

A file keeps this order if its column is an ordered dictionary, or a categorical that pandas wrote.
Such a column is read as the codes of its categories, which stand in the metadata of the source's
field. A dictionary that only saves space has no order: its values are sorted as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Source
from tidemill.sources.files.access import located
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.union import FileSchema
from tidemill.sources.rows.categories import CODES, category_places

__all__ = ["find_categories"]

#: Rows that are read to see a file's dictionary.
SAMPLE_ROWS = 1_000


def find_categories(
    source: Source, schemas: Sequence[FileSchema]
) -> tuple[list[FileSchema], pa.Array | None]:
    """The categories of the sort column, and the schemas in which it has the type of their codes.

    Parameters
    ----------
    source : the files, in the order of ``schemas``, with provisional types
    schemas : their columns

    Returns
    -------
    schemas, categories
        None, and the schemas as they are, if the column has no order of its own.

    Raises
    ------
    SourceError
        If only some files have such an order.
    DataError
        If two of them contradict each other.
    """
    name = source.columns.sort
    unchanged = list(schemas), None
    if name is None or not any(_may_have_order(one.schema, name) for one in schemas):
        return unchanged
    found = [_categories(source, index, one, name) for index, one in enumerate(schemas)]
    known = [one for one in found if one is not None]
    if not known:
        return unchanged
    if len(known) < len(found):
        other = schemas[next(place for place, one in enumerate(found) if one is None)].name
        raise SourceError(
            f"column {name!r} has categories with an order of their own in some files, but not in "
            f"{other}: write all files with the same ordered categories"
        )
    longest = max(known, key=len)
    for one, file in zip(known, schemas, strict=True):
        with located(file.name):
            category_places(one, longest, name)
    return [_typed(one, name) for one in schemas], longest


def _may_have_order(schema: pa.Schema, name: str) -> bool:
    place = schema.get_field_index(name)
    if place < 0 or not pt.is_dictionary(schema.field(place).type):
        return False
    return bool(schema.field(place).type.ordered) or _is_pandas_categorical(schema, name)


def _is_pandas_categorical(schema: pa.Schema, name: str) -> bool:
    columns = (schema.pandas_metadata or {}).get("columns", [])
    return any(
        one.get("field_name") == name and one.get("pandas_type") == "categorical" for one in columns
    )


def _categories(source: Source, index: int, file: FileSchema, name: str) -> pa.Array | None:
    """The dictionary of a file's column; None if it has no order but that of its values."""
    if not _may_have_order(file.schema, name):
        return None
    type_ = file.schema.field(name).type
    values = pa.array([], type_.value_type)
    span = GroupSpan(index, 0, source.files[index].groups)
    for batch in FORMATS[source.format].read_groups(source, span, [name], SAMPLE_ROWS):
        if batch.num_rows:
            values = batch.column(0).dictionary
            break
    return values if type_.ordered or not _ascends(values) else None


def _ascends(values: pa.Array) -> bool:
    return bool(pc.all(pc.less(values[:-1], values[1:])).as_py()) if len(values) > 1 else True


def _typed(file: FileSchema, name: str) -> FileSchema:
    place = file.schema.get_field_index(name)
    return replace(file, schema=file.schema.set(place, pa.field(name, CODES)))
