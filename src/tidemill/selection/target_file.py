"""A target from a file: a Parquet or CSV file with a row per id, or per interval and id."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pt

from tidemill.errors import ArgumentError, printable, shorten
from tidemill.storage.delta import INTERVAL
from tidemill.storage.layout import SinkLayout
from tidemill.storage.tables import open_parquet, open_whole

__all__ = ["index_of", "read_target_file"]

#: Between the columns of a CSV file; the first one that makes the wanted columns appear.
DELIMITERS = ",;\t|"
#: Bytes in which the first line of a CSV file ends.
HEADER = 2**20


def read_target_file(
    file: SinkLayout,
    column: str,
    ids: Sequence[str],
    id_types: Sequence[pa.DataType],
    interval: str | None = None,
) -> pd.Series[Any]:
    """The target of each id; rows without a target are left out.

    Parameters
    ----------
    file : a Parquet or CSV file
    column : of the target
    ids : the columns of the ids
    id_types : the types of the ids in the matrix
    interval : the column of the starts of intervals, which become the first level of the index

    Raises
    ------
    ArgumentError
        If the file cannot be read, lacks a column or has it twice, its ids are not unique,
        missing or of another type, or its targets are no text, booleans or numbers.
    """
    wanted = [*([] if interval is None else [interval]), *ids, column]
    if len(set(ids)) < len(ids):
        raise ArgumentError(
            f"column_id={list(ids)!r} names a column twice; name each column of the target once"
        )
    if column in ids:
        raise ArgumentError(f"column_target={column!r} is not allowed: it is a column of ids")
    if interval in (*ids, column):
        raise ArgumentError(
            f"column_interval={interval!r} is not allowed: it is the column of ids or targets"
        )
    local = file.home.local_path(file.name)
    if local is not None and local.is_dir():
        raise ArgumentError(f"target={file.url!r} is a folder; give one Parquet or CSV file")
    try:
        types = dict(zip(ids, id_types, strict=True))
        table = _read(file, wanted, types if interval is None else types | {interval: pa.string()})
    except FileNotFoundError:
        raise ArgumentError(f"target={file.url!r} does not exist; check the path") from None
    except pa.ArrowInvalid as error:
        raise ArgumentError(
            f"target={file.url!r} cannot be read: {printable(error, limit=300)}"
        ) from error
    _check_values(file, column, table[column].type)
    table = table.filter(pc.invert(pc.is_null(table[column], nan_is_null=True)))
    keys = [_conformed(table[one], type_, one) for one, type_ in zip(ids, id_types, strict=True)]
    if interval is not None:
        keys, ids = [table[interval], *keys], [INTERVAL, *ids]
    index = index_of(pa.table(keys, names=list(ids)))
    _check_unique(file, index)
    values = table[column]
    if pt.is_decimal(values.type):
        values = values.cast(pa.float64())
    return pd.Series(values.to_pandas().array, index=index, name=column)


def index_of(ids: pa.Table) -> pd.Index[Any]:
    """The id columns as an index with their types; several are the levels of one."""
    frame: pd.DataFrame = ids.to_pandas()
    several = frame.shape[1] > 1
    found: pd.Index[Any] = (
        pd.MultiIndex.from_frame(frame) if several else pd.Index(frame.iloc[:, 0])
    )
    return found


def _read(file: SinkLayout, wanted: list[str], id_types: dict[str, pa.DataType]) -> pa.Table:
    if file.format == "parquet":
        with open_whole(file.home, file.name) as source, open_parquet(source) as parquet:
            _check_columns(file, wanted, parquet.schema_arrow.names)
            return parquet.read(columns=wanted)
    with file.home.open_input(file.name) as source:  # of a remote file no more than its beginning
        line = source.read(HEADER).partition(b"\n")[0].decode("utf-8-sig", "replace")
    delimiter, header = _header(line, wanted)
    _check_columns(file, wanted, header)
    convert = pacsv.ConvertOptions(include_columns=wanted, column_types=id_types)
    table = _parsed(file, delimiter, convert)
    if not pt.is_string(table.schema.types[-1]):
        return table
    return table.set_column(len(wanted) - 1, wanted[-1], _of_texts(file, delimiter, table))


def _parsed(file: SinkLayout, delimiter: str, convert: pacsv.ConvertOptions) -> pa.Table:
    parse = pacsv.ParseOptions(delimiter=delimiter)
    with open_whole(file.home, file.name) as source:
        return pacsv.read_csv(source, convert_options=convert, parse_options=parse)


def _of_texts(file: SinkLayout, delimiter: str, table: pa.Table) -> pa.ChunkedArray:
    """The last column, of texts: null where one is empty; numbers if all have decimal commas."""
    name, texts = table.schema.names[-1], table.columns[-1]
    convert = pacsv.ConvertOptions(include_columns=[name], decimal_point=",")
    numbers = _parsed(file, delimiter, convert).columns[0]
    if not pt.is_floating(numbers.type):
        return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)
    if delimiter == ",":  # "1,234" in quotes may be more than a thousand
        example = texts.filter(pc.match_substring(texts, ","))[0]
        raise ArgumentError(
            f"column_target={name!r} of {file.url} holds numbers with commas, such as "
            f"{str(example)!r}, which is not allowed between commas: write a decimal point, and "
            "nothing between thousands"
        )
    return numbers


def _header(line: str, wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns."""
    headers = {one: next(csv.reader([line], delimiter=one), []) for one in DELIMITERS}
    fits = (one for one, header in headers.items() if set(wanted) <= set(header))
    delimiter = next(fits, max(headers, key=lambda one: len(headers[one])))
    return delimiter, headers[delimiter]


def _check_columns(file: SinkLayout, wanted: Sequence[str], names: Sequence[str]) -> None:
    """Each wanted column is there, once."""
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ArgumentError(
            f"target={file.url!r} has no column {shorten(map(repr, missing))}; it has "
            f"{shorten(map(repr, names))}: name them in column_id and column_target"
        )
    repeated = [name for name in wanted if names.count(name) > 1]
    if repeated:
        raise ArgumentError(
            f"target={file.url!r} has several columns {shorten(map(repr, repeated))}; rename or "
            "drop all but one"
        )


def _check_values(file: SinkLayout, column: str, type_: pa.DataType) -> None:
    """Refuse what is no single value, and text of a CSV file in an unknown encoding."""
    if pt.is_nested(type_):
        raise ArgumentError(
            f"column_target={column!r} of {file.url} holds {type_}, which is not allowed; give a "
            "column of text, booleans or numbers"
        )
    if file.format == "csv" and pt.is_binary(type_):
        raise ArgumentError(
            f"column_target={column!r} of {file.url} holds text that is not UTF-8; save the file "
            "as UTF-8"
        )


def _conformed(column: pa.ChunkedArray, wanted: pa.DataType, name: str) -> pa.ChunkedArray:
    """Ids in the type that the matrix has them in."""
    if column.null_count:
        raise ArgumentError(
            f"column_id={name!r} of the target lacks {column.null_count:,} ids; drop these rows"
        )
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _family(column.type) != _family(wanted):
        raise ArgumentError(
            f"column_id={name!r} holds {column.type} in the target and {wanted} in the matrix, so "
            "no ids can be the same; cast it in the target"
        )
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid as error:
        raise ArgumentError(
            f"column_id={name!r} of the target holds ids that {wanted} cannot hold, as they are in "
            f"the matrix: {printable(error, limit=200)}"
        ) from error


def _family(type_: pa.DataType) -> str:
    """Types of one family are the same values.

    Examples
    --------
    >>> _family(pa.int8()) == _family(pa.uint64()), _family(pa.string()) == _family(pa.int64())
    (True, False)
    """
    if pt.is_integer(type_):
        return "integers"
    if pt.is_floating(type_):
        return "floats"
    if pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_):
        return "texts"
    if pt.is_timestamp(type_):
        return "timestamps" if type_.tz is None else "timestamps with zone"
    return str(type_)


def _check_unique(file: SinkLayout, index: pd.Index[Any]) -> None:
    repeated = index[index.duplicated()].unique()
    if len(repeated):
        raise ArgumentError(
            f"target={file.url!r} has several rows for the ids {shorten(map(repr, repeated))}; "
            "keep one for each id"
        )
