"""The files of a lease: one for each generation; the highest one that exists is current.

Nothing here decides who may write: :mod:`tidemill.storage.lease` and
:mod:`tidemill.storage.lease_view` do.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Self

from tidemill.errors import LeaseLostError
from tidemill.storage.intervals import label_of_name
from tidemill.storage.layout import SinkLayout
from tidemill.storage.processes import Process
from tidemill.storage.sealed import built
from tidemill.storage.stores import Store

__all__ = [
    "RENEW_SECONDS",
    "STALE_RENEWALS",
    "Holder",
    "describe_takeover",
    "find_successor",
    "generation_path",
    "generations",
    "lease_lost",
    "lease_subject",
    "read_current",
    "read_generation",
]

#: Seconds between two renewals.
RENEW_SECONDS = 10.0
#: No lease is renewed less often: others would wait six times as long for a dead owner.
MOST_RENEW_SECONDS = 60.0
#: A lease is stale when its sequence does not advance for this many renewal intervals.
STALE_RENEWALS = 6
#: Above the names of ten million generations, and below those of the intervals beside them.
_ABOVE = "1"


@dataclass(frozen=True, slots=True)
class Holder:
    """Content of a lease file."""

    generation: int
    token: str  # unique to the acquisition
    owner: str  # for people: user, flow run
    run_id: str
    process: Process
    since: float  # seconds since the epoch, by the owner's clock; for people
    sequence: int  # number of the renewal
    written: float  # seconds since the epoch, by the owner's clock
    renew_seconds: float
    released: str = ""  # why it was released; "" while it is held

    def to_json(self) -> bytes:
        """The holder as its file holds it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :meth:`to_json` wrote; ``ValueError`` if it is damaged."""
        try:
            raw = json.loads(data)
            found = built(cls, {**raw, "process": built(Process, raw["process"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a lease: {data[:80]!r}") from error
        if not 0 < found.renew_seconds <= MOST_RENEW_SECONDS:
            raise ValueError(f"not a lease: it is renewed every {found.renew_seconds} s")
        return found

    @property
    def stale_seconds(self) -> float:
        """Seconds without a renewal after which the owner counts as gone."""
        return self.renew_seconds * STALE_RENEWALS

    @property
    def is_free(self) -> bool:
        """Whether it was released, or its process ran on this host and is dead."""
        return bool(self.released) or (self.process.is_here and not self.process.is_alive)

    @property
    def looks_fresh(self) -> bool:
        """Whether the written time is recent: enough to refuse others, never to take over."""
        return abs(time.time() - self.written) <= 2 * self.renew_seconds

    def describe(self) -> str:
        """Who holds the lease, for a message."""
        moment = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        where = f"on {self.process.host_name or 'an unknown host'} (process {self.process.pid})"
        return f"run {self.run_id or '?'} of {self.owner or '?'} {where} since {moment}"


def generation_path(generation: int) -> str:
    """Name of a generation's file.

    Examples
    --------
    >>> generation_path(12)
    '00000012.json'
    """
    return f"{generation:08d}.json"


def generations(store: Store) -> list[int]:
    """The generations that have a file, ascending."""
    stems = (name.partition(".")[0] for name in store.names(before=_ABOVE))
    return sorted(int(stem) for stem in stems if stem.isdigit())


def read_current(store: Store, at_least: int = 1) -> Holder | None:
    """The holder of the highest generation; None if nobody has ever held the lease.

    ``at_least`` is a generation that is known to exist, should the listing lag behind.
    """
    while True:
        found = generations(store)
        if current := _newest(store, max([*found[-1:], at_least])):
            return current
        if not found:
            return None
        time.sleep(0.01)  # cleaned up since the listing, so a newer one exists


def _newest(store: Store, generation: int) -> Holder | None:
    """The holder of the last generation from this one on, even if a listing lags behind."""
    newest = None
    try:
        while True:
            newest = read_generation(store, generation)
            generation += 1
    except FileNotFoundError:
        return newest


def read_generation(store: Store, generation: int) -> Holder:
    """The holder of one generation; ``FileNotFoundError`` if it has no file."""
    data = store.read(generation_path(generation))
    try:
        return replace(Holder.from_json(data), generation=generation)  # the file's name counts
    except ValueError:  # cut short or edited: watched, and stale if nobody renews it
        return Holder(generation, "", "", "", Process("", 0, 0.0), 0.0, 0, 0.0, RENEW_SECONDS)


def find_successor(store: Store, generation: int) -> str:
    """Why the holder of a generation no longer holds the lease, for a message; "" if it does.

    Two small reads: a listing costs ten times more, and may lag behind.
    """
    try:
        return describe_takeover(read_generation(store, generation + 1))
    except FileNotFoundError:
        if store.exists(generation_path(generation)):
            return ""
    current = read_current(store)  # both were cleaned up by later owners, or with the sink
    if current is None or current.generation <= generation:
        return "its lease was removed"
    return describe_takeover(current)


def describe_takeover(holder: Holder) -> str:
    """The sentence that names the holder of a later generation."""
    return f"it was taken over by {holder.describe()}"


def lease_lost(store: Store, reason: str) -> LeaseLostError:
    """The error for a run that no longer holds its lease."""
    return LeaseLostError(
        f"this run no longer owns {lease_subject(store)}: {reason}; its finished parts are kept, "
        "start a new run to continue from there"
    )


def lease_subject(store: Store) -> str:
    """What a lease protects, for a message: the sink, or one interval of it.

    Examples
    --------
    >>> lease_subject(Store("/data/matrix/_tidemill/lease"))
    '/data/matrix'
    >>> lease_subject(Store("/data/matrix/_tidemill/lease/20261120T000000Z"))
    'interval 2026-11-20 00:00 of /data/matrix'
    """
    state, _, interval = store.url.rpartition("/lease")
    sink = state.removesuffix("/_tidemill")
    if not interval:
        return sink
    named = label_of_name(SinkLayout.of(sink, store.storage_options), interval[1:])
    return f"interval {named} of {sink}"
