"""Write all parts to one Parquet or CSV file, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tidemill.errors import SinkError
from tidemill.model.ids import id_fields
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.tables import read_parquet

__all__ = ["write_file"]

_GROUP_BYTES = 64 * 2**20  # small parts are gathered, so that the file has few row groups


def write_file(
    layout: SinkLayout,
    key: KeyLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    check: Callable[[], None] | None = None,
) -> None:
    """Write the parts to a hidden file beside the sink, then replace the sink in one step.

    Raises
    ------
    SinkError
        If CSV cannot hold the ids.
    """
    ordered = [m for m in sorted(markers, key=lambda marker: marker.index) if m.rows]
    with layout.home.open_output(layout.name) as file:
        write = _write_csv if layout.format == "csv" else _write_parquet
        write(file, schema, _tables(key, ordered, schema))
        if check is not None:
            check()


def _tables(key: KeyLayout, markers: Iterable[Marker], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of the parts, in tables of about 64 MiB."""
    held: list[pa.Table] = []
    for marker in markers:
        held.append(read_parquet(key.data, marker.path).cast(schema))
        if sum(table.nbytes for table in held) >= _GROUP_BYTES:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _write_parquet(file: object, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
    ids = [field.name for field in id_fields(schema)]
    options = {"use_dictionary": False, "write_statistics": ids, "write_page_checksum": True}
    with pq.ParquetWriter(file, schema, compression="snappy", **options) as writer:
        for table in tables:
            writer.write_table(table)


def _write_csv(file: object, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
    if pa.types.is_binary(schema[0].type):
        raise SinkError(f"CSV cannot hold ids of type {schema[0].type}; choose a .parquet sink")
    with pacsv.CSVWriter(file, schema) as writer:
        for table in tables:
            writer.write_table(table)
