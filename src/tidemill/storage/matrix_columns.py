"""Read a published matrix some columns at a time, for matrices that do not fit into memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.types as pt
from deltalake import DeltaTable

from tidemill.errors import ArgumentError, DamagedFileError, SinkError, shorten
from tidemill.model.aliases import Floats, Index
from tidemill.model.ids import id_fields, mark_ids
from tidemill.model.interval import start_of_name
from tidemill.storage.delta import INTERVAL, interval_files, open_table, table_files
from tidemill.storage.interval_choice import IntervalChoice, choose_intervals, zone_of_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.read_matrix import nothing_published, recorded_id_types
from tidemill.storage.tables import damaged_file, is_of_system, open_parquet

__all__ = ["MatrixColumns", "parse_intervals"]

#: Between the two ends of a span of intervals, as in ISO 8601.
_SLASH = re.compile(r"\s*/\s*")
_IN_ORDER = pacsv.ReadOptions(use_threads=False)


@dataclass(frozen=True, slots=True)
class MatrixColumns:
    """One version of a published matrix, of which columns are read when they are asked for.

    Rows stand as the files hold them, interval by interval.
    """

    layout: SinkLayout
    ids: pa.Table  # the id columns of all rows
    names: tuple[str, ...]  # of the features, in the order of read_matrix
    intervals: tuple[str, ...]  # names of those that are read; empty: the table has none
    files: tuple[tuple[str, str], ...]  # path and interval
    lengths: tuple[int, ...]  # rows of each file
    version: str = ""  # of a single file, as its storage names it

    @classmethod
    def open(cls, layout: SinkLayout, interval: IntervalChoice | None = None) -> Self:
        """Look at what is published, and read its ids.

        Parameters
        ----------
        layout : the sink
        interval : as in :func:`~tidemill.storage.read_matrix.read_matrix`; None: all

        Raises
        ------
        SinkError
            If nothing is published there, or not this interval.
        ArgumentError
            If `interval` is neither a date, a time, a name nor a slice of them, or a column
            beside the ids holds no numbers.
        """
        if layout.kind == "file":
            return cls._of_file(layout, interval)
        table = open_table(layout)
        if table is None:
            raise nothing_published(layout)
        files = _files(layout, table, interval)
        schema = pa.schema(table.schema().to_arrow())
        ids = id_fields(schema)
        own = {one.name for one in ids} | {INTERVAL}
        _check_numbers(layout, schema, own)
        names = [name for name in schema.names if name not in own]
        if files:
            names = _first(_schema_of(layout, files[-1][0]).names, names)
        found = [_ids_of(layout, path, ids) for path, _ in files]
        return cls(
            layout,
            pa.concat_tables([pa.schema(ids).empty_table(), *found]),
            tuple(names),
            tuple(dict.fromkeys(name for _, name in files if name)),
            tuple(files),
            tuple(map(len, found)),
        )

    @classmethod
    def _of_file(cls, layout: SinkLayout, interval: IntervalChoice | None) -> Self:
        if interval is not None:
            raise ArgumentError(
                f"interval={interval!r} is not allowed: {layout.url} is one file, without intervals"
            )
        try:
            version = layout.home.info(layout.name).version
        except FileNotFoundError:
            raise nothing_published(layout) from None
        schema = _schema_of(layout, layout.name)
        fields = id_fields(schema)
        own = {one.name for one in fields}
        _check_numbers(layout, schema, own)
        names = tuple(name for name in schema.names if name not in own)
        ids = _ids_of(layout, layout.name, fields)
        return cls(layout, ids, names, (), ((layout.name, ""),), (len(ids),), version)

    def __len__(self) -> int:
        return sum(self.lengths)

    def row_intervals(self) -> list[str]:
        """The interval of each row."""
        pairs = zip(self.files, self.lengths, strict=True)
        return [name for (_, name), length in pairs for _ in range(length)]

    def of_interval(self, name: str) -> tuple[int, Self]:
        """The place of the first row of an interval, and the columns of its rows alone."""
        places = [place for place, (_, one) in enumerate(self.files) if one == name]
        own = slice(places[0], places[-1] + 1)
        first, lengths = sum(self.lengths[: own.start]), self.lengths[own]
        return first, replace(
            self,
            ids=self.ids.slice(first, sum(lengths)),
            intervals=(name,),
            files=self.files[own],
            lengths=lengths,
        )

    def frame(self, names: Sequence[str]) -> pd.DataFrame:
        """Some columns of all rows, with the index that read_matrix gives."""
        values = self.read(names, np.arange(len(self)))
        ids = self.ids.to_pandas()
        levels: list[pd.Index[Any]] = [pd.Index(ids[name]) for name in ids]
        if self.intervals:
            zone = zone_of_table(self.layout)
            moments = [(start_of_name(name) or 0) // 1_000 for name in self.row_intervals()]
            starts = pa.array(moments, pa.timestamp("us", zone)).to_pandas()
            levels.insert(0, pd.Index(starts, name=INTERVAL))
        index = pd.MultiIndex.from_arrays(levels) if len(levels) > 1 else levels[0]
        found = pd.DataFrame(values.T, index=index, columns=list(names), copy=False)
        return found if index.is_monotonic_increasing else found.sort_index()

    def read(self, names: Sequence[str], rows: Index) -> Floats:
        """Some columns of some rows.

        Memory is that of the result, and of these columns in one row group.

        Parameters
        ----------
        names : of features
        rows : places in :attr:`ids`, in the wanted order

        Returns
        -------
        numpy.ndarray
            float64[names, rows]; NaN where a file holds no value or lacks the column.

        Raises
        ------
        DamagedFileError
            If a file is not what was written.
        SinkError
            If the file was replaced since it was opened.
        """
        places = np.full(len(self), -1, np.int64)
        places[rows] = np.arange(len(rows))
        found = np.full((len(names), len(rows)), np.nan)
        for first, batch in self._pieces(names):
            wanted = places[first : first + len(batch)]
            taken = np.flatnonzero(wanted >= 0)
            to = wanted[taken]
            for column, name in enumerate(names):
                if (place := batch.schema.get_field_index(name)) >= 0:
                    values = batch.column(place).to_numpy(zero_copy_only=False)
                    found[column, to] = values[taken]
        return found

    def _pieces(self, names: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Batches of rows with those of the columns that the files have, and their first rows."""
        first = 0
        for (path, _), length in zip(self.files, self.lengths, strict=True):
            start = first
            for batch in _batches(self.layout, path, names):
                yield first, batch
                first += len(batch)
            if self.version:
                self._check_version()
            if first - start != length:
                raise damaged_file(
                    self.layout.home.url_of(path),
                    DamagedFileError(f"{first - start:,} rows where there were {length:,}"),
                )

    def _check_version(self) -> None:
        if self.layout.home.info(self.layout.name).version != self.version:
            raise SinkError(f"{self.layout.url} was replaced while it was read; run again")


def parse_intervals(text: str | None) -> IntervalChoice | None:
    """The intervals that a text names: one, a half-open span with a slash, or all.

    Raises
    ------
    ArgumentError
        If it names none.

    Examples
    --------
    >>> parse_intervals("2026-11-27"), parse_intervals("2026-11-01/2026-12-01")
    ('2026-11-27', slice('2026-11-01', '2026-12-01', None))
    >>> parse_intervals("2026-11-01/"), parse_intervals(None)
    (slice('2026-11-01', None, None), None)
    """
    if text is None:
        return None
    start, slash, end = _SLASH.sub("/", text.strip()).partition("/")
    ends = [one for one in (start, end) if one]
    if not ends or not all(map(_is_moment, ends)):
        raise ArgumentError(
            f"interval={text!r} is not allowed; give a date or time such as 2026-11-01, an "
            "interval's name, or a span such as 2026-11-01/2026-12-01"
        )
    return slice(start or None, end or None) if slash else start


def _is_moment(text: str) -> bool:
    try:
        return start_of_name(text) is not None or bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _check_numbers(layout: SinkLayout, schema: pa.Schema, own: Collection[str]) -> None:
    """Refuse features that are no numbers, of a file or table that something else wrote."""
    types = ((one.name, one.type) for one in schema if one.name not in own)
    refused = [f"{name!r} ({type_})" for name, type_ in types if not _is_number(type_)]
    if refused:
        raise ArgumentError(
            f"{layout.url} has columns that are no numbers: {shorten(refused)}; drop them, or "
            "encode them as numbers"
        )


def _is_number(type_: pa.DataType) -> bool:
    values = type_.value_type if pt.is_dictionary(type_) else type_
    of_numbers = (pt.is_integer, pt.is_floating, pt.is_boolean, pt.is_decimal, pt.is_null)
    return any(one(values) for one in of_numbers)


def _files(
    layout: SinkLayout, table: DeltaTable, interval: IntervalChoice | None
) -> list[tuple[str, str]]:
    """Path and interval of the files to read, oldest interval first."""
    if INTERVAL not in table.metadata().partition_columns:
        if interval is not None:
            raise SinkError(f"{layout.url} is not divided into intervals; leave interval out")
        return [(path, "") for path in sorted(table_files(table))]
    files = interval_files(table)
    names = sorted(files)
    if interval is not None:
        names = choose_intervals(layout, names, interval, zone_of_table(layout))
    return [(path, name) for name in names for path in sorted(files[name])]


def _first(preferred: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names in the order of the preferred ones, then the others."""
    known, leading = set(names), set(preferred)
    return [*(x for x in preferred if x in known), *(x for x in names if x not in leading)]


def _ids_of(layout: SinkLayout, path: str, fields: Sequence[pa.Field]) -> pa.Table:
    names = [one.name for one in fields]
    schema = pa.schema(list(fields))
    found = (pa.Table.from_batches([one]) for one in _batches(layout, path, names))
    return pa.concat_tables(
        [schema.empty_table(), *(one.select(names).cast(schema) for one in found)]
    )


def _schema_of(layout: SinkLayout, path: str) -> pa.Schema:
    """The columns of one file."""
    if layout.format != "csv":
        with layout.home.open_input(path) as source, open_parquet(source) as file:
            return file.schema_arrow
    with layout.home.open_input(path) as source, pacsv.open_csv(source, _IN_ORDER) as batches:
        found = batches.schema
    types = recorded_id_types(layout)
    ids = [found.field(place) for place in range(max(len(types), 1))]
    ids = [one.with_type(type_) for one, type_ in zip(ids, types or [ids[0].type], strict=True)]
    names = found.names[len(ids) :]
    return pa.schema([*mark_ids(ids), *(pa.field(name, pa.float64()) for name in names)])


def _batches(layout: SinkLayout, path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Those of the columns that a file has, some rows at a time."""
    read = _csv_batches if layout.format == "csv" else _parquet_batches
    try:
        yield from read(layout, path, names)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, MemoryError) or is_of_system(error):
            raise
        raise damaged_file(layout.home.url_of(path), error) from error


def _parquet_batches(
    layout: SinkLayout, path: str, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    with layout.home.open_input(path) as source, open_parquet(source) as file:
        has = set(file.schema_arrow.names)
        wanted = [name for name in names if name in has]
        yield from file.iter_batches(columns=wanted, use_threads=False)


def _csv_batches(layout: SinkLayout, path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The columns of a CSV file, block by block; all of it is parsed each time."""
    types = {one.name: one.type for one in _schema_of(layout, path)}
    convert = pacsv.ConvertOptions(
        strings_can_be_null=False,
        include_columns=list(names),
        column_types={name: types[name] for name in names},
    )
    with (
        layout.home.open_input(path) as file,
        pacsv.open_csv(file, _IN_ORDER, convert_options=convert) as batches,
    ):
        yield from batches
