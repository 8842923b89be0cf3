"""Results of a sink that are not published yet: who works on them, and how far they are.

A run that works on a result has its plan below ``keys/`` and holds a lease. One that failed, was
cancelled or killed leaves the plan and its finished parts, and the next run goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from tidemill.model.interval import Interval
from tidemill.storage.layout import KeyLayout, SinkLayout, indexed
from tidemill.storage.lease_files import Holder, read_current
from tidemill.storage.publish import read_pointer
from tidemill.storage.sealed import unseal

__all__ = ["Unfinished", "unfinished_results"]

#: What reading a damaged plan raises, and one that was removed meanwhile.
_UNREADABLE = (ValueError, TypeError, KeyError, FileNotFoundError)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A result that is not published yet.

    ``running``: its owner renews the lease; ``silent``: the owner stopped renewing it, and may have
    died; ``ended``: nobody works on it, the next run goes on from its parts.
    """

    state: Literal["running", "silent", "ended"]
    interval: str  # name; "": the result is that of the whole sink
    label: str  # the same for people
    result_key: str  # the first 16 digits; "": its plan is not recorded yet
    run_id: str  # of the lease's last holder
    owner: str  # the holder, in words; "": there never was one
    since: str  # ISO 8601, UTC: when it took the lease
    parts: int  # 0: not known
    parts_done: int  # that have a marker
    written: float  # seconds since the epoch, by the storage's clock: its newest file


def unfinished_results(layout: SinkLayout) -> list[Unfinished]:
    """The results that are not published yet, oldest interval first; reads no input and no part.

    Examples
    --------
    >>> unfinished_results(SinkLayout.of("nowhere"))
    []
    """
    published = _published_key(layout)
    found = [_of_key(layout, folder) for folder in layout.state.child("keys").folder()[1]]
    kept = [one for one in found if one.result_key != published or one.state == "running"]
    known = {one.run_id for one in kept}
    kept += [one for one in _of_sink(layout) if one.run_id not in known]
    return sorted(kept, key=lambda one: (one.interval, one.since))


def _published_key(layout: SinkLayout) -> str:
    """The result whose markers stay, because a table without intervals shows it."""
    try:
        shown = read_pointer(layout)
    except ValueError:
        return ""
    return shown.result_key[:16] if shown is not None and shown.interval is None else ""


def _of_key(layout: SinkLayout, folder: str) -> Unfinished:
    key = layout.key(folder)
    entries = key.state.list()
    names = (indexed(entry.path) for entry in entries if entry.path.startswith(KeyLayout.markers))
    parts, interval = _planned(key)
    name = interval.name if interval else ""
    return Unfinished(
        **_held(layout, name),
        interval=name,
        label=interval.label if interval else "",
        result_key=folder,
        parts=parts,
        parts_done=len({name[0] for name in names if name is not None}),
        written=max((entry.modified for entry in entries), default=0.0),
    )


def _planned(key: KeyLayout) -> tuple[int, Interval | None]:
    """Number of parts and interval of a recorded plan; 0 and None if it cannot be read."""
    try:
        raw = unseal(key.state.read(key.plan))
        found = Interval(**raw["interval"]) if raw.get("interval") else None
        return len(raw["parts"]), found
    except _UNREADABLE:
        return 0, None


def _of_sink(layout: SinkLayout) -> Iterator[Unfinished]:
    """Whoever holds the lease of the whole sink, should nothing else tell of the run."""
    held = _held(layout, "")
    if held["state"] != "ended":
        yield Unfinished(
            **held, interval="", label="", result_key="", parts=0, parts_done=0, written=0.0
        )


def _held(layout: SinkLayout, interval: str) -> dict[str, Any]:
    """What the lease of an interval, or of the whole sink, tells."""
    holder = read_current(layout.lease_of(interval or None))
    if holder is None:
        return {"state": "ended", "run_id": "", "owner": "", "since": ""}
    since = datetime.fromtimestamp(holder.since, UTC).isoformat(timespec="seconds")
    about = {"run_id": holder.run_id, "owner": _owner(holder), "since": since}
    if holder.is_free:
        return {"state": "ended", **about}
    return {"state": "running" if holder.looks_fresh else "silent", **about}


def _owner(holder: Holder) -> str:
    where = holder.process.host_name or "an unknown host"
    return f"{holder.owner or '?'} on {where} (process {holder.process.pid})"
