"""Chunks that make no progress although their worker lives are noticed, and only those."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.states import Completed
from prefect_dask.task_runners import PrefectDaskFuture

from tidemill.errors import ClusterError
from tidemill.model.progress import subscribe
from tidemill.orchestration import chunk_watch, worker_watch
from tidemill.orchestration.chunk_watch import ChunkWatch, StuckChunk
from tidemill.orchestration.dispatch import run_chunks
from tidemill.orchestration.worker_watch import WorkerWatch
from tidemill.storage.markers import attempts, begin_attempt, renew_attempt

from ..support.grounds import ground_of
from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.waiting import until

LIMIT = 3.0


@pytest.fixture
def ground(monkeypatch, tmp_path):
    monkeypatch.setattr(chunk_watch, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(chunk_watch, "LEAST_SECONDS", LIMIT)
    with ground_of(tmp_path, monkeypatch) as ground:
        yield ground


@pytest.fixture
def run(tmp_path):
    series = make_input(tmp_path, n_ids=6)
    with opened(series, tmp_path / "matrix", stall_seconds=LIMIT) as job:
        yield job.run


def test_a_chunk_in_hand_without_progress_is_named_and_no_other(ground, run):
    """One gets on, one is stuck, and one waits for its turn on a worker."""
    marks = [
        begin_attempt(run.key, index, generation=run.generation, run_id="r") for index in (0, 1)
    ]
    work = ground.function()
    watch = ChunkWatch(run, ground.client, tuple)
    with ground.worker() as one, ground.worker() as two:
        for worker in (one, two):
            ground.hang(worker)
        futures = [ground.client.submit(work, index, pure=False) for index in range(3)]
        chunks = {future.key: [index, index + 3] for index, future in enumerate(futures)}

        def look() -> list[StuckChunk]:
            renew_attempt(run.key, marks[0], hangs=False)
            return watch.look(chunks)

        (stuck,) = until(look, 60, "a stuck chunk")
        assert stuck.part == 1
        assert stuck.worker in ground.client.nthreads()
        assert stuck.seconds > LIMIT
        assert str(stuck).startswith(f"worker {stuck.worker} has made no progress with part 2 for")
        assert watch.is_busy()
        for worker in (one, two):
            ground.release(worker)
        ground.client.gather(futures)
    assert [mark.index for mark in attempts(run.key)] == [0, 1]


@pytest.mark.slow
def test_the_chunk_of_a_stuck_worker_goes_to_another(ground, run):
    work = ground.function()

    def submit(chunk):
        future = ground.client.submit(lambda: Completed(data=work(chunk[0])), pure=False)
        return PrefectDaskFuture(wrapped_future=future, task_run_id=uuid.uuid4())

    with ground.worker() as stuck, ground.worker() as other, ThreadPoolExecutor(1) as pool:
        ground.client.run(Completed)  # imports Prefect
        ground.hang(stuck)
        watch, chunks = WorkerWatch(ground.client), ChunkWatch(run, ground.client, tuple)
        done = pool.submit(run_chunks, [[n] for n in range(6)], submit, watch, list, list, chunks)
        assert done.result(90) == 6
        assert ground.begun_by(other) == set(range(6))
        assert ground.begun_by(stuck)
        assert len(ground.client.nthreads()) == 1
        ground.release(stuck)
        stuck.wait(60)  # the scheduler has told it to close


def test_if_there_is_no_other_worker_it_is_said_and_waited_for(ground, monkeypatch):
    told = []
    with ground.worker(), subscribe(lambda progress: told.append(progress.note)):
        watch = WorkerWatch(ground.client)
        until(lambda: watch.look() or watch.live, 30, "a look at the worker")
        (address,) = watch.live
        for seconds in (70.0, 80.0):
            assert not watch.relieve([StuckChunk(address, 4, seconds)])
        said = (
            f"worker {address} makes no progress, though it lives; does its storage answer? There "
            "is no other worker, so it is waited for"
        )
        assert told == [said]
        monkeypatch.setattr(worker_watch, "STUCK_SECONDS", 75.0)
        with pytest.raises(ClusterError, match=r"no progress with part 5 for 80 s, .*its storage"):
            watch.relieve([StuckChunk(address, 4, 80.0)])
