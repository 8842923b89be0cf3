"""Two recurring runs and a backfill write one table and are killed at random, two hundred times."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

import tidemill
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.streams import STAGED_SECONDS, never_named
from tidemill.storage.table_faults import COMPARED, look_at_table

from ..support import programs, three_writers
from ..support.sinks import assert_nothing_left, attempt_marks, state, unfinished
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROUNDS = 200
INTERVALS = len(three_writers.HOURS)


def digests(table: Path) -> dict[str, str]:
    layout = SinkLayout.of(table)
    names = interval_names(layout)
    return {name: one.digest for name, one in read_intervals(layout, names).items()}


def guards_of(pids: list[int]) -> list[psutil.Process]:
    """The guards of some processes, which end a moment after these do."""
    watched = {str(pid) for pid in pids}
    found = []
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or [""]
        if any(word.endswith("guard_process.py") for word in words) and watched & set(words):
            found.append(one)
    return found


def test_the_table_equals_one_that_was_made_alone(tmp_path):
    script = [sys.executable, three_writers.__file__, tmp_path, str(ROUNDS), "20261"]
    with programs.program(script) as writers:
        until(writers.done, 800, "the writers to end")
        told = json.loads(writers.output.splitlines()[-1])
        outcomes = told["outcomes"]
        assert set(outcomes) <= {"done", "killed", "failed"}, writers.output
        assert sum(outcomes.values()) == ROUNDS
        assert outcomes["killed"] >= ROUNDS / 4
        assert outcomes.get("failed", 0) <= ROUNDS / 20, told["errors"]
        assert programs.session_members(writers.pid) == []
    until(lambda: not guards_of(told["pids"]), 30, "the guards of the killed to end")

    # One more run of each kind, an hour later and with nobody beside it, leaves nothing that is
    # not the table's.
    source, table, alone = (tmp_path / name for name in ("in", "table", "alone"))
    for path in never_named(state(table), "*", below=True):
        os.utime(path, (time.time() - STAGED_SECONDS - 1,) * 2)
    for role in three_writers.ROLES:
        three_writers.write(role, source, table)
    three_writers.write("backfill", source, alone)
    assert digests(table) == digests(alone)
    assert len(digests(table)) == INTERVALS
    assert not look_at_table(SinkLayout.of(table), COMPARED).faults
    assert tidemill.read_matrix(table).equals(tidemill.read_matrix(alone))
    for name in digests(table):  # its last owner may be one of the killed: that stands in no way
        acquire(SinkLayout.of(table).lease_of(name), owner="test", run_id="next").release()
    assert_nothing_left(table)
    assert (attempt_marks(table), unfinished(table)) == ([], [])
    assert [path for path in (state(table) / "keys").rglob("*") if path.is_file()] == []
