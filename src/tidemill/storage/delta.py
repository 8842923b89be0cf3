"""Commit part files that lie in a table's folder, in one transaction and without copying."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from tidemill.errors import SinkError, shorten
from tidemill.model.ids import decode, id_fields
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.transient import is_transient, translated

__all__ = [
    "DESCRIPTION",
    "INTERVAL",
    "Commit",
    "commit_error",
    "commit_files",
    "delta_url",
    "file_bounds",
    "files_by_interval",
    "interval_files",
    "open_table",
    "table_files",
]

#: The description of every table that tidemill creates; tables are recognised by it.
DESCRIPTION = "Feature matrix written by tidemill"
#: Partition column of tables whose parts belong to intervals.
INTERVAL = "interval"

#: What deltalake decodes in the path of a folder, although it does not encode it.
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_URL_ENDS = re.compile("%[0-9A-Fa-f]{2}|[?#]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Commit:
    """The version of a sink that shows the files."""

    version: int | str  # of a table; of a file, as its storage names it
    is_new: bool  # False: the sink showed them already


def delta_url(layout: SinkLayout) -> str:
    """The address of a table for deltalake.

    Raises
    ------
    SinkError
        If deltalake looks for such a table in another place than it writes it to.

    Examples
    --------
    >>> delta_url(SinkLayout.of("s3://bucket/a"))
    's3://bucket/a'
    >>> delta_url(SinkLayout.of("/data/a%20b"))
    Traceback (most recent call last):
    tidemill.errors.SinkError: the sink '/data/a%20b' has '%20' in its path, which readers of Delta
    tables take for another character; rename the folder, or give a sink that ends in .parquet or
    .csv
    """
    local = layout.home.local_path() is not None
    if found := (_ESCAPE if local else _URL_ENDS).search(layout.url):
        ends = found.group() in {"?", "#"}
        why = "take for the end of the path" if ends else "take for another character"
        raise SinkError(
            f"the sink {layout.url!r} has {found.group()!r} in its path, which readers of Delta "
            f"tables {why}; rename the folder, or give a sink that ends in .parquet or .csv"
        )
    return layout.url


def open_table(layout: SinkLayout) -> DeltaTable | None:
    """The table in the sink's folder; None if there is none.

    Raises
    ------
    SinkError
        If the table's log is damaged.
    """
    if layout.home.is_local and not layout.home.holds_any("_delta_log"):
        return None
    try:
        with translated(layout.url):
            return DeltaTable(delta_url(layout), storage_options=layout.home.delta_options())
    except TableNotFoundError:
        return None
    except DeltaError as error:
        if is_transient(error):
            raise
        raise _damaged_log(layout, error) from error


def _damaged_log(layout: SinkLayout, error: DeltaError) -> SinkError:
    told = str(error).splitlines()[0][:160]
    return SinkError(
        f"the log of the table {layout.url} cannot be read ({told}): a file in its _delta_log was "
        "lost, cut short or edited. Restore _delta_log from a backup; or, if only its last file is "
        "damaged, delete that one, and the next run publishes again what is missing; or move the "
        "table away and calculate it again with tidemill extract or backfill"
    )


def files_by_interval(layout: SinkLayout) -> dict[str, dict[str, int]]:
    """Interval to path to size of the files that a table shows, by one look; empty: no table.

    A thousand intervals of a file each take 50 ms on a local disk, on a busy machine.
    """
    table = open_table(layout)
    return {} if table is None else interval_files(table)


def interval_files(table: DeltaTable) -> dict[str, dict[str, int]]:
    """As :func:`files_by_interval`, of a version of the table; empty: it has no intervals."""
    if INTERVAL not in table.metadata().partition_columns:
        return {}
    actions = pa.table(table.get_add_actions(flatten=True))
    columns = ("path", "size_bytes", f"partition.{INTERVAL}")
    found: dict[str, dict[str, int]] = {}
    for path, size, interval in zip(*(actions[one].to_pylist() for one in columns), strict=True):
        found.setdefault(interval, {})[path] = size
    return found


def table_files(table: DeltaTable, interval: str | None = None) -> dict[str, int]:
    """Path to size of the files in the table's current version, or of one interval's files."""
    actions = pa.table(table.get_add_actions(flatten=True))
    found = dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))
    if interval is None:
        return found
    intervals = actions[f"partition.{INTERVAL}"].to_pylist()
    pairs = zip(found, intervals, strict=True)
    return {path: found[path] for path, one in pairs if one == interval}


def file_bounds(
    table: DeltaTable, interval: str
) -> dict[str, tuple[pa.Scalar | None, pa.Scalar | None]]:
    """Path to the first and last id of an interval's files; None where they are unknown."""
    actions = pa.table(table.get_add_actions(flatten=True))
    unknown = [None] * len(actions)
    name = table.schema().fields[0].name
    lower, upper = (
        actions[one] if one in actions.schema.names else unknown
        for one in (f"min.{name}", f"max.{name}")
    )
    intervals = actions[f"partition.{INTERVAL}"].to_pylist()
    files = zip(actions["path"].to_pylist(), intervals, lower, upper, strict=True)
    return {path: (low, high) for path, one, low, high in files if one == interval}


def commit_files(
    layout: SinkLayout,
    markers: Iterable[Marker],
    schema: pa.Schema,
    properties: Mapping[str, str],
    *,
    interval: str | None = None,
    check: Callable[[], None] | None = None,
) -> Commit:
    """Make the table show exactly these parts; in a partitioned table, as one interval.

    Parameters
    ----------
    layout
        The sink.
    markers
        Its parts; those without rows are left out.
    schema
        Id first, then the features, as the files hold them.
    properties
        Written into the commit, for people and for the table's history.
    interval
        Replace this interval only. Columns that the table has and the files lack stay: after the
        id and before new columns.
    check
        Called right before the commit; an error that it raises prevents the commit.

    Raises
    ------
    SinkError
        If another process committed in between, or the table cannot take these columns.
    """
    found = [marker for marker in markers if marker.rows]
    wanted = {marker.path: marker.bytes for marker in found}
    table = open_table(layout)
    if table is not None and interval is not None:
        schema = _widened(table, schema, interval)
    if table is not None and _shows(table, wanted, schema, interval):
        return Commit(table.version(), is_new=False)
    transaction = _Transaction(layout, _delta_schema(schema, interval), interval, properties)
    ids = id_fields(schema)
    actions = {m.path: _add_action(m, ids, interval) for m in found}
    if check is not None:
        check()
    try:
        with translated(layout.url):
            if table is None:
                transaction.create(actions)
            else:
                transaction.replace(table, actions)
    except (CommitFailedError, DeltaError, OSError) as error:
        now = open_table(layout)
        if now is not None and _shows(now, wanted, schema, interval):
            return Commit(now.version(), is_new=True)  # it succeeded, only the answer was lost
        if isinstance(error, OSError):
            raise
        kept = ": finished parts are kept and published at once"
        raise commit_error(layout, error, kept) from error
    version = 0 if table is None else table.version() + 1
    layout.home.sync(f"_delta_log/{version:020d}.json")
    return Commit(version, is_new=True)


def commit_error(layout: SinkLayout, error: Exception, after: str = "") -> Exception:
    """What to raise for a commit that failed: the table is as it was.

    Parameters
    ----------
    layout : of the table
    error : of the commit
    after : what running again does, to end the sentence
    """
    if is_transient(error):
        return ConnectionError(str(error))
    return SinkError(
        f"the table {layout.url} was not changed: {str(error).splitlines()[0]} If another "
        f"process wrote it meanwhile, run again{after}"
    )


@dataclass(frozen=True, slots=True)
class _Transaction:
    """One transaction on one table."""

    layout: SinkLayout
    schema: Schema
    interval: str | None
    properties: Mapping[str, str]

    def create(self, actions: Mapping[str, AddAction], mode: Any = "error") -> None:
        """Create the table with its files in the first version."""
        create_table_with_add_actions(
            delta_url(self.layout),
            self.schema,
            list(actions.values()),
            mode=mode,
            partition_by=self._partition_by,
            description=DESCRIPTION,
            storage_options=self.layout.home.delta_options(),
            commit_properties=self._commit,
        )

    def replace(self, table: DeltaTable, actions: Mapping[str, AddAction]) -> None:
        """Replace all files, or those of the interval."""
        current = table_files(table, self.interval)
        if _types_of_ids(table.schema()) != _types_of_ids(self.schema) and self.interval is None:
            # Another id type may need other protocol features, which only a new table declares.
            self.create(actions, mode="overwrite")
        elif current.keys() & actions.keys():
            self._exchange(table, current, actions)
        else:
            self._overwrite(table, actions)

    def _overwrite(self, table: DeltaTable, actions: Mapping[str, AddAction]) -> None:
        """Replace every file; the columns may change in the same commit."""
        table.create_write_transaction(
            list(actions.values()),
            mode="overwrite",
            schema=self.schema,
            partition_by=self._partition_by,
            partition_filters=[(INTERVAL, "=", self.interval)] if self.interval else None,
            commit_properties=self._commit,
        )

    def _exchange(
        self, table: DeltaTable, current: Mapping[str, int], actions: Mapping[str, AddAction]
    ) -> None:
        """Commit only the difference: no path may be added and removed in one commit."""
        now = _milliseconds()
        removed = [
            RemoveAction(
                path=path,
                data_change=True,
                deletion_timestamp=now,
                size=size,
                partition_values=_partition(self.interval),
            )
            for path, size in current.items()
            if path not in actions
        ]
        added = [action for path, action in actions.items() if path not in current]
        table.create_write_transaction(
            [*added, *removed],
            mode="append",
            schema=self.schema,
            partition_by=self._partition_by,
            commit_properties=self._commit,
        )

    @property
    def _partition_by(self) -> list[str]:
        return [INTERVAL] if self.interval else []

    @property
    def _commit(self) -> CommitProperties:
        # No retries: with them, two writers on an empty table would both succeed.
        metadata = {f"tidemill.{name}": value for name, value in self.properties.items()}
        return CommitProperties(custom_metadata=metadata, max_commit_retries=0)


def check_table(table: DeltaTable, url: str, *, intervals: bool) -> None:
    """Refuse a table that tidemill did not make, or that has intervals where none are wanted.

    Raises
    ------
    SinkError
        The message names its columns and the remedy.
    """
    if table.metadata().description != DESCRIPTION:
        names = shorten(field.name for field in table.schema().fields)
        raise SinkError(
            f"the sink {url} holds a Delta table that tidemill did not make (columns {names}); "
            "choose another sink, or move that table away"
        )
    if (INTERVAL in table.metadata().partition_columns) != intervals and table_files(table):
        found = "intervals: it was made by tidemill extract-interval or backfill"
        if intervals:
            found = "no intervals: it was made by tidemill extract"
        raise SinkError(
            f"the table {url} has {found}; choose another sink, or move that table away"
        )


def _shows(
    table: DeltaTable, wanted: Mapping[str, int], schema: pa.Schema, interval: str | None
) -> bool:
    names = [field.name for field in table.schema().fields]
    expected = [*schema.names, *([INTERVAL] if interval else [])]
    return names == expected and table_files(table, interval) == wanted


def _widened(table: DeltaTable, schema: pa.Schema, interval: str) -> pa.Schema:
    """The table's columns, which other intervals need, then the new ones."""
    fields = [pa.field(one) for one in pa.schema(table.schema().to_arrow()) if one.name != INTERVAL]
    ids, before = id_fields(schema), id_fields(pa.schema(fields))
    names, former = ([one.name for one in some] for some in (ids, before))
    if names != former:
        raise SinkError(
            f"the table has the id columns {shorten(former)}, not {shorten(names)}; give "
            "the previous column_id, or another sink"
        )
    types, kinds = ([str(one.type) for one in some] for some in (before, ids))
    if types != kinds and any(one[INTERVAL] != interval for one in table.partitions()):
        raise SinkError(
            f"the ids of interval {interval} are {shorten(kinds)}, but those of the table's other "
            f"intervals are {shorten(types)}: no reader could read both. Cast the input's ids to "
            "the previous type, or give another sink"
        )
    known = {one.name for one in fields}
    gained = (one for one in schema if one.name not in known)
    return pa.schema([*ids, *fields[len(ids) :], *gained])


def _delta_schema(schema: pa.Schema, interval: str | None) -> Schema:
    plain = schema.remove_metadata()
    if interval is not None:
        plain = plain.append(pa.field(INTERVAL, pa.string()))
    return Schema.from_arrow(plain)


def _types_of_ids(schema: Schema) -> list[str]:
    return [str(field.type) for field in id_fields(pa.schema(schema.to_arrow()))]


def _add_action(marker: Marker, ids: Sequence[pa.Field], interval: str | None) -> AddAction:
    return AddAction(
        path=marker.path,
        size=marker.bytes,
        partition_values=_partition(interval),
        modification_time=_milliseconds(),
        data_change=True,
        stats=json.dumps(_statistics(marker, ids)),
    )


def _partition(interval: str | None) -> dict[str, str | None]:
    return {INTERVAL: interval} if interval else {}


def _statistics(marker: Marker, ids: Sequence[pa.Field]) -> dict[str, Any]:
    """Rows and the id's range, so that readers can skip files; features are too many for that.

    Of several id columns only the first has a known range: rows are sorted by it.
    """
    name = ids[0].name
    nulls = {field.name: 0 for field in ids}
    statistics: dict[str, Any] = {"numRecords": marker.rows, "nullCount": nulls}
    lower, upper = (
        _statistic(bound if len(ids) == 1 else _first_of(bound, ids[0].type), ids[0].type)
        for bound in (marker.lower, marker.upper)
    )
    if lower is not None and upper is not None:
        statistics |= {"minValues": {name: lower}, "maxValues": {name: upper}}
    return statistics


def _first_of(bound: str | None, kind: pa.DataType) -> Any:
    """The first value of a composite id's key, as JSON holds it."""
    if bound is None:
        return None
    (value,) = decode(pa.array([bound]), [kind])[0]
    return value.value if pa.types.is_temporal(kind) else value.as_py()


def _statistic(bound: Any, kind: pa.DataType) -> Any:
    """A bound as Delta's statistics hold it; None where they have none for this type."""
    if bound is None or pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        return None
    if pa.types.is_date(kind):
        return str((_EPOCH + timedelta(days=bound)).date())
    if pa.types.is_timestamp(kind):
        text = (_EPOCH + timedelta(microseconds=bound)).isoformat(timespec="microseconds")
        return text.replace("+00:00", "Z") if kind.tz else text.removesuffix("+00:00")
    return bound


def _milliseconds() -> int:
    return int(time.time() * 1000)
