"""The lease as a worker sees it: whether to go on, without holding it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tidemill.storage.lease_files import Holder, describe_takeover, lease_lost, read_generation
from tidemill.storage.stores import Store
from tidemill.storage.transient import is_transient

__all__ = ["LeaseView"]


@dataclass(slots=True)
class _Look:
    """What this process last saw of one lease."""

    at: float  # seconds, monotonic
    sequence: int
    advanced: float  # seconds, monotonic: when the sequence was first seen
    generation: int  # the last one of the same owner
    unanswered: bool = False  # the storage did not answer since: its owner may wait for it, too


_LOOKS: dict[tuple[str, int], _Look] = {}
_LOOKS_LOCK = threading.Lock()


@dataclass(frozen=True)
class LeaseView:
    """A worker's view of the lease that it works under; can be pickled.

    Examples
    --------
    >>> import tempfile
    >>> from tidemill.storage.lease import acquire
    >>> lease = acquire(Store.open(tempfile.mkdtemp()), owner="ann", run_id="r")
    >>> view = lease.view()
    >>> view.check()
    >>> lease.release("cancelled")
    >>> view.check(now=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tidemill.errors.LeaseLostError: this run no longer owns ...: it was released (cancelled); ...
    """

    store: Store
    generation: int
    every_seconds: float = 1.0

    def check(self, *, now: bool = False) -> None:
        """Raise if the work must stop; reads at most once a second for all threads of a process.

        With ``now`` it reads at once and passes on every error of the storage, as is needed before
        publishing.

        Raises
        ------
        LeaseLostError
            If the lease was released (finished, cancelled) or taken over, or if its owner has not
            renewed it for so long that it must be dead.
        """
        key = (self.store.url, self.generation)
        with _LOOKS_LOCK:
            look = _LOOKS.setdefault(
                key, _Look(float("-inf"), -1, time.monotonic(), self.generation)
            )
            if not now and time.monotonic() - look.at < self.every_seconds:
                return
            look.at = time.monotonic()
        try:
            reason = self._reason(look)
        except Exception as error:
            look.unanswered = True
            if now or not is_transient(error):
                raise
            return  # a hiccup of the storage: the next read or write will show if it lasts
        if reason:
            with _LOOKS_LOCK:
                look.at = float("-inf")  # the other threads must see it too
            raise lease_lost(self.store, reason)

    def _reason(self, look: _Look) -> str:
        """Why the work must stop; "" if it may go on."""
        asked = time.monotonic()
        try:
            holder = read_generation(self.store, look.generation)
        except FileNotFoundError:
            return "its lease was removed"
        while later := self._later(look.generation):
            if later.token != holder.token:
                return describe_takeover(later)
            holder, look.generation = later, later.generation  # taken anew after an outage
        if holder.released:
            return f"it was released ({holder.released})"
        if holder.sequence != look.sequence or look.unanswered:
            look.sequence, look.advanced, look.unanswered = holder.sequence, time.monotonic(), False
        elif asked - look.advanced >= holder.stale_seconds:
            return f"its owner, {holder.describe()}, no longer renews it"
        return ""

    def _later(self, generation: int) -> Holder | None:
        """The next generation: one small read, where a listing costs ten times more."""
        try:
            return read_generation(self.store, generation + 1)
        except FileNotFoundError:
            return None
