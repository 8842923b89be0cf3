"""Files of a sink that nobody needs any more, by kind; nothing is removed here.

A file is old if it was not written since a moment. Kept however old they are: what the newest
version of a table shows and what a reader of a version since then needs, the state of results that
a run works on or that were worked on since then, the records of intervals, and the records of the
runs that published what is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidemill.execution.unfinished import Unfinished
from tidemill.storage.delta import files_by_interval
from tidemill.storage.delta_log import TableLog, read_log
from tidemill.storage.dropped import not_dropped
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import recorded
from tidemill.storage.processes import Process
from tidemill.storage.publish import read_pointer
from tidemill.storage.record import read_record
from tidemill.storage.sealed import built
from tidemill.storage.stores import Entry, Store
from tidemill.storage.streams import never_named

__all__ = [
    "OldFiles",
    "SinkState",
    "old_log",
    "old_parts",
    "old_results",
    "old_spill",
    "old_state",
    "unfinished_files",
]

#: Part files, in the table's folder or in folders of partitions: of tidemill, and of other writers.
_PART = re.compile(r"(?:[^/_.][^/]*=[^/]*/)*part-[^/]+\.parquet")
_OWN_PART = re.compile(r"part-[0-9a-f]{16}-\d{6,}-[0-9a-f]{16}\.parquet")


@dataclass(frozen=True, slots=True)
class OldFiles:
    """Files of one kind that are to go."""

    kind: str
    store: Store
    entries: Sequence[Entry]

    @property
    def bytes(self) -> int:
        """Their size in all."""
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True, slots=True)
class SinkState:
    """One listing of a sink's state, and what is unfinished in it."""

    layout: SinkLayout
    entries: Sequence[Entry]
    unfinished: Sequence[Unfinished]

    @property
    def is_in_use(self) -> bool:
        """Whether a run works on the sink, as far as can be seen."""
        return any(one.state != "ended" for one in self.unfinished)

    def below(self, folder: str) -> list[Entry]:
        """The files below a folder."""
        return [one for one in self.entries if one.path.startswith(f"{folder}/")]

    def below_each(self, folder: str) -> dict[str, list[Entry]]:
        """The files below each folder of a folder."""
        found: dict[str, list[Entry]] = {}
        for one in self.below(folder):
            name, slash, _ = one.path.removeprefix(f"{folder}/").partition("/")
            if slash:
                found.setdefault(name, []).append(one)
        return found


def old_state(state: SinkState, before: float) -> Iterator[OldFiles]:
    """What is old of all that lies beside the rows, but results."""
    for kind, found in (
        ("run records", _records(state, before)),
        ("reports", _reports(state, before)),
        ("leases", _leases(state, before)),
        ("untold ends of runs", _untold(state, before)),
        ("leftovers of intervals", _of_intervals(state, before)),
        ("snapshots", _snapshots(state, before)),
    ):
        yield OldFiles(kind, state.layout.state, found)


def _are_old(entries: Iterable[Entry], before: float) -> bool:
    return all(one.modified < before for one in entries)


def _records(state: SinkState, before: float) -> list[Entry]:
    """Run records that nothing refers to, but the newest and the newest of a finished run."""
    found = state.below("records")
    old = [one for one in found if one.modified < before]
    if not old:
        return []
    kept = _referenced_runs(state.layout)
    newest = {found[-1].path, _newest_finished(state.layout, found)}
    return [one for one in old if one.path not in newest and _run_of(one) not in kept]


def _run_of(record: Entry) -> str:
    """The id of the run of a record, without hyphens."""
    return record.path.rpartition("-")[2].removesuffix(".json")


def _referenced_runs(layout: SinkLayout) -> frozenset[str]:
    """The runs that published what is shown, as the names of records have them."""
    records = read_intervals(layout, interval_names(layout)).values()
    runs = [one.run_id for one in records]
    try:
        shown = read_pointer(layout)
    except ValueError:
        shown = None
    runs += [shown.run_id] if shown is not None else []
    return frozenset(one.replace("-", "") for one in runs)


def _newest_finished(layout: SinkLayout, records: Sequence[Entry]) -> str:
    for entry in reversed(records):
        record = read_record(layout, entry.path.removeprefix("records/"))
        if record is not None and record.state == "finished":
            return entry.path
    return ""


def _reports(state: SinkState, before: float) -> list[Entry]:
    """Old reports; the newest stays."""
    found = sorted(state.below("reports"), key=lambda one: one.modified)
    return [one for one in found[:-1] if one.modified < before]


def _leases(state: SinkState, before: float) -> list[Entry]:
    """Old leases of intervals, and generations of the sink's lease that are not the newest.

    A lease that is held is renewed, and so never old.
    """
    own = [one for one in state.below("lease") if one.path.count("/") == 1]
    stale = [one for one in own[:-1] if one.modified < before]
    groups = state.below_each("lease").values()
    return stale + [one for found in groups if _are_old(found, before) for one in found]


def _untold(state: SinkState, before: float) -> list[Entry]:
    """Old ends that no run has told; of a run whose process is alive, it stays."""
    old = [one for one in state.below("untold") if one.modified < before]
    return [one for one in old if not _lasts(state.layout, one)]


def _lasts(layout: SinkLayout, untold: Entry) -> bool:
    try:
        process = json.loads(layout.state.read(untold.path)).get("process")
        owner = built(Process, process) if process else None
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return False
    return owner is not None and owner.is_here and owner.is_alive


def _of_intervals(state: SinkState, before: float) -> list[Entry]:
    """Records of dropped intervals, and what belongs to intervals without a record."""
    layout = state.layout
    records = {_stem(one): one for one in state.below("intervals")}
    there = set(not_dropped(layout, records, files_by_interval(layout))) if records else set()
    gone = [one for name, one in records.items() if name not in there]
    beside = [*state.below("figures"), *state.below("coverage")]
    gone += [one for one in beside if _stem(one) not in there]
    return [one for one in gone if one.modified < before]


def _stem(entry: Entry) -> str:
    return entry.path.rpartition("/")[2].partition(".")[0]


def _snapshots(state: SinkState, before: float) -> list[Entry]:
    """Rows of databases that killed runs left."""
    if state.is_in_use:
        return []
    groups = state.below_each("snapshots").values()
    return [one for found in groups if _are_old(found, before) for one in found]


# Results


def old_results(state: SinkState, before: float) -> list[Unfinished]:
    """Unfinished results that nobody seems to work on, nor did since a moment."""
    return [
        one
        for one in state.unfinished
        if one.state != "running" and one.result_key and one.written < before
    ]


def old_spill(
    layout: SinkLayout, kept: Collection[str], work_dir: Store, before: float
) -> OldFiles:
    """Spill in a work folder whose result is gone.

    Parameters
    ----------
    layout : of the sink
    kept : the first 16 digits of the keys of results that stay
    work_dir : the folder that runs were given
    before : seconds since the epoch
    """
    prefix = layout.spill_prefix
    names = [one for one in work_dir.folder()[1] if one.startswith(prefix)]
    found = [work_dir.list(one) for one in names if one.removeprefix(prefix) not in kept]
    old = [one for entries in found if _are_old(entries, before) for one in entries]
    return OldFiles("spill", work_dir, old)


# Rows


def old_parts(layout: SinkLayout, going: Collection[str], before: float) -> OldFiles:
    """Part files that no reader needs, and no result that stays.

    Parameters
    ----------
    layout : of the sink
    going : the first 16 digits of the keys of results that are going
    before : seconds since the epoch
    """
    if layout.kind == "file":
        return OldFiles("part files", layout.state, _parts_of_file(layout, going, before))
    old = [one for one in _data_files(layout.home) if one.modified < before]
    if not old:
        return OldFiles("part files", layout.home, [])
    # In this order: a run that publishes meanwhile commits, and then deletes its markers.
    marked = _marked(layout, going)
    log = read_log(layout)
    pattern = _PART if log.commits else _OWN_PART
    needed = log.needed_files(before) | marked
    left = [one for one in old if pattern.fullmatch(one.path) and one.path not in needed]
    return OldFiles("part files", layout.home, left)


def _data_files(home: Store) -> Iterator[Entry]:
    """The files of a table, and those of its partitions if another writer made some."""
    files, folders = home.folder()
    yield from files
    for name in folders:
        if "=" in name and not name.startswith(("_", ".")):
            yield from home.list(name)


def _marked(layout: SinkLayout, going: Collection[str]) -> frozenset[str]:
    """Files of finished parts of results that stay."""
    keys = [one for one in layout.state.child("keys").folder()[1] if one not in going]
    return frozenset(marker.path for key in keys for marker in recorded(layout.key(key)).values())


def _parts_of_file(layout: SinkLayout, going: Collection[str], before: float) -> list[Entry]:
    """Parts of a file sink whose result is gone."""
    stay = {f"parts-{one}" for one in layout.state.child("keys").folder()[1] if one not in going}
    names = [one for one in layout.state.folder()[1] if one.startswith("parts-")]
    found = [layout.state.list(one) for one in names if one not in stay]
    return [one for entries in found if _are_old(entries, before) for one in entries]


def unfinished_files(layout: SinkLayout, before: float) -> Iterator[OldFiles]:
    """Files on disk that never got their names, because their writer was killed."""
    name = layout.name if layout.kind == "file" else "part-*.parquet"
    for store, pattern, below in ((layout.home, name, False), (layout.state, "*", True)):
        folder = store.local_path()
        if folder is not None:
            paths = never_named(folder, pattern, below=below)
            entries = (_entry(folder, path) for path in paths)
            old = [one for one in entries if one is not None and one.modified < before]
            yield OldFiles("unfinished files", store, old)


def _entry(folder: Path, path: Path) -> Entry | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Entry(str(path.relative_to(folder)), found.st_size, found.st_mtime, "")


# The log


def old_log(log: TableLog, before: float) -> OldFiles:
    """Commits and checkpoints that no reader needs."""
    return OldFiles("log of the table", log.layout.home, log.expired(before))
