"""Keep tables in order: drop intervals that are too old, and remove what nobody needs any more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.errors import SinkBusyError, SinkError, TidemillError, printable
from tidemill.execution.clean import Cleaned, clean, is_there, parse_keep
from tidemill.model.counts import counted
from tidemill.model.durations import parse_duration
from tidemill.model.logs import engine_log
from tidemill.model.verdict import Verdict
from tidemill.planning.doors import check_number
from tidemill.recurring.drop_intervals import Dropped, drop_intervals
from tidemill.storage.intervals import latest_interval
from tidemill.storage.layout import SinkLayout

__all__ = ["KeptTable", "Retention", "check_retention", "keep_in_order"]

log = engine_log(__name__)


@dataclass(frozen=True, slots=True)
class KeptTable:
    """What was done for one table."""

    sink: str  # as given
    dropped: Dropped | None = None  # None: that was not asked for, or it has no intervals
    cleaned: Cleaned | None = None
    warnings: tuple[str, ...] = ()  # what has to wait for the next time
    error: str = ""  # why the rest was not done

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        cleaned = self.cleaned.to_json() if self.cleaned else None
        return {**asdict(self), "cleaned": cleaned, "warnings": list(self.warnings)}


@dataclass(slots=True)
class Retention:
    """What was done for all tables."""

    tables: list[KeptTable] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """In one line."""
        removed = [one.cleaned.total for one in self.tables if one.cleaned]
        files = sum(one.files for one in removed)
        size = sum(one.bytes for one in removed) / 1e6
        dropped = sum(one.dropped.intervals for one in self.tables if one.dropped)
        number = counted(len(self.tables), "table")
        done = f"{number}: removed {counted(files, 'file')}, {size:,.1f} MB"
        done += f", dropped {counted(dropped, 'interval')}" if dropped else ""
        return Verdict(
            "Completed", done, tuple(text for one in self.tables for text in one.warnings)
        )

    def check(self) -> None:
        """Raise if a table could not be kept in order.

        Raises
        ------
        SinkError
            It names the first one.
        """
        failed = [one for one in self.tables if one.error]
        if failed:
            first = failed[0]
            raise SinkError(
                f"{len(failed)} of {counted(len(self.tables), 'table')} could not be kept in "
                f"order, first {first.sink}: {first.error}. The others are done"
            )


def check_retention(given: Mapping[str, Any]) -> None:
    """Check the parameters of the flow `retention`.

    Raises
    ------
    ArgumentError
        If a duration or the address of a table cannot be used.
    """
    parse_keep(given["keep"])
    if given["drop_after"] is not None:
        parse_duration("drop_after", given["drop_after"])
    check_number("wait_for_sink", given["wait_for_sink"])
    for table in tables_of(given):
        SinkLayout.of(table, given["storage_options"])


def tables_of(given: Mapping[str, Any]) -> Sequence[str]:
    """The tables, as a list."""
    tables = given["tables"]
    return [os.fspath(tables)] if isinstance(tables, str | os.PathLike) else list(tables)


def keep_in_order(given: Mapping[str, Any], now: datetime | None = None) -> Iterator[KeptTable]:
    """Drop old intervals of tables, and clean them; one that fails does not keep the others.

    Parameters
    ----------
    given : all parameters of the flow `retention`, checked
    now : from when ages count
    """
    for table in tables_of(given):
        done = KeptTable(table)
        try:
            for done in _steps(table, given, now or datetime.now(UTC)):  # noqa: B007
                pass
        except (TidemillError, OSError) as error:
            told = f"{type(error).__name__}: {printable(error)}"
            log.warning("%s could not be kept in order: %s", table, told)
            done = replace(done, error=told)
        yield done


def _steps(table: str, given: Mapping[str, Any], now: datetime) -> Iterator[KeptTable]:
    """What is done for a table, after each step."""
    layout, done = SinkLayout.of(table, given["storage_options"]), KeptTable(table)
    if not is_there(layout):
        yield replace(done, warnings=(f"{layout.url}: nothing was published there yet",))
        return
    if given["drop_after"] is not None and layout.kind == "delta" and latest_interval(layout):
        done = _with_dropped(done, layout, given, now)
        yield done
    cleaned = clean(layout, given["keep"], work_dir=given["work_dir"])
    yield replace(done, cleaned=cleaned, warnings=(*done.warnings, *cleaned.left))


def _with_dropped(
    done: KeptTable, layout: SinkLayout, given: Mapping[str, Any], now: datetime
) -> KeptTable:
    age = timedelta(microseconds=parse_duration("drop_after", given["drop_after"]) // 1_000)
    wait = given["wait_for_sink"]
    try:
        found = drop_intervals(layout, now - age, spare_newest=True, wait_for_sink=wait)
    except SinkBusyError as error:
        return replace(done, warnings=(f"no interval was dropped: {error}",))
    return replace(done, dropped=found)
