"""Find out which sort columns of text hold times, from their first rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import pyarrow as pa
import pyarrow.types as pt

from tidemill.model.plan import GroupSpan
from tidemill.model.source import Reading, Source, SourceFile
from tidemill.sources.files.access import located
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.given_times import time_type
from tidemill.sources.files.schema import plain_type
from tidemill.sources.files.union import FileSchema

__all__ = ["with_text_times"]

#: Rows that tell; later ones that are no such times are refused when they are read.
SAMPLE_ROWS = 1_000


def with_text_times(source: Source, schemas: Sequence[FileSchema]) -> list[FileSchema]:
    """The schemas, in which a sort column of text that holds times has the type of these times.

    Parameters
    ----------
    source : the files, in the order of ``schemas``, with provisional types
    schemas : their columns

    Raises
    ------
    SourceError
        If the text is a time or a number in a form that has to be named.
    """
    name = source.columns.sort
    if name is None:
        return list(schemas)
    return [_of_file(source, index, schema, name) for index, schema in enumerate(schemas)]


def _of_file(source: Source, index: int, file: FileSchema, name: str) -> FileSchema:
    place = file.schema.get_field_index(name)
    texts: tuple[str | None, ...]
    if place < 0:
        texts = tuple(value for constant, value in file.constants if constant == name)
    elif not pt.is_string(plain_type(file.schema.field(place).type)):
        return file
    else:
        alone = replace(source, files=(source.files[index],))
        texts = _first_texts(_Sampled(alone, source.url, alone.files[0], source.reading, name))
    with located(file.name):
        type_ = time_type(pa.array(texts, pa.string()), name, source.reading)
    if type_ is None:
        return file
    typed = pa.field(name, type_)
    schema = file.schema.append(typed) if place < 0 else file.schema.set(place, typed)
    return replace(file, schema=schema)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """One version of a file and its sort column."""

    source: Source = field(compare=False)  # of this file only
    url: str
    file: SourceFile
    reading: Reading
    column: str


@lru_cache(maxsize=16_384)
def _first_texts(sampled: _Sampled) -> tuple[str | None, ...]:
    """Texts of the first rows of a file, read once in a process."""
    source = sampled.source
    span = GroupSpan(0, 0, sampled.file.groups)
    read = FORMATS[source.format].read_groups
    for batch in read(source, span, [sampled.column], SAMPLE_ROWS):
        if batch.num_rows:
            column = batch.column(0).slice(0, SAMPLE_ROWS)
            plain = column.dictionary_decode() if pt.is_dictionary(column.type) else column
            return tuple(plain.to_pylist())
    return ()
