"""One attempt, step by step, without Prefect and Dask."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

import tidemill
from tidemill.errors import DataError, LeaseLostError, SinkBusyError
from tidemill.execution import job
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import stop_workers
from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.planning import prepare as preparation
from tidemill.storage.record import history

from ..support.daily import (
    DAYS,
    known,
    look,
    request,
    rows,
    run,
)
from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def test_a_second_job_is_refused_and_leaves_the_first_alone(series, sink):
    with opened(series, sink) as job:
        with pytest.raises(SinkBusyError, match=job.run.run_id), opened(series, sink):
            pass
        run_chunk(job.run, [0])


def test_ids_of_one_second_sort_by_their_start():
    start = datetime(2026, 11, 20, 6, 0, 0, tzinfo=UTC)
    moments = [start + timedelta(milliseconds=count) for count in range(1_000)]
    ids = [job.new_run_id(one) for one in moments]
    assert ids == sorted(ids)
    assert {re.sub("[0-9a-f]{8}$", "", one) for one in ids} == {"20261120T060000-"}
    assert job.new_run_id(start) != job.new_run_id(start)
    assert ids[-1] < job.new_run_id(start + timedelta(seconds=1))


def test_stopping_workers_is_known_to_them(series, sink):
    with opened(series, sink) as job:
        stop_workers(job.run, "cancelled by a test")
        with pytest.raises(LeaseLostError, match="cancelled by a test"):
            run_chunk(job.run, [0])
    stop_workers(job.run, "a job that is over is nobody's concern")


def test_a_job_that_is_stopped_while_it_plans_publishes_nothing(source, table, monkeypatch):
    """A stop that comes before the job has its lease knows of no lease to take away."""
    stopped = threading.Event()

    def prepare(about):
        stopped.set()
        job.stop_jobs(about.sink, "stopped by a test")
        return preparation.prepare(about)

    monkeypatch.setattr(job, "prepare", prepare)
    with pytest.raises(CancelledError):
        extract_here(request(source, table, DAYS[0]), threads=1, turn=Turn((), stopped))
    assert known(table) == {}


def test_what_another_run_published_meanwhile_is_not_replaced_by_older_rows(
    source, table, monkeypatch
):
    real = job.acquire

    def late(*arguments, **options):
        monkeypatch.setattr(job, "acquire", real)
        rows(DAYS[0], ids=7).assign(id=lambda one: one["id"] + 5).to_parquet(
            source / "late.parquet"
        )
        run(source, table, DAYS[0])  # the schedule's, while this one waits
        return real(*arguments, **options)

    monkeypatch.setattr(job, "acquire", late)
    run(source, table, DAYS[0])
    assert len(tidemill.read_matrix(table, "20261117T000000Z")) == 12
    assert look(source, table, DAYS[0]).reason == "the files that touch its window are the same"


def test_two_backfills_in_opposite_orders_do_not_wait_for_each_other(source, table):
    """Neither works ahead on an interval while its first one still waits for the other."""

    def fill(days):
        def work(day, turn):
            if not turn.before:
                time.sleep(1.0)  # the second one is at its interval's door before
            about = request(source, table, day)
            return extract_here(about, threads=1, wait_for_sink=6.0, turn=turn).rows

        return in_turns(work, days, concurrency=2)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fill, [DAYS[:2], DAYS[1::-1]])) == [[5, 5], [5, 5]]


def test_a_stop_reaches_all_jobs_though_the_storage_fails_for_one(source, table, monkeypatch):
    with (
        job.Job.open(request(source, table, DAYS[0])) as first,
        job.Job.open(request(source, table, DAYS[1])) as second,
    ):
        with monkeypatch.context() as patched:
            patched.setattr(job.Lease, "release", failing_once(job.Lease.release))
            job.stop_jobs(first.request.sink, "stopped by a test")
        with pytest.raises(LeaseLostError, match="stopped by a test"):
            second.lease.check()


def failing_once(release):
    calls = iter([True])

    def fail(lease, reason):
        if next(calls, False):
            raise ConnectionError("a network that fails")
        release(lease, reason)

    return fail


def test_the_end_of_a_run_is_told_when_its_record_is_written(source, table):
    ended = []

    def on_end(run):
        ended.append([one.run_id for one in history(run.layout)])

    summary = extract_here(request(source, table, DAYS[0]), on_end=on_end)
    spoilt = rows(DAYS[1])
    spoilt.loc[3, "x"] = float("inf")
    spoilt.to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    with pytest.raises(DataError):
        extract_here(request(source, table, DAYS[1]), on_end=on_end)
    first, second = ended
    assert first == [summary.run_id]
    assert len(second) == 2
