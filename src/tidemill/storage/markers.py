"""Commit markers name the parts that are done; attempt marks those that were being worked on.

A part is written under a unique name. Then its marker is created exclusively, so that of several
attempts on one part exactly one counts. A marker is never changed: once its file is gone or cut
short, a marker with a higher number overrides it. The owner of the lease deletes those whose file
is damaged, see :mod:`tidemill.storage.part_files`, and those of parts that are to be calculated
again for their poison.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from tidemill.model.series import Quarantined
from tidemill.storage.failures import Failures
from tidemill.storage.layout import KeyLayout, indexed
from tidemill.storage.processes import Process
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.stores import Entry

__all__ = [
    "Attempt",
    "Marker",
    "attempted",
    "attempts",
    "begin_attempt",
    "clear_attempts",
    "commit_part",
    "committed",
    "discard_markers",
    "end_attempt",
    "find_unlisted",
    "recorded",
    "renew_attempt",
    "suspect_next",
]

Content = bytes  # the type, by a name that Marker.bytes does not shadow
NOBODY = Process("", 0, 0.0)  # stands for a process that is not known
#: Seconds after which a mark that is not renewed is that of a process that is stopped or stuck.
SILENT_SECONDS = 20.0
_READERS = 16  # threads that read markers; they wait for the network, not the processor


@dataclass(frozen=True, slots=True)
class Marker:
    """A finished part."""

    index: int  # of the part in the plan
    path: str  # of its file, below the layout's data folder
    rows: int  # of the matrix
    bytes: int  # size of the file
    checksum: str  # of the file
    seconds: float  # taken, one thread
    seconds_by_calculator: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""  # of the content, independent of parts: tidemill.model.digests
    lower: Any = None  # smallest id, as JSON holds it; None: no rows
    upper: Any = None  # largest id
    quarantined: tuple[Quarantined, ...] = ()  # their ids as text
    errors: tuple[Failures, ...] = ()
    run_id: str = ""
    input_rows: int = 0  # that the part was made from, before any policy dropped some
    kept: str = ""  # digest of the published rows that were taken over, if any
    coverage: str = ""  # path below the layout's state: values per id and kind, of an interval
    coverage_checksum: str = ""  # of that file; "": written by an older version
    made_with: Mapping[str, str] = field(default_factory=dict)  # versions, if it has poison

    @property
    def poison(self) -> tuple[Quarantined, ...]:
        """The ids that were quarantined because their process died or hung."""
        return tuple(one for one in self.quarantined if one.is_poison)

    def to_json(self) -> Content:
        """The marker as its file holds it."""
        return seal(asdict(self))

    @classmethod
    def from_json(cls, data: Content) -> Self:
        """Read back what :meth:`to_json` wrote; ``ValueError`` if it is damaged."""
        try:
            return cls.from_values(unseal(data))
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a commit marker: {data[:80]!r}") from error

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The marker with these JSON values."""
        quarantined = tuple(map(Quarantined.from_json, values["quarantined"]))
        errors = tuple(Failures(**{**one, "ids": tuple(one["ids"])}) for one in values["errors"])
        return cls(**{**values, "quarantined": quarantined, "errors": errors})


def commit_part(layout: KeyLayout, marker: Marker) -> Marker:
    """Commit a written part; of several attempts on one part exactly one wins.

    The others delete their files.

    Parameters
    ----------
    layout
        Where the result's state and parts lie.
    marker
        The written part; ``marker.path`` is its file below ``layout.data``.

    Returns
    -------
    Marker
        The marker that counts: this one, or that of an attempt that was faster.

    Examples
    --------
    >>> import tempfile
    >>> from tidemill.storage.layout import SinkLayout
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix").key("ab" * 32)
    >>> for path in ("part-a.parquet", "part-b.parquet"):
    ...     layout.data.write(path, b"rows")
    ...     commit_part(layout, Marker(0, path, rows=1, bytes=4, checksum="", seconds=0.1)).path
    'part-a.parquet'
    'part-a.parquet'
    >>> layout.data.exists("part-b.parquet")
    False
    """
    content = marker.to_json()
    n = 0
    while not layout.state.create(layout.marker(marker.index, n), content):
        winner = _read(layout, layout.marker(marker.index, n))
        if winner is not None and winner.path == marker.path:
            return marker  # an earlier try of this call succeeded, its answer was lost
        if winner is not None and file_matches_marker(layout, winner):
            layout.data.delete(marker.path)
            return winner
        n += 1
    return marker


def committed(layout: KeyLayout, indices: Iterable[int] | None = None) -> dict[int, Marker]:
    """The finished parts, index to marker, by one listing of the markers and one of the files.

    A marker whose file is gone or has another size is ignored: the part counts as missing.

    Parameters
    ----------
    layout
        Where the result's state and parts lie.
    indices
        Only these parts; all by default.
    """
    found = recorded(layout, indices)
    if not found:
        return {}
    paths = [one.path for one in found.values()]
    listed = layout.data.files(after=min(paths)[:-1], before=f"{max(paths)}~")
    sizes = {entry.path: entry.size for entry in listed}
    return {index: one for index, one in found.items() if sizes.get(one.path) == one.bytes}


def recorded(layout: KeyLayout, indices: Iterable[int] | None = None) -> dict[int, Marker]:
    """As :func:`committed`, whatever became of the files."""
    paths = _latest(layout, None if indices is None else frozenset(indices))
    if not paths:
        return {}
    with ThreadPoolExecutor(min(_READERS, len(paths)), "tidemill-markers") as pool:
        markers = list(pool.map(lambda path: _read(layout, path), paths))
    return {marker.index: marker for marker in markers if marker is not None}


def find_unlisted(layout: KeyLayout, indices: Iterable[int]) -> dict[int, Marker]:
    """The finished ones of parts that no listing shows, as one may lag behind; by single reads."""
    found = {}
    for index in indices:
        n, marker = 0, None
        while (later := _read(layout, layout.marker(index, n))) is not None:
            n, marker = n + 1, later
        if marker is not None and file_matches_marker(layout, marker):
            found[index] = marker
    return found


def discard_markers(layout: KeyLayout, indices: Iterable[int]) -> None:
    """Delete the markers of some parts, which then are missing; only the lease's owner may."""
    gone = frozenset(indices)
    for entry in layout.state.list(layout.markers):
        name = indexed(entry.path)
        if name is not None and name[0] in gone:
            layout.state.delete(entry.path)


def _latest(layout: KeyLayout, wanted: frozenset[int] | None) -> list[str]:
    """Path of the marker with the highest number of each part, in the order of the parts."""
    latest: dict[int, int] = {}
    for entry in layout.state.list(layout.markers):
        name = indexed(entry.path)
        if name is not None and (wanted is None or name[0] in wanted):
            latest[name[0]] = max(latest.get(name[0], 0), int(name[1]))
    return [layout.marker(index, n) for index, n in sorted(latest.items())]


def _read(layout: KeyLayout, path: str) -> Marker | None:
    """The marker; None if it is damaged (a power failure) or has been deleted since."""
    try:
        return Marker.from_json(layout.state.read(path))
    except (ValueError, FileNotFoundError):
        return None


def file_matches_marker(layout: KeyLayout, marker: Marker) -> bool:
    """Whether the file of a marker exists and has the size that the marker names."""
    try:
        return layout.data.info(marker.path).size == marker.bytes
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Attempt:
    """The mark of a process that works on a part, or died while it did."""

    path: str  # of the mark, below the layout's state
    index: int  # of the part
    process: Process
    generation: int  # of the lease under which it works
    run_id: str
    began: float  # seconds since the epoch, by its host's clock; for people only
    owner: str = ""  # worker or task run, for people
    renewed: float = 0.0  # as ``began``; 0: by a version that does not renew it
    hangs: bool = False  # a series in it makes no progress
    note: str = ""  # what people should know of it meanwhile

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The mark with these JSON values."""
        return cls(**{**values, "process": Process(**values["process"])})

    @property
    def is_silent(self) -> bool:
        """Whether its process does not renew it any more; for processes of this host."""
        return 0 < self.renewed < time.time() - SILENT_SECONDS


def begin_attempt(
    layout: KeyLayout, index: int, *, generation: int, run_id: str, owner: str = ""
) -> Attempt:
    """Mark that this process works on a part; a part may have several marks.

    Examples
    --------
    >>> import tempfile
    >>> from tidemill.storage.layout import SinkLayout
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix").key("ab" * 32)
    >>> mark = begin_attempt(layout, 7, generation=1, run_id="r")
    >>> [one.index for one in attempts(layout)]
    [7]
    >>> end_attempt(layout, mark)
    """
    path, now = layout.attempt(index), time.time()
    process = Process.current()
    attempt = Attempt(path, index, process, generation, run_id, now, owner, renewed=now)
    layout.state.write(attempt.path, json.dumps(asdict(attempt)).encode())
    return attempt


def renew_attempt(layout: KeyLayout, attempt: Attempt, *, hangs: bool, note: str = "") -> Attempt:
    """Mark that this process is still working on the part, and whether a series in it hangs."""
    renewed = replace(attempt, renewed=time.time(), hangs=hangs, note=note)
    layout.state.write(renewed.path, json.dumps(asdict(renewed)).encode())
    return renewed


def suspect_next(layout: KeyLayout, indices: Sequence[int], run_id: str) -> int | None:
    """Let the next of these parts, worked on in this order, be calculated in isolation.

    For a part that took its workers with it before they could leave a mark.

    Returns
    -------
    int | None
        The part; None if all are committed.
    """
    done = committed(layout, indices)
    left = [index for index in indices if index not in done]
    if not left:
        return None
    index = left[0]
    if not attempts(layout, [index]):
        nobody = Attempt(layout.attempt(index), index, NOBODY, -1, run_id, time.time())
        layout.state.write(nobody.path, json.dumps(asdict(nobody)).encode())
    return index


def end_attempt(layout: KeyLayout, attempt: Attempt) -> None:
    """Remove this process's mark, after the commit or after an ordinary error."""
    layout.state.delete(attempt.path)


def attempted(layout: KeyLayout) -> set[int]:
    """Indexes of the parts that have an attempt mark."""
    return {index for index, _ in _listed(layout)}


def attempts(layout: KeyLayout, indices: Iterable[int] | None = None) -> list[Attempt]:
    """All attempt marks, of live and dead processes, in the order of the parts."""
    wanted = None if indices is None else frozenset(indices)
    entries = [one for one in _listed(layout) if wanted is None or one[0] in wanted]
    if not entries:
        return []
    with ThreadPoolExecutor(min(_READERS, len(entries)), "tidemill-marks") as pool:
        found = pool.map(lambda one: _read_attempt(layout, *one), entries)
        return [attempt for attempt in found if attempt is not None]


def _listed(layout: KeyLayout) -> Iterator[tuple[int, Entry]]:
    for entry in layout.state.list(layout.attempts):
        name = indexed(entry.path)
        if name is not None:
            yield name[0], entry


def _read_attempt(layout: KeyLayout, index: int, entry: Entry) -> Attempt | None:
    """The mark; None if it was removed after the listing."""
    try:
        return Attempt.from_values(json.loads(layout.state.read(entry.path)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):  # its writer died while writing it
        return Attempt(entry.path, index, NOBODY, -1, "", entry.modified)


def clear_attempts(layout: KeyLayout, left: Iterable[Attempt]) -> None:
    """Remove marks that dead processes left behind, once their parts are committed."""
    for attempt in left:
        layout.state.delete(attempt.path)
