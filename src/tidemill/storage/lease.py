"""One writer per sink.

A lease is a file ``lease/<generation>.json``, created exclusively; the highest generation is the
current one. Its owner renews a sequence number in it. Who wants the sink when the owner is gone
creates the next generation, and the old owner finds out by its existence. Ages are measured by one
observer's own clock, between two looks at the sequence; clocks of hosts are never compared to
decide who owns.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from tidemill.errors import LeaseLostError, SinkBusyError
from tidemill.storage.processes import Process
from tidemill.storage.stores import Store, is_transient

__all__ = ["RENEW_SECONDS", "STALE_RENEWALS", "Holder", "Lease", "LeaseView", "acquire"]

#: Seconds between two renewals.
RENEW_SECONDS = 10.0
#: A lease is stale when its sequence does not advance for this many renewal intervals.
STALE_RENEWALS = 6

_KEPT = 3  # generations that stay, for whoever still looks at an old one
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """What a lease file says."""

    generation: int
    token: str  # unique to the acquisition
    owner: str  # for people: user, flow run
    run_id: str
    process: Process
    since: float  # seconds since the epoch, by the owner's clock; for people
    sequence: int  # number of the renewal
    written: float  # seconds since the epoch, by the owner's clock
    renew_seconds: float
    released: str = ""  # why it was given back; "" while it is held

    def to_json(self) -> bytes:
        """The holder as its file holds it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :meth:`to_json` wrote; ``ValueError`` if it is damaged."""
        try:
            raw = json.loads(data)
            return cls(**{**raw, "process": Process(**raw["process"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a lease: {data[:80]!r}") from error

    @property
    def stale_seconds(self) -> float:
        """Seconds without a renewal after which the owner counts as gone."""
        return self.renew_seconds * STALE_RENEWALS

    @property
    def is_free(self) -> bool:
        """Whether it was given back, or its process on this host is dead."""
        return bool(self.released) or (self.process.is_here and not self.process.is_alive)

    @property
    def looks_fresh(self) -> bool:
        """Whether the written time is recent: good enough to refuse, never to take over."""
        return abs(time.time() - self.written) <= 2 * self.renew_seconds

    def describe(self) -> str:
        """Who holds it, for a message."""
        moment = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        where = f"on {self.process.host_name or 'an unknown host'} (process {self.process.pid})"
        return f"run {self.run_id or '?'} of {self.owner or '?'} {where} since {moment}"


def acquire(
    store: Store,
    *,
    owner: str,
    run_id: str,
    wait_seconds: float = 0.0,
    renew_seconds: float = RENEW_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Lease:
    """Become the one writer of a sink, or of an interval of it.

    Parameters
    ----------
    store
        The folder of the lease: ``SinkLayout.lease_of``.
    owner, run_id
        Who asks, named to those who are refused.
    wait_seconds
        How long to wait for another writer to finish; 0 refuses at once. (If the other one has not
        been heard of for a while, this looks for up to a minute whether it still renews.)
    renew_seconds
        Seconds between renewals; after six of them without a renewal the lease is stale.
    sleep
        Called between two looks; what it raises ends the waiting.

    Returns
    -------
    Lease
        A context manager that renews in the background and gives the lease back.

    Raises
    ------
    SinkBusyError
        If another live run owns the sink.

    Examples
    --------
    >>> import tempfile
    >>> store = Store.open(tempfile.mkdtemp())
    >>> with acquire(store, owner="ann", run_id="first") as lease:
    ...     lease.generation
    ...     acquire(store, owner="bob", run_id="second")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.SinkBusyError: ... is being written by run first of ann on ...
    >>> acquire(store, owner="bob", run_id="second").release()
    """
    deadline = time.monotonic() + wait_seconds
    watch: _Watch | None = None
    while True:
        current = _current(store)
        if current is None or current.is_free or (watch is not None and watch.is_stale(current)):
            lease = _take(store, current, owner, run_id, renew_seconds)
            if lease is not None:
                return lease
            continue  # somebody was faster: look again
        renewed = watch is not None and not watch.covers(current)
        if time.monotonic() >= deadline and (renewed or current.looks_fresh):
            raise _busy(store, current)
        if watch is None or renewed:
            watch = _Watch(current)
        sleep(min(1.0, current.renew_seconds / 4))


class _Watch:
    """One observer's look at a holder's sequence, by the observer's own clock."""

    def __init__(self, holder: Holder) -> None:
        self._seen = (holder.token, holder.sequence)
        self._since = time.monotonic()

    def covers(self, holder: Holder) -> bool:
        """Whether nothing has changed since the watch began."""
        return self._seen == (holder.token, holder.sequence)

    def is_stale(self, holder: Holder) -> bool:
        """Whether nothing has changed for so long that the owner counts as gone."""
        return self.covers(holder) and time.monotonic() - self._since >= holder.stale_seconds


def _busy(store: Store, holder: Holder) -> SinkBusyError:
    return SinkBusyError(
        f"{_subject(store)} is being written by {holder.describe()}; wait until it ends, let "
        "this run wait with wait_for_sink, or cancel the other run (if its process was killed, the "
        f"sink is free {holder.stale_seconds:.0f} s later)"
    )


def _subject(store: Store) -> str:
    """What a lease is about, for a message: the sink, or an interval of it."""
    state, _, interval = store.url.rpartition("/lease")
    sink = state.removesuffix("/_tidemill")
    return f"interval {interval[1:]} of {sink}" if interval else sink


def _path(generation: int) -> str:
    return f"{generation:08d}.json"


def _generations(store: Store) -> list[int]:
    stems = (entry.path.partition(".")[0] for entry in store.folder()[0])
    return sorted(int(stem) for stem in stems if stem.isdigit())


def _current(store: Store) -> Holder | None:
    generations = _generations(store)
    if not generations:
        return None
    try:
        return _read(store, generations[-1])
    except FileNotFoundError:  # cleaned up since the listing, so a newer one exists
        return _current(store)


def _read(store: Store, generation: int) -> Holder:
    data = store.read(_path(generation))
    try:
        return Holder.from_json(data)
    except ValueError:  # cut short by a power failure: watched, and stale if nobody renews it
        return Holder(generation, "", "", "", Process("", 0, 0.0), 0.0, 0, 0.0, RENEW_SECONDS)


def _take(
    store: Store, current: Holder | None, owner: str, run_id: str, renew_seconds: float
) -> Lease | None:
    generation = current.generation + 1 if current else 1
    now = time.time()
    holder = Holder(
        generation, uuid.uuid4().hex, owner, run_id, Process.current(), now, 0, now, renew_seconds
    )
    created = store.create(_path(generation), holder.to_json())
    if not created and _read(store, generation).token != holder.token:
        return None  # equal tokens: created by this very call, whose first answer was lost
    for old in _generations(store)[:-_KEPT]:
        store.delete(_path(old))
    return Lease(store, holder)


class Lease:
    """The right to write a sink, renewed by a background thread until it is given back.

    Attributes
    ----------
    generation : int
        Number of this lease; a higher one in the folder means that it was taken over.
    """

    def __init__(self, store: Store, holder: Holder) -> None:
        self.store = store
        self.generation = holder.generation
        self.renewed = time.monotonic()  # last success, by our own clock
        self._holder = holder
        self._lost = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidemill-lease", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release("finished" if kind is None else f"ended by {kind.__name__}")

    @property
    def lost(self) -> str:
        """Why this run no longer owns the sink; "" while it does."""
        return self._lost

    def view(self) -> LeaseView:
        """What a worker needs to know."""
        return LeaseView(self.store, self.generation)

    def check(self) -> None:
        """Look now whether this run still owns the sink, as before publishing.

        Raises
        ------
        LeaseLostError
            If another run took over, or renewing has failed for so long that one may have.
        """
        if not self._lost and self._holder.released:
            self._lost = f"this run gave its lease back ({self._holder.released})"
        if not self._lost:
            self._lost = _successor(self.store, self.generation)
        silent = time.monotonic() - self.renewed
        if not self._lost and silent > self._holder.stale_seconds:
            self._lost = f"this run could not renew its lease for {silent:.0f} s"
        if self._lost:
            raise LeaseLostError(_lost_message(self.store, self._lost))

    def release(self, reason: str = "finished") -> None:
        """Give the sink back; workers that look at the lease stop. Further calls do nothing."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self._lock:
            if self._holder.released or self._lost:
                return
            self._holder = replace(self._holder, released=reason or "finished")
            self.store.write(_path(self.generation), self._holder.to_json())

    def renew(self) -> None:
        """Advance the sequence, unless the lease is lost; the background thread calls this."""
        with self._lock:
            self._lost = self._lost or _successor(self.store, self.generation)
            if self._lost or self._holder.released:
                return
            self._holder = replace(
                self._holder, sequence=self._holder.sequence + 1, written=time.time()
            )
            self.store.write(_path(self.generation), self._holder.to_json())
            self.renewed = time.monotonic()

    def _run(self) -> None:
        while not self._lost and not self._stop.wait(self._holder.renew_seconds):
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001  tried again; check() says so if it lasts
                _log.warning("could not renew the lease of %s: %s", self.store.url, error)


def _successor(store: Store, generation: int) -> str:
    """Who holds a higher generation, or ""."""
    current = _current(store)
    return _by(current) if current is not None and current.generation > generation else ""


def _by(holder: Holder) -> str:
    return f"it was taken over by {holder.describe()}"


def _lost_message(store: Store, reason: str) -> str:
    return (
        f"this run no longer owns {_subject(store)}: {reason}; its finished parts are kept, start "
        "a new run to go on from there"
    )


@dataclass(slots=True)
class _Look:
    """What this process saw last of one lease."""

    at: float  # seconds, monotonic
    sequence: int
    advanced: float  # seconds, monotonic: when the sequence was first seen


_LOOKS: dict[tuple[str, int], _Look] = {}
_LOOKS_LOCK = threading.Lock()


@dataclass(frozen=True)
class LeaseView:
    """A worker's view of the lease under which it works; may be pickled.

    Examples
    --------
    >>> import tempfile
    >>> lease = acquire(Store.open(tempfile.mkdtemp()), owner="ann", run_id="r")
    >>> view = lease.view()
    >>> view.check()
    >>> lease.release("cancelled")
    >>> view.check(now=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.LeaseLostError: this run no longer owns ...: it was given back (cancelled); ...
    """

    store: Store
    generation: int
    every_seconds: float = 1.0

    def check(self, *, now: bool = False) -> None:
        """Go on or stop; looks at most once a second for all threads of this process.

        With ``now`` it looks at once and lets no error of the storage pass, as before publishing.

        Raises
        ------
        LeaseLostError
            If the lease was given back (finished, cancelled) or taken over, or if its owner has
            not renewed it for so long that it must be dead.
        """
        key = (self.store.url, self.generation)
        with _LOOKS_LOCK:
            look = _LOOKS.setdefault(key, _Look(float("-inf"), -1, time.monotonic()))
            if not now and time.monotonic() - look.at < self.every_seconds:
                return
            look.at = time.monotonic()
        try:
            reason = self._reason(look)
        except Exception as error:
            if now or not is_transient(error):
                raise
            return  # the storage hiccups; whoever reads or writes next will find out
        if reason:
            with _LOOKS_LOCK:
                look.at = float("-inf")  # the other threads must see it too
            raise LeaseLostError(_lost_message(self.store, reason))

    def _reason(self, look: _Look) -> str:
        try:
            holder = _read(self.store, self.generation)
        except FileNotFoundError:
            return "its lease was removed"
        if taken := self._taken():
            return taken
        if holder.released:
            return f"it was given back ({holder.released})"
        now = time.monotonic()
        if holder.sequence != look.sequence:
            look.sequence, look.advanced = holder.sequence, now
        elif now - look.advanced >= holder.stale_seconds:
            return f"its owner, {holder.describe()}, does not renew it any more"
        return ""

    def _taken(self) -> str:
        """Whether the next generation exists: one small read, where a listing costs ten times."""
        try:
            return _by(_read(self.store, self.generation + 1))
        except FileNotFoundError:
            return ""
