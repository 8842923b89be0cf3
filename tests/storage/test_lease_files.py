"""Generations of a lease: the highest one counts, damaged or not."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace

import pytest

from tidemill.storage.lease_files import (
    RENEW_SECONDS,
    STALE_RENEWALS,
    Holder,
    find_successor,
    generation_path,
    generations,
    lease_lost,
    read_current,
    read_generation,
)
from tidemill.storage.processes import Process

ELSEWHERE = Process("node7/0a/1", 4711, 1.0)


def holder(generation: int = 1, **changes) -> Holder:
    now = time.time()
    made = Holder(generation, "t", "ann", "r", ELSEWHERE, 1_800_000_000.0, 3, now, 10.0)
    return replace(made, **changes)


def test_a_holder_comes_back_as_it_was():
    made = holder(4, released="cancelled")
    assert Holder.from_json(made.to_json()) == made
    assert isinstance(Holder.from_json(made.to_json()).process, Process)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"generation": 1}', b'{"process": {}}'])
def test_damaged_holders_are_refused(data):
    with pytest.raises(ValueError, match=r"not a lease|Expecting"):
        Holder.from_json(data)


def test_the_file_holds_these_names():
    """Other versions of tidemill read and write the same files."""
    assert list(asdict(holder())) == [
        "generation", "token", "owner", "run_id", "process", "since", "sequence", "written",
        "renew_seconds", "released",
    ]  # fmt: skip


def test_the_highest_generation_is_current(folder):
    assert (read_current(folder), generations(folder)) == (None, [])
    for generation in (2, 10, 9):
        folder.write(generation_path(generation), holder(generation).to_json())
    folder.write("20261120T000000Z/00000099.json", holder(99).to_json())  # of an interval
    folder.write("notes.txt", b"")
    assert generations(folder) == [2, 9, 10]
    current = read_current(folder)
    assert current is not None
    assert current.generation == 10


def test_a_damaged_file_still_counts_as_held(folder):
    folder.write(generation_path(3), b'{"generation": 3, "tok')
    found = read_generation(folder, 3)
    assert (found.generation, found.owner, found.renew_seconds) == (3, "", RENEW_SECONDS)
    assert not found.is_free
    assert not found.looks_fresh
    with pytest.raises(FileNotFoundError):
        read_generation(folder, 4)


def test_a_generation_that_is_cleaned_up_while_it_is_read(folder, monkeypatch):
    folder.write(generation_path(1), holder(1).to_json())
    folder.write(generation_path(2), holder(2).to_json())
    listings = iter([[1], [1, 2]])
    monkeypatch.setattr("tidemill.storage.lease_files.generations", lambda _: next(listings))
    folder.delete(generation_path(1))
    current = read_current(folder)
    assert current is not None
    assert current.generation == 2


def test_a_listing_that_lags_behind_hides_no_generation(folder, monkeypatch):
    for generation in (1, 2, 3):
        folder.write(generation_path(generation), holder(generation).to_json())
    monkeypatch.setattr("tidemill.storage.lease_files.generations", lambda _: [1])
    current = read_current(folder)
    assert current is not None
    assert current.generation == 3


def test_a_lease_is_free_when_released_or_its_process_here_is_dead():
    me = Process.current()
    assert not holder().is_free  # of another host: nobody can look
    assert holder(released="finished").is_free
    assert not holder(process=me).is_free
    assert holder(process=replace(me, started=me.started - 5)).is_free


@pytest.mark.parametrize(("age", "is_fresh"), [(0, True), (19, True), (21, False), (-21, False)])
def test_fresh_is_what_was_written_within_two_renewals(age, is_fresh):
    assert holder(written=time.time() - age).looks_fresh is is_fresh


def test_stale_follows_the_owners_own_renewals():
    assert holder(renew_seconds=0.5).stale_seconds == 0.5 * STALE_RENEWALS


def test_only_a_later_generation_is_a_successor(folder):
    assert find_successor(folder, 1) == "its lease was removed"
    folder.write(generation_path(1), holder(1).to_json())
    assert find_successor(folder, 1) == ""
    folder.write(generation_path(2), holder(2, owner="bob").to_json())
    assert find_successor(folder, 2) == ""
    assert find_successor(folder, 1) == (
        "it was taken over by run r of bob on node7 (process 4711) since 2027-01-15 08:00:00 UTC"
    )


def test_unknown_owners_are_shown_as_unknown():
    nobody = holder(owner="", run_id="", process=Process("", 0, 0.0))
    assert nobody.describe().startswith("run ? of ? on an unknown host (process 0) since 2027-")


def test_the_error_names_sink_or_interval_and_what_to_do(layout):
    sink = layout.url
    for lease, subject in (
        (layout.lease, sink),
        (layout.lease_of("20261120T000000Z"), f"interval 2026-11-20 00:00 of {sink}"),
    ):
        message = str(lease_lost(lease, "it was removed"))
        assert message.startswith(f"this run no longer owns {subject}: it was removed; ")
        assert "finished parts are kept, start a new run" in message


@pytest.mark.parametrize(
    "edit", [{"generation": 1}, {"renew_seconds": 1e9}, {"renew_seconds": "x"}, {"process": 7}]
)
def test_an_edited_lease_keeps_nobody_waiting_for_ever(edit, folder):
    raw = json.loads(holder().to_json()) | edit
    folder.write(generation_path(3), json.dumps(raw).encode())
    found = read_generation(folder, 3)
    assert found.generation == 3
    assert found.stale_seconds <= 60.0
