"""Remove what nobody needs any more of a table or file: it may be called at any time.

Runs may work on the sink meanwhile. An unfinished result is removed under the lease of whoever
would go on with it; nothing else that is removed can come into use again.
"""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import ArgumentError, SinkBusyError, SinkError
from tidemill.execution.old_files import (
    OldFiles,
    SinkState,
    old_log,
    old_parts,
    old_results,
    old_spill,
    old_state,
    unfinished_files,
)
from tidemill.execution.unfinished import Unfinished, unfinished_results
from tidemill.model.durations import parse_duration
from tidemill.model.logs import engine_log
from tidemill.storage.delta import INTERVAL, check_table, open_table
from tidemill.storage.delta_log import read_log, write_checkpoint
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.publish import read_pointer
from tidemill.storage.stores import Store

__all__ = ["Cleaned", "Removed", "clean", "is_there", "parse_keep"]

log = engine_log(__name__)

#: What is kept at least: enough for clocks that differ, and for what is just being written.
LEAST_SECONDS = 3_600.0


@dataclass(slots=True)
class Removed:
    """How much of one kind was removed, or would be."""

    files: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Cleaned:
    """What was removed from a sink, or would be."""

    sink: str
    before: str  # ISO 8601, UTC: nothing that was written since then is removed
    dry_run: bool
    removed: dict[str, Removed] = field(default_factory=dict)  # by kind; only what there was
    left: list[str] = field(default_factory=list)  # sentences: what could not be removed now
    checkpoint: bool = False  # whether one was written into the table's log

    def add(self, found: OldFiles) -> None:
        """Count files."""
        if found.entries:
            one = self.removed.setdefault(found.kind, Removed())
            one.files += len(found.entries)
            one.bytes += found.bytes

    @property
    def total(self) -> Removed:
        """All kinds together."""
        found = self.removed.values()
        return Removed(sum(one.files for one in found), sum(one.bytes for one in found))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**asdict(self), "total": asdict(self.total)}


def parse_keep(value: Any) -> float:
    """Seconds to keep.

    Raises
    ------
    ArgumentError
        If it is no duration, or less than an hour.

    Examples
    --------
    >>> parse_keep("30d")
    2592000.0
    >>> parse_keep("5min")
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: keep='5min' is not allowed; give 1h or more, such as '30d'
    """
    seconds = parse_duration("keep", value) / 1e9
    if seconds < LEAST_SECONDS:
        raise ArgumentError(f"keep={value!r} is not allowed; give 1h or more, such as '30d'")
    return seconds


def clean(
    layout: SinkLayout, keep: Any = "30d", *, dry_run: bool = False, work_dir: str | None = None
) -> Cleaned:
    """Remove old files of a sink that no run, no reader and no resume needs.

    Parameters
    ----------
    layout : of the sink
    keep : a duration: what was written or read since then stays
    dry_run : only say what would be removed
    work_dir : the folder that its runs were given for spill, if any

    Raises
    ------
    ArgumentError
        If `keep` is no duration, or less than an hour.
    SinkError
        If there is nothing of tidemill.

    Examples
    --------
    >>> clean(SinkLayout.of("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.SinkError: ... holds nothing of tidemill, so there is nothing to clean
    """
    before = time.time() - parse_keep(keep)
    _check(layout)
    moment = datetime.fromtimestamp(before, UTC).isoformat(timespec="seconds")
    done = Cleaned(layout.url, moment, dry_run)
    state = SinkState(layout, layout.state.list(), unfinished_results(layout))
    going = _drop_results(done, state, before)
    _remove(done, [old_parts(layout, going, before), *unfinished_files(layout, before)])
    if work_dir is not None and not state.is_in_use:
        kept = frozenset(layout.state.child("keys").folder()[1]) - frozenset(going)
        around = Store.open(work_dir, layout.home.storage_options if "://" in work_dir else None)
        _remove(done, [old_spill(layout, kept, around, before)])
    _remove(done, old_state(state, before))
    _keep_log(done, layout, before)
    return done


def is_there(layout: SinkLayout) -> bool:
    """Whether tidemill, or another writer of Delta tables, has left anything."""
    return any(layout.state.folder()) or (layout.kind == "delta" and open_table(layout) is not None)


def _check(layout: SinkLayout) -> None:
    """Refuse what tidemill did not make."""
    table = open_table(layout) if layout.kind == "delta" else None
    if table is not None:
        with_intervals = INTERVAL in table.metadata().partition_columns
        check_table(table, layout.url, intervals=with_intervals)
    elif not is_there(layout):
        raise SinkError(f"{layout.url} holds nothing of tidemill, so there is nothing to clean")


def _remove(done: Cleaned, found: Iterable[OldFiles]) -> None:
    for one in found:
        if not done.dry_run:
            paths = [entry.path for entry in one.entries]
            one.store.delete_many(paths)
            _remove_folders(one.store, paths)
        done.add(one)


def _remove_folders(store: Store, paths: Iterable[str]) -> None:
    """Remove folders on disk that are empty now."""
    parents = {path.rpartition("/")[0] for path in paths}
    for parent in parents:
        folder = store.local_path(parent)
        if folder is not None and parent:
            with suppress(OSError):  # others are in it
                folder.rmdir()


# Results


def _drop_results(done: Cleaned, state: SinkState, before: float) -> list[str]:
    """Remove old unfinished results; the keys of those that are gone."""
    gone: list[str] = []
    layout = state.layout
    try:
        read_pointer(layout)
    except ValueError as error:  # who knows which result is the published one
        done.left.append(f"unfinished results stay: {layout.published} is damaged ({error})")
        return gone
    for one in old_results(state, before):
        if done.dry_run or _drop_result(done, layout, one, before):
            gone.append(one.result_key)
            _count_result(done, state, one.result_key)
    return gone


def _count_result(done: Cleaned, state: SinkState, key: str) -> None:
    entries = state.below(f"keys/{key}")
    spill = [one for one in entries if one.path.startswith(f"keys/{key}/work/")]
    others = [one for one in entries if one not in spill]
    done.add(OldFiles("unfinished results", state.layout.state, others))
    done.add(OldFiles("spill", state.layout.state, spill))
    done.add(OldFiles("part files", state.layout.state, state.below(f"parts-{key}")))


def _drop_result(done: Cleaned, layout: SinkLayout, one: Unfinished, before: float) -> bool:
    """Remove a result under the lease of who would go on with it; False: somebody does."""
    run_id, owner = f"clean-{uuid.uuid4().hex[:8]}", f"{getpass.getuser()} (clean)"
    try:
        with acquire(layout.lease_of(one.interval or None), owner=owner, run_id=run_id):
            key = layout.key(one.result_key)
            if any(entry.modified >= before for entry in key.state.list()):
                return False
            key.state.delete_all(KeyLayout.markers)
            key.state.delete_all()
            if layout.kind == "file":
                key.data.delete_all()
    except SinkBusyError as error:
        done.left.append(str(error))
        return False
    log.info("removed the unfinished result %s of %s", one.label or one.result_key, layout.url)
    return True


# The table's log


def _keep_log(done: Cleaned, layout: SinkLayout, before: float) -> None:
    """Write a checkpoint, so that the table opens quickly, and remove what lies before old ones."""
    if layout.kind != "delta":
        return
    found = read_log(layout)
    if found.commits and not done.dry_run:
        done.checkpoint = write_checkpoint(found)
    _remove(done, [old_log(found, before)])
