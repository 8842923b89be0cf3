"""Leases of tests, and owners that go silent."""

from __future__ import annotations

from dataclasses import replace

from tidemill.storage.lease import Lease, acquire
from tidemill.storage.lease_files import Holder, generation_path
from tidemill.storage.processes import Process
from tidemill.storage.stores import Store

FAST = 0.05  # seconds between renewals, so that stale is 0.3 s


def take(folder: Store, run_id: str = "one", **options) -> Lease:
    return acquire(folder, owner="ann", run_id=run_id, **options)


def from_elsewhere(folder: Store, lease: Lease, **changes) -> Holder:
    """Write the lease's file as if another host had."""
    path = generation_path(lease.generation)
    holder = Holder.from_json(folder.read(path))
    holder = replace(holder, process=Process("elsewhere/1/1", 4711, 1.0), **changes)
    folder.write(path, holder.to_json())
    return holder


def abandon(lease: Lease) -> None:
    """Stop renewing without releasing, as a frozen or cut-off host does."""
    lease._stop.set()
    lease._thread.join()
