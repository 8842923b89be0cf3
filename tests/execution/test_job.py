"""One attempt, step by step, without Prefect and Dask."""

from __future__ import annotations

import pandas as pd
import pytest

import tidemill
from tidemill.errors import CalculationError, LeaseLostError, SinkBusyError, SinkError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import stop_workers
from tidemill.execution.plans import load_plan, missing_parts
from tidemill.execution.reduce import reduce
from tidemill.execution.steps import PartsWatch, choose_chunks
from tidemill.model.progress import subscribe
from tidemill.planning.request import make_request

from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.sinks import assert_nothing_left, records

FACTS = {"cluster": "none", "threads": 1, "task_runs": 0, "seconds": {}}


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def request_of(series, sink, **more):
    arguments = {"settings": "minimal", **series.arguments, **more}
    return make_request(arguments.pop("source"), sink, **arguments)


def test_the_result_equals_that_of_the_frame(series, sink):
    summary = extract_here(request_of(series, sink), threads=2)
    expected = tidemill.extract_features(
        series.frame, "minimal", column_id="id", column_sort="time"
    )
    found = tidemill.read_matrix(str(sink))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_names=False)
    assert (summary.rows, summary.task_runs) == (6, 0)
    assert_nothing_left(sink)


def test_nothing_is_published_while_parts_are_missing(series, sink):
    def reduce_early():
        with opened(series, sink) as job:
            run_chunk(job.run, [4])
            reduce(job.run, FACTS)

    with pytest.raises(SinkError, match="5 of 6 parts are missing"):
        reduce_early()
    assert not list(sink.glob("_delta_log/*"))
    assert records(sink)[-1]["state"] == "failed"


def test_the_next_attempt_deals_only_missing_parts(series, sink):
    with opened(series, sink) as job:
        run_chunk(job.run, [1, 4])
    with opened(series, sink) as job:
        assert missing_parts(job.run) == [0, 2, 3, 5]
        dealt = choose_chunks(job.run, 2)["chunks"]
        assert sorted(part for chunk in dealt for part in chunk) == [0, 2, 3, 5]


def test_parts_of_a_started_run_stay_as_they_were_cut(series, sink):
    """Another part size, as another version may have, finishes the parts that were started."""
    with opened(series, sink) as job:
        run_chunk(job.run, [0])
    with opened(series, sink, part_bytes=10**9) as job:
        assert len(load_plan(job.run).parts) == 6
        assert missing_parts(job.run) == [1, 2, 3, 4, 5]


def test_plain_functions_are_spread_over_the_threads(series, sink, probe):
    """Their cost is not known, so tiny parts are not taken for tiny work."""
    with opened(series, sink) as job:
        assert len(choose_chunks(job.run, 3)["chunks"]) == 1
    with opened(series, sink, **probe.arguments) as job:
        assert len(choose_chunks(job.run, 3)["chunks"]) >= 3


def test_a_second_job_is_refused_and_leaves_the_first_alone(series, sink):
    with opened(series, sink) as job:
        with pytest.raises(SinkBusyError, match=job.run.run_id), opened(series, sink):
            pass
        run_chunk(job.run, [0])


def test_stopping_workers_is_known_to_them(series, sink):
    with opened(series, sink) as job:
        stop_workers(job.run, "cancelled by a test")
        with pytest.raises(LeaseLostError, match="cancelled by a test"):
            run_chunk(job.run, [0])
    stop_workers(job.run, "a job that is over is nobody's concern")


def test_the_first_error_stops_the_others_and_is_the_one_raised(series, sink, probe):
    probe.tell("all", "sleep 0.2")
    probe.tell(1, "wrong")
    with pytest.raises(CalculationError, match="a fault that stays"):
        extract_here(request_of(series, sink, **probe.arguments), threads=2)
    assert len(probe.calls) <= 4
    (record,) = records(sink)
    assert (record["state"], record["parts"]["total"]) == ("failed", 6)


def test_progress_counts_committed_parts(series, sink):
    heard = []
    with opened(series, sink) as job, subscribe(heard.append):
        watch = PartsWatch(job.run)
        run_chunk(job.run, [0, 1])
        watch.look(now=True)
        watch.look()  # too early
        run_chunk(job.run, [2])
        watch.look(now=True)
    steps = [(one.parts_done, one.parts_total, one.ids_done) for one in heard]
    assert steps == [(2, 6, 2), (3, 6, 3)]


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
