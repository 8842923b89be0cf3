"""Read a published feature matrix back as a pandas frame."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
from deltalake import DeltaTable

from tidemill.errors import SinkError
from tidemill.model.ids import id_fields, mark_ids
from tidemill.model.interval import start_of_name
from tidemill.storage.delta import INTERVAL, interval_files, open_table, table_files
from tidemill.storage.interval_choice import IntervalChoice, choose_intervals, zone_of_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.sealed import unseal
from tidemill.storage.tables import (
    aligned,
    damaged_file,
    open_whole,
    read_each,
    read_parquet,
    read_parquets,
)

__all__ = ["nothing_published", "read_file", "read_matrix", "read_rows", "recorded_id_types"]


def read_matrix(
    sink: str | os.PathLike[str],
    interval: IntervalChoice | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read what is published at a sink.

    Parameters
    ----------
    sink
        Path or URL of a Delta table, a ``.parquet`` or a ``.csv`` file.
    interval
        Only the rows of this interval, where the table is divided into intervals: the date or
        time at which it starts (``"2026-11-27"``, ``"2026-11-27 06:00"``, a date, a datetime), or
        its name (``"20261126T230000Z"``). A slice of two of them stands for all intervals that
        start in that half-open span; either end may be None. Dates, and times without a zone, are
        those of the table's time zone.
    storage_options
        Option to *name* of the environment variable that holds its value.

    Returns
    -------
    pandas.DataFrame
        Features as float64 columns; the id as index, ascending, its type preserved. A table with
        intervals, read as a whole or in a span, has the index (interval, id), where an interval is
        its start in the table's time zone. Each of several id columns is a level of the index.
        Columns that were added later are NaN in older intervals. Columns stand in the order of the
        newest interval that is read; those that it lacks come last.

    Raises
    ------
    SinkError
        If nothing is published there, or not this interval.
    DamagedFileError
        If a file is not what was written: the pages of Parquet files have checksums.
    ArgumentError
        If `interval` is neither a date, a time, a name nor a slice of them.

    Examples
    --------
    >>> read_matrix("nowhere")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.SinkError: nothing is published at .../nowhere; run tidemill extract first...
    """
    layout = SinkLayout.of(sink, storage_options)
    table = _read_table(layout, interval) if layout.kind == "delta" else read_file(layout)
    id_names = [field.name for field in id_fields(table.schema)]
    has_intervals = layout.kind == "delta" and table.schema.names[-1] == INTERVAL
    frame: pd.DataFrame = table.to_pandas()
    if has_intervals and (interval is None or isinstance(interval, slice)):
        frame = frame.set_index([INTERVAL, *id_names])
    elif len(id_names) > 1:
        frame = frame.set_index(id_names)
        frame = frame.drop(columns=INTERVAL) if has_intervals else frame
    else:
        # set_index would turn consecutive integers into a RangeIndex and lose their type.
        frame.index = pd.Index(frame.pop(id_names[0]))
        frame = frame.drop(columns=INTERVAL) if has_intervals else frame
    return frame if frame.index.is_monotonic_increasing else frame.sort_index()


def _read_table(layout: SinkLayout, interval: IntervalChoice | None) -> pa.Table:
    table = open_table(layout)
    if table is None:
        raise nothing_published(layout)
    schema = pa.schema(table.schema().to_arrow())
    if INTERVAL not in table.metadata().partition_columns:
        if interval is not None:
            raise _undivided(layout)
        return read_parquets(layout.home, list(table_files(table)), schema)
    zone, files = zone_of_table(layout), interval_files(table)
    names = sorted(files)
    if interval is not None:
        names = choose_intervals(layout, names, interval, zone)
    wanted = [(path, name) for name in names for path in files[name]]
    found = read_each(layout.home, [path for path, _ in wanted])
    schema = _with_starts(schema, zone)
    if found:
        schema = _ordered(schema, found[-1].schema.names)
    read = zip((name for _, name in wanted), found, strict=True)
    alike = (list(some) for _, some in groupby(read, lambda one: one[1].schema))
    return pa.concat_tables([schema.empty_table(), *(_with_starts_of(x, schema) for x in alike)])


def _with_starts(schema: pa.Schema, zone: str) -> pa.Schema:
    """The schema with intervals as times, last; Delta holds their names."""
    place = schema.get_field_index(INTERVAL)
    return schema.remove(place).append(pa.field(INTERVAL, pa.timestamp("us", zone)))


def _ordered(schema: pa.Schema, names: list[str]) -> pa.Schema:
    """The fields with these names, in their order, then the others."""
    first = set(names)
    return pa.schema([*map(schema.field, names), *(f for f in schema if f.name not in first)])


def _read_files(layout: SinkLayout, table: DeltaTable, interval: str) -> pa.Table:
    """The rows of one interval, with the columns of its own settings."""
    return pa.concat_tables(read_each(layout.home, list(table_files(table, interval))))


def read_rows(layout: SinkLayout, interval: str) -> pd.DataFrame:
    """The rows of an interval by id, with the columns of the settings they were calculated with.

    Raises
    ------
    SinkError
        If the interval is not published.
    """
    table = open_table(layout)
    if table is None:
        raise nothing_published(layout)
    if INTERVAL not in table.metadata().partition_columns:
        raise _undivided(layout)
    if not table_files(table, interval):
        raise SinkError(f"interval {interval} is not published at {layout.url}")
    found = _read_files(layout, table, interval)
    frame: pd.DataFrame = found.to_pandas().set_index([one.name for one in id_fields(found.schema)])
    return frame


def _undivided(layout: SinkLayout) -> SinkError:
    return SinkError(f"{layout.url} is not divided into intervals; read it without interval")


def _with_starts_of(read: Sequence[tuple[str, pa.Table]], schema: pa.Schema) -> pa.Table:
    """Rows of files with the same columns, with all columns of the table and their intervals.

    Of thousands of files at once: each column of each by itself would take longer than to read it.
    """
    starts = np.array([(start_of_name(name) or 0) // 1_000 for name, _ in read], np.int64)
    times = pa.array(np.repeat(starts, [len(rows) for _, rows in read]))
    rows = pa.concat_tables(table for _, table in read)
    return aligned(rows.append_column(INTERVAL, times.cast(schema.field(INTERVAL).type)), schema)


def read_file(layout: SinkLayout) -> pa.Table:
    """The rows of a sink that is one file."""
    try:
        if layout.format == "parquet":
            return read_parquet(layout.home, layout.name)
        with open_whole(layout.home, layout.name) as file:
            return _read_csv(layout, file)
    except FileNotFoundError:
        raise nothing_published(layout) from None
    except pa.ArrowInvalid as error:
        raise damaged_file(layout.url, error) from error


def _read_csv(layout: SinkLayout, file: pa.NativeFile) -> pa.Table:
    """A CSV file as a table: features are float64, types of ids are recorded beside the file."""
    convert = pacsv.ConvertOptions(strings_can_be_null=False)
    with open_whole(layout.home, layout.name) as again:
        names = pacsv.open_csv(again).schema.names
    types = recorded_id_types(layout)
    convert.column_types = {
        **{name: pa.float64() for name in names[max(len(types), 1) :]},
        **dict(zip(names, types, strict=False)),
    }
    table = pacsv.read_csv(file, convert_options=convert)
    if len(types) <= 1:
        return table
    fields = list(table.schema)
    return table.cast(pa.schema([*mark_ids(fields[: len(types)]), *fields[len(types) :]]))


def recorded_id_types(layout: SinkLayout) -> list[pa.DataType]:
    """The types of the id columns; empty if they are not recorded."""
    try:
        found: str | list[str] = unseal(layout.state.read(layout.published))["id_type"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError) as error:
        raise SinkError(
            f"{layout.state.url_of(layout.published)} is damaged, which holds the types of the ids "
            f"in {layout.url}: run tidemill extract again with the same arguments"
        ) from error
    utc = pa.timestamp("us", "UTC")
    texts = [found] if isinstance(found, str) else found
    return [utc if text == str(utc) else pa.type_for_alias(text) for text in texts]


def nothing_published(layout: SinkLayout) -> SinkError:
    """The error of a reader that finds nothing."""
    started = layout.state.exists(layout.published) or bool(layout.state.folder()[1])
    more = "; a run has started there but has not finished" if started else ""
    return SinkError(
        f"nothing is published at {layout.url}; run tidemill extract first, or check the path{more}"
    )
