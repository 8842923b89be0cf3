"""Read files of a store as Arrow tables.

Arrow's own threads never hold a Python object here: if one of them dropped the last reference while
the interpreter shuts down, the process would abort ("terminate called without an active
exception"). So remote files are fetched whole and read from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.errors import DamagedFileError, printable
from tidemill.storage.stores import Store

__all__ = [
    "aligned",
    "damaged_file",
    "is_of_system",
    "open_parquet",
    "open_whole",
    "read_each",
    "read_parquet",
    "read_parquets",
]

_READERS = 8  # threads; with remote files they wait for the network


def open_whole(store: Store, path: str) -> pa.NativeFile:
    """A file opened for Arrow: on disk, or a remote one in memory."""
    local = store.local_path(path)
    return pa.OSFile(str(local)) if local is not None else pa.BufferReader(store.read(path))


def open_parquet(source: pa.NativeFile) -> pq.ParquetFile:
    """A Parquet file whose pages are compared with their checksums when they are read."""
    return pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=True)


def read_parquet(store: Store, path: str) -> pa.Table:
    """Read one Parquet file, whose pages are compared with their checksums.

    Raises
    ------
    DamagedFileError
        If it is not what was written.
    """
    try:
        with open_whole(store, path) as source, open_parquet(source) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, MemoryError) or is_of_system(error):
            raise
        raise damaged_file(store.url_of(path), error) from error


def is_of_system(error: Exception) -> bool:
    """Whether an error is the system's or a storage's, and not Arrow's about what a file holds.

    Examples
    --------
    >>> is_of_system(FileNotFoundError(2, "gone")), is_of_system(OSError("Corrupt data"))
    (True, False)
    """
    return isinstance(error, OSError) and (type(error) is not OSError or error.errno is not None)


def damaged_file(url: str, error: Exception) -> DamagedFileError:
    """The error for a file that Arrow cannot read."""
    return DamagedFileError(
        f"{url} is damaged ({printable(error, limit=160)}): tidemill verify says what else is and "
        "which command makes it whole again; without intervals it is the one that wrote it"
    )


def read_parquets(store: Store, paths: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Read Parquet files as one table with the types of ``schema``."""
    if not paths:
        return schema.empty_table()
    tables = zip(paths, read_each(store, paths), strict=True)
    return pa.concat_tables(_conformed(store, path, table, schema) for path, table in tables)


def _conformed(store: Store, path: str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A file's table with the types of ``schema``; its names have to be those."""
    if table.schema.equals(schema):  # casting thousands of columns to their own types takes seconds
        return pa.Table.from_arrays(table.columns, schema=schema)
    try:
        return table.cast(schema)
    except ValueError as error:
        raise damaged_file(store.url_of(path), error) from error


def read_each(store: Store, paths: Sequence[str]) -> list[pa.Table]:
    """Read Parquet files, each with its own columns, in the order of ``paths``."""
    with ThreadPoolExecutor(min(_READERS, len(paths) or 1), "tidemill-tables") as pool:
        return list(pool.map(lambda path: read_parquet(store, path), paths))


def aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of ``schema``; those that ``table`` lacks are null.

    Examples
    --------
    >>> wanted = pa.schema([("a", pa.int64()), ("b", pa.float64())])
    >>> aligned(pa.table({"a": [1, 2]}), wanted).to_pydict()
    {'a': [1, 2], 'b': [None, None]}
    """
    # By place: Arrow lists all names again for each look-up by name, which is quadratic.
    places = {name: place for place, name in enumerate(table.schema.names)}
    columns = [
        _cast(table.column(places[one.name]), one.type)
        if one.name in places
        else pa.nulls(len(table), one.type)
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    return column if column.type.equals(wanted) else column.cast(wanted)
