"""What readers of a table's older versions need, and what of its log nobody can need any more.

Delta's own vacuum and log cleanup go by the retention times that a table declares, a week and
thirty days, and forget after a week which files were removed when. Here one time counts: whoever
reads a version that was the newest at that time, or later, must find its files and its log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tidemill.storage.delta import delta_url, open_table, table_files
from tidemill.storage.layout import SinkLayout
from tidemill.storage.stores import Entry
from tidemill.storage.transient import is_transient, translated

__all__ = ["TableLog", "read_log", "write_checkpoint"]

_FOLDER = "_delta_log"
_VERSIONED = re.compile(rf"{_FOLDER}/(\d{{20}})\.(json|checkpoint\..*)")
_READERS = 16


@dataclass(frozen=True, slots=True)
class TableLog:
    """The files of a table's log: commits and checkpoints by version."""

    layout: SinkLayout
    commits: Mapping[int, Entry]
    checkpoints: Mapping[int, Sequence[Entry]]  # one may consist of several files

    def newest_at(self, time: float) -> int | None:
        """The version that was the newest at a moment; None if all are younger.

        Parameters
        ----------
        time : seconds since the epoch, by the storage's clock
        """
        return max((n for n, one in self.commits.items() if one.modified <= time), default=None)

    def needed_files(self, since: float) -> frozenset[str]:
        """Paths of the files of all versions that were the newest since a moment.

        Those are the files of the version at that moment, and all that were added since.
        """
        base = self._loaded(since)
        if base is None:
            return frozenset()
        later = [one.path for n, one in self.commits.items() if n > base.version()]
        with ThreadPoolExecutor(_READERS, "tidemill-log") as pool:
            added = list(pool.map(self._added, later))
        found = {*table_files(base), *(path for paths in added for path in paths)}
        return frozenset(found | {unquote(path) for path in found})

    def _loaded(self, since: float) -> DeltaTable | None:
        """The newest version at a moment; if its log is gone, the oldest that can be read."""
        first = self.newest_at(since)
        if first is None:
            first = min([*self.commits, *self.checkpoints], default=0)
        for version in (first, *sorted(n for n in self.checkpoints if n > first)):
            if (table := _version(self.layout, version)) is not None:
                return table
        return open_table(self.layout)

    def _added(self, path: str) -> list[str]:
        """Paths of the files that a commit added."""
        try:
            lines = self.layout.home.read(path).splitlines()
        except FileNotFoundError:  # expired just now, by a commit of a run
            return []
        return [json.loads(line)["add"]["path"] for line in lines if line.startswith(b'{"add"')]

    @property
    def version(self) -> int:
        """The newest version; -1 if there is no table."""
        return max(self.commits, default=-1)

    def expired(self, since: float) -> list[Entry]:
        """The log files that no reader of a version since a moment needs.

        Whatever lies before the last checkpoint that is no newer than that version; the newest
        version has one, as soon as :func:`write_checkpoint` was called.
        """
        newest = self.newest_at(since)
        whole = [n for n in (*self.checkpoints, self.version) if newest is not None and n <= newest]
        first = max(whole, default=0)
        commits = (one for n, one in self.commits.items() if n < first)
        checkpoints = (one for n, some in self.checkpoints.items() if n < first for one in some)
        return [*commits, *checkpoints]


def read_log(layout: SinkLayout) -> TableLog:
    """The log of a table, by one listing; empty if there is no table."""
    commits: dict[int, Entry] = {}
    checkpoints: dict[int, list[Entry]] = {}
    for entry, version, is_commit in _versioned(layout.home.folder(_FOLDER)[0]):
        if is_commit:
            commits[version] = entry
        else:
            checkpoints.setdefault(version, []).append(entry)
    return TableLog(layout, commits, checkpoints)


def _versioned(entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, bool]]:
    for entry in entries:
        if found := _VERSIONED.fullmatch(entry.path):
            yield entry, int(found[1]), found[2] == "json"


def write_checkpoint(log: TableLog) -> bool:
    """Write a checkpoint of the newest version, which is opened faster then; False: it has one."""
    table = None if log.version in log.checkpoints else open_table(log.layout)
    if table is None:
        return False
    with translated(log.layout.url):
        table.create_checkpoint()
    return True


def _version(layout: SinkLayout, version: int) -> DeltaTable | None:
    """A version of the table; None if it cannot be read any more."""
    try:
        with translated(layout.url):
            options = layout.home.delta_options()
            return DeltaTable(delta_url(layout), version=version, storage_options=options)
    except DeltaError as error:
        if is_transient(error):
            raise
        return None
