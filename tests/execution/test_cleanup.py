"""A run cleans up what it and earlier attempts left, and nothing else."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import (
    CalculationError,
)
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.planning import prepare as preparation
from tidemill.planning.request import make_request
from tidemill.storage.stores import Store

from ..support.daily import (
    DAYS,
    request,
    rows,
    run,
)
from ..support.inputs import make_input
from ..support.jobs import opened


def test_a_failed_interval_goes_on_from_its_parts_though_others_ran(source, table, own_calculators):
    broken = [True]

    @calculator(version="1")
    def fragile(values):
        if broken[0] and abs(values[0] - last) < 1e-9:
            raise ValueError("broken")
        return 0.0

    last = rows(DAYS[1]).query("id == 4")["x"].iloc[0]
    options = {"settings": {"fragile": None}, "part_bytes": 300}
    with pytest.raises(CalculationError):
        run(source, table, DAYS[1], **options)
    run(source, table, DAYS[2], **options)
    broken[0] = False
    summary = run(source, table, DAYS[1], **options)
    assert 0 < summary.parts["reused"] < summary.parts["total"]
    assert not list((table / "_tidemill" / "keys").glob("*"))


def test_parts_of_other_intervals_stay_whatever_their_keys_begin_with(source, table, monkeypatch):
    """Of 40,000 keys, two begin with the same eight digits one time in six."""
    real = preparation.result_key
    monkeypatch.setattr(preparation, "result_key", lambda *a, **b: "0" * 8 + real(*a, **b)[8:])
    for day in DAYS:
        run(source, table, day)
    assert len(tidemill.read_matrix(table)) == 15


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def request_of(series, sink, **more):
    arguments = {"settings": "minimal", **series.arguments, **more}
    return make_request(arguments.pop("source"), sink, **arguments)


def test_unfinished_files_of_a_result_that_was_replaced_go_with_its_state(source, table):
    """Its rows change after its writer was killed, so nobody goes on from its parts."""
    with Job.open(request(source, table, DAYS[1])) as job:
        run_chunk(job.run, [0])
        left = table / f".{job.run.key.part(0)}.0123456789ab"
        left.write_text("cut short")
    rows(DAYS[1], ids=6).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    assert run(source, table, DAYS[1]).rows == 6
    assert not left.exists()


@pytest.mark.parametrize("last", range(1, 6))
def test_what_a_run_that_is_killed_while_it_cleans_up_leaves_goes_with_the_next(
    source, table, monkeypatch, last
):
    """By the plan the next one finds it: that goes last."""
    with Job.open(request(source, table, DAYS[1])) as job:
        run_chunk(job.run, [0])
        spilled = job.run.key.state.local_path() / "work" / "spill"
        spilled.mkdir(parents=True)
        (spilled / "0.arrow").write_text("rows")
    rows(DAYS[1], ids=6).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    real, deleted = Store.delete_all, []

    def delete_until_killed(store, prefix=""):
        deleted.append(prefix)
        if len(deleted) > last:
            with suppress(FileNotFoundError):
                store.delete(f"{prefix}/plan.json")  # of a folder, files go in any order
            raise KeyboardInterrupt
        real(store, prefix)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete_all", delete_until_killed)
        with suppress(KeyboardInterrupt):
            run(source, table, DAYS[1])
    rows(DAYS[1], ids=7).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    run(source, table, DAYS[1])
    assert not spilled.exists()
    assert not list((table / "_tidemill" / "keys").rglob("*.arrow"))


def test_a_plan_that_a_killed_writer_did_not_finish_goes_with_the_next_run_an_hour_later(
    source, table
):
    """It tells no interval, so it may be that of another run, which is writing it now."""
    unfinished = [table / "_tidemill" / "keys" / name / "plan.json#1" for name in ("old", "young")]
    for path in unfinished:
        path.parent.mkdir(parents=True)
        path.write_text("{")
    hour_ago = time.time() - 3_601
    os.utime(unfinished[0], (hour_ago, hour_ago))
    run(source, table, DAYS[1])
    assert [path.exists() for path in unfinished] == [False, True]


def test_unfinished_files_of_killed_processes_go_at_the_end(series, sink):
    with opened(series, sink) as job:
        run_chunk(job.run, [0])
        left = sink / f".{job.run.key.part(2)}.0123456789ab"
        left.write_text("cut short")
        kept = sink / ".something-else"
        kept.write_text("a user's")
    extract_here(request_of(series, sink))
    assert not left.exists()
    assert kept.exists()
