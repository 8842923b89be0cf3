"""One writer per sink."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tidemill.errors import LeaseLostError, SinkBusyError
from tidemill.storage import lease_files
from tidemill.storage.lease import _take
from tidemill.storage.lease_files import STALE_RENEWALS, Holder
from tidemill.storage.lease_view import LeaseView
from tidemill.storage.stores import Store

from .leases import FAST, abandon, from_elsewhere, take


def test_a_second_run_is_refused_at_once_with_the_owners_name(folder):
    with take(folder) as lease:
        began = time.monotonic()
        with pytest.raises(SinkBusyError) as caught:
            take(folder, "two")
        assert time.monotonic() - began < 1.0
        for words in ("run one", "ann", "since 20", str(os.getpid()), "wait_for_sink", "matrix is"):
            assert words in str(caught.value)
        assert lease.generation == 1
    with take(folder, "two") as lease:
        assert lease.generation == 2


def test_a_second_run_waits(folder):
    first = take(folder)
    threading.Timer(0.5, first.release).start()
    with take(folder, "two", wait_seconds=20) as second:
        assert second.generation == 2
        assert first.store == folder
    with take(folder, "three") as third, pytest.raises(SinkBusyError, match="run three"):
        take(folder, "four", wait_seconds=1.2)
    assert third.generation == 3


def test_renewals_advance_the_sequence(folder):
    with take(folder, renew_seconds=FAST) as lease:
        path = f"{lease.generation:08d}.json"
        first = Holder.from_json(folder.read(path)).sequence
        time.sleep(FAST * 10)
        assert Holder.from_json(folder.read(path)).sequence > first
        lease.check()
    assert Holder.from_json(folder.read(path)).released == "finished"


def test_a_silent_owner_elsewhere_is_taken_over_and_notices(folder):
    first = take(folder, renew_seconds=FAST)
    view = first.view()
    view.check(now=True)
    abandon(first)
    from_elsewhere(folder, first)
    began = time.monotonic()
    with take(folder, "two", wait_seconds=20) as second:
        assert second.generation == 2
        assert time.monotonic() - began >= FAST * STALE_RENEWALS * 0.9
        with pytest.raises(LeaseLostError, match="taken over by run two"):
            first.check()
        with pytest.raises(LeaseLostError, match=r"taken over by run two.*finished parts are kept"):
            view.check(now=True)
        first.renew()  # must not bring the old generation back to life
        first.release()
        second.check()
    assert first.lost


def test_an_old_written_time_is_watched_and_not_believed(folder):
    """The clock of the owner is an hour slow: it is refused, not taken over, as it renews."""
    lease = take(folder, renew_seconds=FAST)
    abandon(lease)
    stop = threading.Event()

    def renew() -> None:
        sequence = 1
        while not stop.wait(FAST):
            sequence += 1
            from_elsewhere(folder, lease, sequence=sequence, written=time.time() - 3600)

    from_elsewhere(folder, lease, written=time.time() - 3600)
    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(SinkBusyError):
            take(folder, "two")
    finally:
        stop.set()
        thread.join()
    with take(folder, "three") as third:  # and when it is silent, no waiting time is needed
        assert third.generation == 2


def test_a_damaged_lease_is_watched_then_taken_over(folder, monkeypatch):
    monkeypatch.setattr(lease_files, "RENEW_SECONDS", FAST)
    folder.write("00000005.json", b"")
    with take(folder) as lease:
        assert lease.generation == 6


HOLD = """
import sys, time
from tidemill.storage.lease import acquire
from tidemill.storage.stores import Store
lease = acquire(Store.open(sys.argv[1], eval(sys.argv[2])), owner="bob", run_id="killed")
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_owner_on_this_host_is_taken_over_at_once(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder.url, repr(folder.storage_options)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(SinkBusyError, match="run killed of bob"):
        take(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    began = time.monotonic()
    with take(folder) as lease:
        assert lease.generation == 2
    assert time.monotonic() - began < 1.0


RACE = """
import sys
from tidemill.errors import SinkBusyError
from tidemill.storage.lease import acquire
from tidemill.storage.stores import Store
store = Store.open(sys.argv[1], eval(sys.argv[2]))
ready = Store.open(sys.argv[1] + "-ready", eval(sys.argv[2]))
ready.write(sys.argv[3], b"")
while len(ready.list()) < 3:
    pass
try:
    lease = acquire(store, owner=sys.argv[3], run_id="r")
except SinkBusyError:
    print("busy", flush=True)
else:
    print("mine", flush=True)
    sys.stdin.read()
    lease.release()
"""


def test_of_racing_processes_one_owns(folder):
    command = [sys.executable, "-c", RACE, folder.url, repr(folder.storage_options)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([*command, me], **pipes) for me in "abc"]
    said = [process.stdout.readline() for process in processes]
    for process in processes:
        process.communicate(timeout=60)
    assert sorted(said) == ["busy\n", "busy\n", "mine\n"]


def test_threads_that_wait_own_one_after_the_other(folder):
    inside: list[str] = []
    overlaps: list[int] = []

    def work(name: str) -> None:
        with take(folder, name, wait_seconds=60, renew_seconds=1.0):
            inside.append(name)
            overlaps.append(len(inside))
            time.sleep(0.05)
            inside.remove(name)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 5


def test_old_generations_are_cleaned_up(folder):
    for _ in range(7):
        take(folder).release()
    assert [entry.path for entry in folder.list()] == [f"{n:08d}.json" for n in (5, 6, 7)]


def test_an_owner_that_slept_through_several_others_notices(folder):
    sleeper = take(folder)
    abandon(sleeper)
    from_elsewhere(folder, sleeper, released="as if")
    for _ in range(5):
        take(folder).release()
    with pytest.raises(LeaseLostError):
        sleeper.check()
    assert not folder.exists("00000001.json")


def test_an_owner_that_cannot_renew_stops_by_its_own_clock(tmp_path, caplog, monkeypatch):
    lease = take(Store.open(tmp_path / "lease"), renew_seconds=FAST)

    def fail(*_: object) -> None:
        raise ConnectionError("network")

    monkeypatch.setattr(Store, "write", fail)
    monkeypatch.setattr(Store, "create", fail)
    time.sleep(FAST * STALE_RENEWALS * 1.5)
    with pytest.raises(LeaseLostError, match="could not renew"):
        lease.check()
    assert "network" in caplog.text
    lease.release()


def test_after_an_outage_without_a_rival_the_run_goes_on(folder, caplog):
    lease = take(folder, renew_seconds=FAST)
    view = LeaseView(folder, lease.generation, every_seconds=0.0)
    view.check()
    abandon(lease)
    time.sleep(FAST * STALE_RENEWALS * 1.5)
    lease.check()
    assert "nobody else took it, so this run goes on" in caplog.text
    assert lease.generation == 2
    view.check()  # the worker's view follows its owner
    lease.view().check(now=True)
    with pytest.raises(SinkBusyError):
        take(folder, "two")
    lease.release()
    with pytest.raises(LeaseLostError, match="released"):
        view.check(now=True)
    with take(folder, "two") as second:
        assert second.generation == 3


def test_of_an_owner_that_comes_back_and_a_rival_one_wins(folder):
    for _ in range(10):
        owner = take(folder, renew_seconds=FAST)
        abandon(owner)
        current = from_elsewhere(folder, owner)
        time.sleep(FAST * STALE_RENEWALS * 1.1)
        start, won = threading.Barrier(2), []

        def rival(current=current, start=start, won=won) -> None:
            start.wait()
            won.append(_take(folder, current, "bob", "two", FAST))

        thread = threading.Thread(target=rival)
        thread.start()
        start.wait()
        try:
            owner.check()
            came_back = True
        except LeaseLostError:
            came_back = False
        thread.join()
        assert came_back is (won[0] is None)
        for one in (owner, *won):
            if one is not None:
                one.release()


def test_a_release_that_gets_no_answer_fails_no_run(tmp_path, monkeypatch, caplog):
    lease = take(Store.open(tmp_path / "lease"))

    def fail(*_: object) -> None:
        raise ConnectionError("network")

    monkeypatch.setattr(Store, "write", fail)
    lease.release()
    assert f"could not release {tmp_path} (network); it is free once this process" in caplog.text
    monkeypatch.undo()
    take(lease.store, "two").release()  # here it is known
