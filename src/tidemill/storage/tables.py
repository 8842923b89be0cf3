"""Files of a store as Arrow tables.

Arrow's own threads never see a Python object here: when one of them lets go of the last reference
while the interpreter shuts down, the process aborts ("terminate called without an active
exception"). So remote files are fetched whole, and read from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.storage.stores import Store

__all__ = ["aligned", "open_whole", "read_each", "read_parquet", "read_parquets"]

_READERS = 8  # threads; of remote files they wait for the network


def open_whole(store: Store, path: str) -> pa.NativeFile:
    """A file that is open for Arrow, from disk or from memory."""
    local = store.local_path(path)
    return pa.OSFile(str(local)) if local is not None else pa.BufferReader(store.read(path))


def read_parquet(store: Store, path: str) -> pa.Table:
    """One Parquet file."""
    with open_whole(store, path) as source, pq.ParquetFile(source, pre_buffer=False) as file:
        return file.read()


def read_parquets(store: Store, paths: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Several Parquet files, one after the other, with the columns and types of ``schema``."""
    if not paths:
        return schema.empty_table()
    return pa.concat_tables(table.cast(schema) for table in read_each(store, paths))


def read_each(store: Store, paths: Sequence[str]) -> list[pa.Table]:
    """Several Parquet files, each with the columns that it has."""
    with ThreadPoolExecutor(min(_READERS, len(paths) or 1), "tidemill-tables") as pool:
        return list(pool.map(lambda path: read_parquet(store, path), paths))


def aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema``, null where the table has none.

    Examples
    --------
    >>> wanted = pa.schema([("a", pa.int64()), ("b", pa.float64())])
    >>> aligned(pa.table({"a": [1, 2]}), wanted).to_pydict()
    {'a': [1, 2], 'b': [None, None]}
    """
    columns = [
        table.column(one.name).cast(one.type)
        if one.name in table.column_names
        else pa.nulls(len(table), one.type)
        for one in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
