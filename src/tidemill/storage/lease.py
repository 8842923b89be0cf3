"""One writer per sink.

A lease is a file ``lease/<generation>.json``, created exclusively; the highest generation is the
current one. Its owner renews a sequence number in it. When the owner is gone, whoever wants the
sink creates the next generation, and the old owner notices that it exists. Each observer measures
ages by its own clock, between two looks at the sequence; the clocks of two hosts are never compared
to decide who owns the sink.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from tidemill.errors import ResourceError, SinkBusyError
from tidemill.model.logs import engine_log
from tidemill.storage.lease_files import (
    RENEW_SECONDS,
    Holder,
    find_successor,
    generation_path,
    generations,
    lease_lost,
    lease_subject,
    read_current,
    read_generation,
)
from tidemill.storage.lease_view import LeaseView
from tidemill.storage.processes import Process
from tidemill.storage.stores import Store
from tidemill.storage.transient import is_transient

__all__ = ["Lease", "acquire"]

_RELEASED: set[str] = set()  # tokens of this process, should the storage not have heard of it
_KEPT = 3  # generations that stay, for those who still look at an old one
_log = engine_log(__name__)


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
        Who asks; named to those who are refused.
    wait_seconds
        How long to wait for another writer to finish; 0 refuses at once. (If the other one has been
        silent for a while, this watches for up to a minute whether it still renews.)
    renew_seconds
        Seconds between renewals; after six of them without a renewal the lease is stale.
    sleep
        Called between two looks; an error that it raises ends the waiting.

    Returns
    -------
    Lease
        A context manager that renews the lease in the background and releases it at the end.

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
    seen = 1  # a generation that may exist
    while True:
        asked = time.monotonic()  # the answer may be late, and is as old as the question
        current = read_current(store, seen)
        stale = watch is not None and current is not None and watch.is_stale(current, asked)
        if current is None or current.is_free or current.token in _RELEASED or stale:
            lease = _take(store, current, owner, run_id, renew_seconds)
            if lease is not None:
                return lease
            seen = current.generation + 1 if current else 1
            continue  # somebody was faster: look again
        renewed = watch is not None and not watch.covers(current)
        if time.monotonic() >= deadline and (renewed or current.looks_fresh):
            raise _busy(store, current)
        late = time.monotonic() - asked > current.renew_seconds  # its owner may have waited, too
        if watch is None or renewed or late:
            watch = _Watch(current)
        sleep(min(1.0, current.renew_seconds / 4))


class _Watch:
    """One observer's watch over a holder's sequence, by the observer's own clock."""

    def __init__(self, holder: Holder) -> None:
        self._seen = (holder.token, holder.sequence)
        self._since = time.monotonic()

    def covers(self, holder: Holder) -> bool:
        """Whether nothing has changed since the watch began."""
        return self._seen == (holder.token, holder.sequence)

    def is_stale(self, holder: Holder, at: float) -> bool:
        """Whether nothing had changed, at that moment, for so long that the owner is gone."""
        return self.covers(holder) and at - self._since >= holder.stale_seconds


def _busy(store: Store, holder: Holder) -> SinkBusyError:
    return SinkBusyError(
        f"{lease_subject(store)} is being written by {holder.describe()}; wait until it ends, let "
        "this run wait with wait_for_sink, or cancel the other run (if its process was killed, the "
        f"sink is free after {holder.stale_seconds:.0f} s)"
    )


def _take(
    store: Store, current: Holder | None, owner: str, run_id: str, renew_seconds: float
) -> Lease | None:
    generation = current.generation + 1 if current else 1
    now = time.time()
    holder = Holder(
        generation, uuid.uuid4().hex, owner, run_id, Process.current(), now, 0, now, renew_seconds
    )
    created = store.create(generation_path(generation), holder.to_json())
    if not created and read_generation(store, generation).token != holder.token:
        return None  # equal tokens: an earlier try of this call created it, its answer was lost
    for old in generations(store)[:-_KEPT]:
        store.delete(generation_path(old))
    return Lease(store, holder)


class Lease:
    """The right to write a sink, renewed by a background thread until it is released.

    Attributes
    ----------
    generation : int
        Number of this lease; a higher one of another owner means that it was taken over. It grows
        when this run takes the sink anew, after an outage of the storage.
    """

    def __init__(self, store: Store, holder: Holder) -> None:
        self.store = store
        self.generation = holder.generation
        self.renewed = time.monotonic()  # last success, by this process's clock
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
        """The view for workers."""
        return LeaseView(self.store, self.generation)

    def check(self) -> None:
        """Check now that this run still owns the sink, as before publishing.

        An outage of the storage is waited for as long as a lease lasts.

        Raises
        ------
        LeaseLostError
            If another run took over, or one may have and the storage does not answer.
        """
        deadline = time.monotonic() + self._holder.stale_seconds
        while True:
            try:
                self._look()
                break
            except Exception as error:
                if not is_transient(error):
                    raise
                if time.monotonic() >= deadline:
                    reason = (
                        f"this run could not renew its lease for {self._silent:.0f} s ({error})"
                    )
                    raise lease_lost(self.store, reason) from error
            time.sleep(min(1.0, self._holder.renew_seconds))
        if self._lost:
            raise lease_lost(self.store, self._lost)

    @property
    def _silent(self) -> float:
        """Seconds since the last renewal that is known to have succeeded."""
        return time.monotonic() - self.renewed

    def _look(self) -> None:
        with self._lock:
            if not self._lost and self._holder.released:
                self._lost = f"this run released its lease ({self._holder.released})"
            self._lost = self._lost or find_successor(self.store, self.generation)
            if not self._lost and self._silent > self._holder.stale_seconds:
                self._take_anew()

    def _take_anew(self) -> None:
        """Create the next generation after an outage.

        Others may have found this lease stale and be about to do the same: one of them succeeds.
        """
        before, silent = time.monotonic(), self._silent
        holder = replace(
            self._holder,
            generation=self.generation + 1,
            sequence=self._holder.sequence + 1,
            written=time.time(),
        )
        created = self.store.create(generation_path(holder.generation), holder.to_json())
        if not created and read_generation(self.store, holder.generation).token != holder.token:
            self._lost = find_successor(self.store, self.generation)
            return
        self._holder, self.generation, self.renewed = holder, holder.generation, before
        _log.warning(
            "the lease of %s could not be renewed for %.0f s; nobody else took it, so this run "
            "goes on",
            lease_subject(self.store),
            silent,
        )

    def release(self, reason: str = "finished") -> None:
        """Release the sink; workers that watch the lease stop. Further calls do nothing."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self._lock:
            if self._holder.released or self._lost:
                return
            self._holder = replace(self._holder, released=reason or "finished")
            _RELEASED.add(self._holder.token)
            try:
                if self.store.exists(generation_path(self.generation)):  # else the sink is gone
                    self._write()
            except Exception as error:  # noqa: BLE001  must not hide why, or that, the run ended
                _log.warning(
                    "could not release %s (%s); it is free once this process has ended, and for "
                    "other hosts after %.0f s",
                    lease_subject(self.store),
                    error,
                    self._holder.stale_seconds,
                )

    def _write(self) -> None:
        """Write the holder; on a full disk into the old file, which needs no new block or inode."""
        data, path = self._holder.to_json(), generation_path(self.generation)
        try:
            self.store.write(path, data)
        except ResourceError:
            local = self.store.local_path(path)
            if local is None:
                raise
            with local.open("r+b", buffering=0) as file:
                file.write(data)
                file.truncate()

    def renew(self) -> None:
        """Advance the sequence unless the lease is lost; called by the background thread."""
        with self._lock:
            self._lost = self._lost or find_successor(self.store, self.generation)
            if self._lost or self._holder.released:
                return
            if self._silent > self._holder.stale_seconds:
                self._take_anew()
                return
            before = time.monotonic()
            self._holder = replace(
                self._holder, sequence=self._holder.sequence + 1, written=time.time()
            )
            self._write()
            self.renewed = before

    def _run(self) -> None:
        pause = self._holder.renew_seconds
        while not self._lost and not self._stop.wait(pause):
            pause = self._holder.renew_seconds
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001  tried again; check() fails if it lasts
                pause = min(pause, 1.0)
                _log.warning("could not renew the lease of %s: %s", self.store.url, error)
