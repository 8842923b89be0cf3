"""Workers stop when the lease that they work under is gone."""

from __future__ import annotations

import json
import pickle
import time

import pytest

from tidemill.errors import LeaseLostError
from tidemill.storage import lease_view
from tidemill.storage.lease_files import STALE_RENEWALS
from tidemill.storage.lease_view import LeaseView
from tidemill.storage.stores import Store

from .leases import FAST, abandon, take


def test_it_sees_cancellation_once_a_second(folder):
    lease = take(folder)
    view: LeaseView = pickle.loads(pickle.dumps(lease.view()))  # noqa: S301
    view.check()
    lease.release("cancelled")
    view.check()  # looked less than a second ago
    time.sleep(1.0)
    with pytest.raises(LeaseLostError, match=r"released \(cancelled\)"):
        view.check()
    with pytest.raises(LeaseLostError):  # and so do all other threads, without waiting
        view.check()
    with pytest.raises(LeaseLostError, match="cancelled"):
        lease.check()


def test_it_looks_at_most_once_a_second(tmp_path, monkeypatch):
    lease = take(Store.open(tmp_path / "lease"))
    looks = []
    read = lease_view.read_generation
    monkeypatch.setattr(
        lease_view, "read_generation", lambda *args: (looks.append(args[1]), read(*args))[1]
    )
    for _ in range(1000):
        lease.view().check()
    assert looks.count(1) == 1
    lease.release()


def test_it_notices_that_the_owner_was_killed(folder):
    lease = take(folder, renew_seconds=FAST)
    view = LeaseView(folder, lease.generation, every_seconds=0.0)
    view.check()
    abandon(lease)
    view.check()
    time.sleep(FAST * STALE_RENEWALS * 1.2)
    with pytest.raises(LeaseLostError, match="no longer renews"):
        view.check()


def test_it_does_not_blame_the_owner_for_an_outage(folder, monkeypatch):
    lease = take(folder, renew_seconds=FAST)
    view = LeaseView(folder, lease.generation, every_seconds=0.0)
    view.check()
    abandon(lease)

    def fail(*_: object) -> None:
        raise ConnectionError("network")

    with monkeypatch.context() as outage:
        outage.setattr(lease_view, "read_generation", fail)
        view.check()
        time.sleep(FAST * STALE_RENEWALS * 1.2)
    view.check()  # the owner has waited for the storage, too: from now on it has to renew
    time.sleep(FAST * STALE_RENEWALS * 1.2)
    with pytest.raises(LeaseLostError, match="no longer renews"):
        view.check()


def test_it_stops_with_a_removed_sink(layout, folder):
    lease = take(folder)
    layout.state.delete_all()
    with pytest.raises(LeaseLostError, match="removed"):
        lease.view().check(now=True)
    lease.release()


def test_a_hiccup_of_the_storage_stops_no_worker(tmp_path, monkeypatch):
    lease = take(Store.open(tmp_path / "lease"))

    def fail(*_: object) -> None:
        raise ConnectionError("network")

    monkeypatch.setattr(lease_view, "read_generation", fail)
    LeaseView(lease.store, lease.generation, every_seconds=0.0).check()
    with pytest.raises(ConnectionError):  # but nothing is published without a look
        lease.view().check(now=True)
    monkeypatch.undo()
    lease.release()


def test_an_error_is_named_to_the_workers(folder):
    with pytest.raises(RuntimeError), take(folder) as lease:
        raise RuntimeError
    assert json.loads(folder.read("00000001.json"))["released"] == "ended by RuntimeError"
    with pytest.raises(LeaseLostError, match="RuntimeError"):
        lease.view().check(now=True)
