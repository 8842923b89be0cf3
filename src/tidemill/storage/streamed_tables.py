"""Write tables one by one, to a Parquet file or to a folder of files."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.storage.streams import local_output

__all__ = ["table_output"]

Write: TypeAlias = Callable[[pa.Table], None]

#: Tables, which become row groups, per file of a folder. Until a file is closed its footer takes
#: 1.8 KiB of memory for every column of every row group.
TABLES_PER_FILE = 16


@contextmanager
def table_output(path: Path, schema: pa.Schema, **options: Any) -> Iterator[Write]:
    """A function that writes a table; all become visible at the end, none if there is an error.

    Parameters
    ----------
    path : a file that ends in ``.parquet``, which is replaced, or a folder, absent or empty
    schema : schema of all tables
    options : arguments of ``pyarrow.parquet.ParquetWriter``

    Examples
    --------
    >>> table = pa.table({"x": [1, 2]})
    >>> with table_output(Path("numbers"), table.schema) as write:
    ...     write(table)
    >>> pq.read_table("numbers").num_rows
    2
    """
    if path.suffix == ".parquet":
        with local_output(path) as file, pq.ParquetWriter(file, schema, **options) as writer:
            yield writer.write_table
        return
    with _local_folder(path) as folder, _TableFiles(folder, schema, options) as files:
        yield files.write


@contextmanager
def _local_folder(path: Path) -> Iterator[Path]:
    """A folder that gets its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name[:180]}.{uuid.uuid4().hex[:12]}")
    hidden.mkdir()
    try:
        yield hidden
        hidden.replace(path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


class _TableFiles(ExitStack):
    """Files of a folder, one open at a time."""

    def __init__(self, folder: Path, schema: pa.Schema, options: dict[str, Any]) -> None:
        super().__init__()
        self._folder, self._schema, self._options = folder, schema, options
        self._tables = 0
        self._writer = self._open()

    def write(self, table: pa.Table) -> None:
        """Write a table; a new file starts after every :data:`TABLES_PER_FILE` tables."""
        if self._tables and self._tables % TABLES_PER_FILE == 0:
            self.close()
            self._writer = self._open()
        self._writer.write_table(table)
        self._tables += 1

    def _open(self) -> pq.ParquetWriter:
        path = self._folder / f"part-{self._tables // TABLES_PER_FILE:05d}.parquet"
        file = self.enter_context(local_output(path))
        return self.enter_context(pq.ParquetWriter(file, self._schema, **self._options))
